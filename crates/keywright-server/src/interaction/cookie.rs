//! Cookies: one for the browser, one for the sign-in, each tenant its own.

use http::{HeaderMap, HeaderValue, header};
use keywright_protocol::secret::Secret;
use keywright_protocol::token::SessionToken;

use crate::router::Ctx;

/// Which cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cookie {
    /// Ties a flow to the browser that began it.
    Browser,
    /// The sign-in.
    Session,
}

impl Cookie {
    /// `__Host-` pins a cookie to this very host, over https, for the whole of it; on an http
    /// loopback issuer no browser would take it (CONTRACT section 3).
    fn name(self, ctx: &Ctx) -> String {
        let kind = match self {
            Self::Browser => "kw_browser",
            Self::Session => "kw_session",
        };
        let prefix = if is_secure(ctx) { "__Host-" } else { "" };
        let tenant = &ctx.origin.tenant;
        // Tenants share an origin, so their cookies must not share a name.
        if tenant.is_default() {
            format!("{prefix}{kind}")
        } else {
            format!("{prefix}{kind}_{tenant}")
        }
    }

    /// Its value, if the browser sent exactly one.
    pub fn read(self, ctx: &Ctx, headers: &HeaderMap) -> Option<Secret<String>> {
        let name = self.name(ctx);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut found = lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned());
        let first = found.next();
        // Two of one name: somebody else's is among them.
        if found.next().is_some() { None } else { first.map(Secret::new) }
    }

    /// The header that sets it, for as long as the browser runs.
    pub fn set(self, ctx: &Ctx, value: &Secret<String>) -> Option<HeaderValue> {
        self.header(ctx, value.expose(), "")
    }

    /// The header that removes it.
    pub fn clear(self, ctx: &Ctx) -> Option<HeaderValue> {
        self.header(ctx, "", "; Max-Age=0")
    }

    fn header(self, ctx: &Ctx, value: &str, more: &str) -> Option<HeaderValue> {
        let secure = if is_secure(ctx) { "; Secure" } else { "" };
        let name = self.name(ctx);
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn is_secure(ctx: &Ctx) -> bool {
    ctx.issuer().starts_with("https://")
}

/// The session cookie, if it has the form of one.
pub fn session_token(ctx: &Ctx, headers: &HeaderMap) -> Option<SessionToken> {
    SessionToken::parse(Cookie::Session.read(ctx, headers)?.expose())
}
