//! A flow: the request that began it, sealed, bound to one browser, passed from page to page.

use http::HeaderMap;
use keywright_jose::{base64url_decode, base64url_encode, hmac_sha256, sha256};
use keywright_protocol::limits::INTERACTION_LIFETIME;
use keywright_protocol::redirect_uri::origin_of;
use keywright_protocol::secret::Secret;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::{Params, WireError, error::ErrorCode};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::environment::random;
use crate::error::ServerFault;
use crate::interaction::cookie::Cookie;
use crate::router::Ctx;

/// What is sealed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Flow {
    /// The request's parameters, as they came.
    pub query: String,
    /// When it began.
    pub started: Timestamp,
    /// SHA-256 of the browser's cookie.
    browser: [u8; 32],
    /// Which kind of flow: a logout is not an authorization.
    kind: FlowKind,
}

/// What a flow leads to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FlowKind {
    /// A code.
    Authorize,
    /// The end of a session.
    Logout,
}

/// Why a flow cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlowError {
    /// It took too long.
    Expired,
    /// Not sealed here, or in another browser, or the form was not ours.
    Foreign,
}

impl FlowError {
    /// What the person is told.
    pub const fn wire(self) -> WireError {
        match self {
            Self::Expired => WireError::new(
                ErrorCode::InvalidRequest,
                "this page is too old; go back to the application and start again",
            ),
            Self::Foreign => WireError::new(
                ErrorCode::InvalidRequest,
                "this page does not belong to this browser; start again from the application",
            ),
        }
    }
}

/// The browser's own secret: sent since before, or made now.
pub struct Browser {
    secret: Secret<String>,
    /// Whether the response must set the cookie.
    pub is_new: bool,
}

impl Browser {
    /// The browser of a request.
    pub fn of(ctx: &Ctx, headers: &HeaderMap) -> Self {
        match Cookie::Browser.read(ctx, headers).filter(|s| s.expose().len() == 43) {
            Some(secret) => Self { secret, is_new: false },
            None => {
                let fresh = random::<32>(&*ctx.app.environment);
                Self { secret: Secret::new(base64url_encode(&fresh)), is_new: true }
            }
        }
    }

    /// The cookie's value.
    pub const fn secret(&self) -> &Secret<String> {
        &self.secret
    }

    fn hash(&self) -> [u8; 32] {
        sha256(self.secret.expose().as_bytes())
    }
}

impl Flow {
    /// A flow that begins.
    pub fn begin(kind: FlowKind, query: String, browser: &Browser, now: Timestamp) -> Self {
        Self { query, started: now, browser: browser.hash(), kind }
    }

    /// The flow for the address of a page.
    pub fn seal(&self, ctx: &Ctx) -> Result<String, ServerFault> {
        let plain = serde_json::to_vec(self)?;
        let sealed = ctx.tenant.secrets.flow.seal(ctx.issuer().as_bytes(), &plain)?;
        Ok(base64url_encode(&sealed))
    }

    /// Opens a flow of a kind in the browser that began it.
    pub fn open(
        ctx: &Ctx,
        text: &str,
        kind: FlowKind,
        browser: &Browser,
    ) -> Result<Self, FlowError> {
        let foreign = FlowError::Foreign;
        let sealed = base64url_decode(text).map_err(|_| foreign)?;
        let aad = ctx.issuer().as_bytes();
        let plain = ctx.tenant.secrets.flow.open(aad, &sealed).map_err(|_| foreign)?;
        let flow: Self = serde_json::from_slice(&plain).map_err(|_| foreign)?;
        let same_browser = bool::from(flow.browser.ct_eq(&browser.hash()));
        if !same_browser || flow.kind != kind {
            return Err(foreign);
        }
        if flow.started.plus(INTERACTION_LIFETIME) <= ctx.now() {
            return Err(FlowError::Expired);
        }
        Ok(flow)
    }

    /// The request's parameters.
    pub fn params(&self) -> Result<Params, keywright_protocol::wire::RequestError> {
        Params::parse(self.query.as_bytes())
    }
}

/// The token of a form: of this browser, this flow and this page.
pub fn csrf(ctx: &Ctx, browser: &Browser, page: &str, flow: &str) -> String {
    let parts = [browser.secret.expose().as_bytes(), &[0], page.as_bytes(), &[0], flow.as_bytes()];
    base64url_encode(&hmac_sha256(&ctx.tenant.secrets.csrf, &parts.concat()))
}

/// Checks that a posted form is ours: by its token, and by what the browser says of its origin.
pub fn check_csrf(
    ctx: &Ctx,
    headers: &HeaderMap,
    (browser, page): (&Browser, &str),
    params: &Params,
) -> Result<(), FlowError> {
    if comes_from_elsewhere(ctx, headers) {
        return Err(FlowError::Foreign);
    }
    let sent = params.one("csrf").ok().flatten().unwrap_or_default();
    let flow = params.one("flow").ok().flatten().unwrap_or_default();
    let expected = csrf(ctx, browser, page, flow);
    if bool::from(expected.as_bytes().ct_eq(sent.as_bytes())) {
        Ok(())
    } else {
        Err(FlowError::Foreign)
    }
}

/// What Fetch Metadata and `Origin` say; pages without referrer have the origin `null`.
fn comes_from_elsewhere(ctx: &Ctx, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str());
    let site = text("sec-fetch-site");
    let foreign_site = site.is_some_and(|s| !matches!(s, Ok("same-origin" | "none")));
    let own = origin_of(ctx.issuer());
    let origin = text("origin").map(Result::ok);
    let foreign_origin = origin.is_some_and(|o| o != own.as_deref() && o != Some("null"));
    foreign_site || foreign_origin
}
