//! A web application that signs people in: the code flow with PKCE, `state`, `nonce` and `iss`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Method, header};
use bytes::Bytes;
use keywright_jose::{Claims, base64url_encode, sha256};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::time::Timestamp;
use keywright_server::App;
use keywright_server::environment::random;

use crate::peer::{ClientCredentials, Grant, Http, KeyCache, Metadata, Tokens, request_token};

/// What the application asks for.
const SCOPE: &str = "openid profile email orders:read";
/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(10);
/// Sign-ins under way at once; the oldest makes room.
const PENDING_MAX: usize = 64;

/// The application.
pub(super) struct SignIn {
    pub(super) app: Arc<App>,
    pub(super) http: Http,
    pub(super) metadata: Metadata,
    pub(super) client: ClientCredentials,
    pub(super) redirect_uri: String,
    pub(super) keys: Arc<KeyCache>,
    pub(super) pending: Mutex<Vec<Pending>>,
}

/// A sign-in that has begun: what its answer must fit.
pub(super) struct Pending {
    browser: String,
    state: String,
    nonce: String,
    verifier: String,
    expires_at: Timestamp,
}

/// Where the browser goes first, and the name by which it is known when it comes back: the same for
/// all its tabs.
pub(super) struct Departure {
    pub(super) location: String,
    pub(super) browser: String,
}

/// A sign-in that has succeeded.
pub(super) struct SignedIn {
    pub(super) id_claims: Claims,
    pub(super) access_token: String,
}

impl SignIn {
    /// Begins: RFC 6749 §4.1.1 with RFC 7636 §4.3.
    pub(super) fn begin(&self, browser: Option<&str>) -> Result<Departure, String> {
        let fresh = || base64url_encode(&random::<32>(&*self.app.environment));
        let browser = browser.map_or_else(fresh, str::to_owned);
        let (state, nonce, verifier) = (fresh(), fresh(), fresh());
        let challenge = base64url_encode(&sha256(verifier.as_bytes()));
        let endpoint = self.metadata.authorization_endpoint.as_deref();
        let endpoint = endpoint.ok_or("the server has no authorization endpoint")?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", self.client.id.as_str()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("scope", SCOPE),
            ("state", state.as_str()),
            ("nonce", nonce.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        let location = format!("{endpoint}?{}", query.finish());
        let expires_at = self.app.now().plus(PATIENCE);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() >= PENDING_MAX {
            pending.remove(0);
        }
        pending.push(Pending { browser: browser.clone(), state, nonce, verifier, expires_at });
        Ok(Departure { location, browser })
    }

    /// Completes: redeems the code and verifies the ID token.
    pub(super) async fn finish(
        &self,
        answer: &[(String, String)],
        browser: Option<&str>,
    ) -> Result<SignedIn, String> {
        let value = |name: &str| answer.iter().find(|(key, _)| key == name).map(|(_, v)| &**v);
        // RFC 9700 §4.7: an answer that this browser did not ask for is somebody else's.
        let asked = value("state").zip(browser);
        let pending = asked.and_then(|(state, browser)| self.take(state, browser));
        let pending = pending.ok_or("this answer belongs to no sign-in of this browser")?;
        // RFC 9207 §2.4.
        if value("iss") != Some(self.metadata.issuer.as_str()) {
            return Err("the answer comes from another issuer".to_owned());
        }
        if let Some(error) = value("error") {
            let description = value("error_description").unwrap_or_default();
            return Err(format!("the server answered {error}: {description}"));
        }
        let code = value("code").ok_or("the answer holds no code")?;
        let tokens = self.redeem(code, &pending.verifier).await?;
        let id_token = tokens.text("id_token").ok_or("the answer has no ID token")?;
        let id_claims = self.verify_id_token(id_token, &pending.nonce).await?;
        Ok(SignedIn { id_claims, access_token: tokens.access_token })
    }

    /// Calls the API with a token, over HTTP like any other caller.
    pub(super) async fn call(&self, url: &str, access_token: &str) -> Result<String, String> {
        let bearer = HeaderValue::from_str(&format!("Bearer {access_token}"));
        let bearer = bearer.map_err(|_| "the token fits into no header".to_owned())?;
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        let answer = self.http.send(Method::GET, url, headers, Bytes::new()).await;
        let answer = answer.map_err(|why| why.to_string())?;
        Ok(format!("{}\n{}", answer.status, answer.text()))
    }

    fn take(&self, state: &str, browser: &str) -> Option<Pending> {
        let now = self.app.now();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|one| one.expires_at > now);
        let at = pending.iter().position(|one| one.state == state && one.browser == browser)?;
        Some(pending.swap_remove(at))
    }

    async fn redeem(&self, code: &str, verifier: &str) -> Result<Tokens, String> {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        let endpoint = &self.metadata.token_endpoint;
        let answer = request_token(&self.http, endpoint, &self.client, &pairs).await;
        match answer.map_err(|why| why.to_string())? {
            Grant::Granted(tokens) => Ok(tokens),
            Grant::Refused { why, .. } => Err(format!("the server refused the code: {why}")),
        }
    }

    /// OpenID Connect Core §3.1.3.7.
    async fn verify_id_token(&self, token: &str, nonce: &str) -> Result<Claims, String> {
        let now = self.app.now();
        let verified = self.keys.verify(token, &SIGNING_ALGORITHMS, now).await;
        let verified = verified.map_err(|why| why.to_string())?;
        let verified = verified.map_err(|why| format!("ID token: {why}"))?;
        let claims = Claims::parse(&verified.payload).map_err(|why| format!("ID token: {why}"))?;
        let wanted = Expected { issuer: &self.metadata.issuer, client: &self.client.id, nonce };
        match wanted.check(&claims, now) {
            Ok(()) => Ok(claims),
            Err(claim) => Err(format!("ID token: {claim} is not what it should be")),
        }
    }
}

/// What an ID token must say.
struct Expected<'a> {
    issuer: &'a str,
    client: &'a str,
    nonce: &'a str,
}

impl Expected<'_> {
    /// The first claim that says something else.
    fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), &'static str> {
        let says = |name: &'static str, want: &str| claims.required_str(name) == Ok(want);
        let expires_s = claims.required_time("exp").map_err(|_| "exp")?;
        for (claim, fits) in [
            ("iss", says("iss", self.issuer)),
            ("aud", claims.audience() == Ok(vec![self.client])),
            ("nonce", says("nonce", self.nonce)),
            ("exp", expires_s > now.as_unix_s()),
        ] {
            if !fits {
                return Err(claim);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"iss":"http://i","aud":"demo-web","nonce":"n","exp":100,"sub":"u"}"#;

    #[test]
    fn oidcc_3_1_3_7_each_claim_counts() {
        let wanted = Expected { issuer: "http://i", client: "demo-web", nonce: "n" };
        let judge = |json: &str| {
            let claims = Claims::parse(json.as_bytes()).unwrap();
            wanted.check(&claims, Timestamp::from_unix_s(99))
        };
        assert_eq!(judge(GOOD), Ok(()), "OIDCC-3.1.3.7");
        for (from, to, claim) in [
            ("http://i", "http://j", "iss"),
            (r#""demo-web""#, r#"["demo-web","other"]"#, "aud"),
            (r#""n""#, r#""m""#, "nonce"),
            ("100", "99", "exp"),
        ] {
            assert_eq!(judge(&GOOD.replacen(from, to, 1)), Err(claim), "OIDCC-3.1.3.7: {claim}");
        }
    }
}
