//! Client authentication, RFC 6749 §2.3: credentials and a stored client become a proof.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keywright_jose::{VerifyingKeys, sha256};
use subtle::ConstantTimeEq;

use crate::audit::OneTime;
use crate::client::assertion::{self, UnverifiedAssertion};
use crate::client::{AuthMethod, Client};
use crate::id::ClientId;
use crate::limits::{ASSERTION_BYTES_MAX, CLIENT_SECRET_BYTES_MAX};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::wire::parse::form_decode;
use crate::wire::{Params, RequestError};

/// What a client presented to prove itself: one method, or none.
#[derive(Debug)]
pub enum Credentials {
    /// A signed assertion, RFC 7523 §2.2.
    Assertion {
        /// Whom it claims to be.
        client: ClientId,
        /// The assertion.
        unverified: UnverifiedAssertion,
    },
    /// A public client names itself.
    Public(ClientId),
    /// `Authorization: Basic`.
    SecretBasic(ClientId, Secret<String>),
    /// `client_secret` in the body.
    SecretPost(ClientId, Secret<String>),
}

/// Why a client is not authenticated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClientAuthError {
    /// RFC 7523 §3; the reason is for the operator.
    #[error("the assertion is refused: {0}")]
    AssertionInvalid(&'static str),
    /// The operator switched it off.
    #[error("the client is disabled")]
    Disabled,
    /// The credentials cannot be read.
    #[error("malformed credentials: {0}")]
    Malformed(#[from] RequestError),
    /// Nothing was presented.
    #[error("no credentials were presented")]
    NoCredentials,
    /// RFC 6749 §2.3.
    #[error("several authentication methods were used")]
    SeveralMethods,
    /// No such client.
    #[error("no such client")]
    UnknownClient,
    /// Not the method that the client registered.
    #[error("not the registered authentication method")]
    WrongMethod,
    /// No live secret matches.
    #[error("the secret is wrong or expired")]
    WrongSecret,
}

impl Credentials {
    /// Reads the `Authorization` header and the body.
    pub fn parse(header: Option<&str>, params: &Params) -> Result<Self, ClientAuthError> {
        let secret = params.one("client_secret")?;
        let assertion = params.one("client_assertion")?;
        let methods = [header.is_some(), secret.is_some(), assertion.is_some()]
            .iter()
            .filter(|m| **m)
            .count();
        if methods > 1 {
            return Err(ClientAuthError::SeveralMethods);
        }
        let named = params.one("client_id")?.map(ClientId::parse).transpose()?;
        if let Some(header) = header {
            return parse_basic(header, named.as_ref());
        }
        if let Some(assertion) = assertion {
            return parse_assertion(assertion, params, named.as_ref());
        }
        let client = named.ok_or(ClientAuthError::NoCredentials)?;
        Ok(match secret {
            Some(secret) => Self::SecretPost(client, checked_secret(secret)?),
            None => Self::Public(client),
        })
    }

    /// Whom the credentials claim to be.
    pub const fn client(&self) -> &ClientId {
        match self {
            Self::Assertion { client, .. }
            | Self::Public(client)
            | Self::SecretBasic(client, _)
            | Self::SecretPost(client, _) => client,
        }
    }

    /// The method's name, for the audit log.
    pub const fn method(&self) -> AuthMethod {
        match self {
            Self::Assertion { .. } => AuthMethod::PrivateKeyJwt,
            Self::Public(_) => AuthMethod::None,
            Self::SecretBasic(..) => AuthMethod::ClientSecretBasic,
            Self::SecretPost(..) => AuthMethod::ClientSecretPost,
        }
    }
}

fn checked_secret(secret: &str) -> Result<Secret<String>, RequestError> {
    if secret.len() > CLIENT_SECRET_BYTES_MAX {
        return Err(RequestError::TooLarge("client_secret"));
    }
    Ok(Secret::new(secret.to_owned()))
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined and base64-encoded.
fn parse_basic(header: &str, named: Option<&ClientId>) -> Result<Credentials, ClientAuthError> {
    let malformed = RequestError::Malformed("Authorization");
    let (scheme, encoded) = header.split_once(' ').ok_or(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed.into());
    }
    let decoded = Secret::new(STANDARD.decode(encoded.trim()).map_err(|_| malformed)?);
    let text = std::str::from_utf8(decoded.expose()).map_err(|_| malformed)?;
    let (id, secret) = text.split_once(':').ok_or(malformed)?;
    let client = ClientId::parse(&form_decode(id).map_err(|_| malformed)?)?;
    if named.is_some_and(|named| *named != client) {
        return Err(ClientAuthError::SeveralMethods);
    }
    let secret = form_decode(secret).map_err(|_| malformed)?;
    Ok(Credentials::SecretBasic(client, checked_secret(&secret)?))
}

fn parse_assertion(
    assertion: &str,
    params: &Params,
    named: Option<&ClientId>,
) -> Result<Credentials, ClientAuthError> {
    if params.one("client_assertion_type")? != Some(assertion::ASSERTION_TYPE) {
        return Err(RequestError::Malformed("client_assertion_type").into());
    }
    if assertion.len() > ASSERTION_BYTES_MAX {
        return Err(RequestError::TooLarge("client_assertion").into());
    }
    // RFC 7521 §4.2.1: whatever is wrong with an assertion is invalid_client.
    let malformed = |_| ClientAuthError::AssertionInvalid("the assertion is malformed");
    let unverified = UnverifiedAssertion::parse(assertion).map_err(malformed)?;
    let client = unverified.claimed_client().map_err(malformed)?;
    if named.is_some_and(|named| *named != client) {
        return Err(ClientAuthError::AssertionInvalid("client_id is not the assertion's subject"));
    }
    Ok(Credentials::Assertion { client, unverified })
}

/// A client that has proven who it is; only [`authenticate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
    once: Option<OneTime>,
}

impl AuthenticatedClient {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the commit must mark as used: the assertion's `jti`.
    pub const fn once(&self) -> Option<&OneTime> {
        self.once.as_ref()
    }
}

/// What an assertion is checked against.
#[derive(Clone, Copy, Debug)]
pub struct AssertionContext<'a> {
    /// The only acceptable audience, RFC 7523bis §4: the issuer as one string.
    pub issuer: &'a str,
    /// The client's keys.
    pub keys: &'a VerifyingKeys,
}

/// The checks of client authentication, in order, for `explain`.
pub const CHECKS: [&str; 4] =
    ["client is known", "client is enabled", "registered method", "client credential"];

impl ClientAuthError {
    /// RFC 7523 §3: an assertion is used once. Only the store can tell, at the commit.
    pub const ASSERTION_REPLAYED: Self = Self::AssertionInvalid("the assertion was used before");

    /// Which of [`CHECKS`] failed.
    pub const fn check(&self) -> &'static str {
        match self {
            Self::UnknownClient | Self::NoCredentials | Self::Malformed(_) => CHECKS[0],
            Self::Disabled => CHECKS[1],
            Self::SeveralMethods | Self::WrongMethod => CHECKS[2],
            Self::AssertionInvalid(_) | Self::WrongSecret => CHECKS[3],
        }
    }
}

/// Proves a client by its credentials.
pub fn authenticate(
    credentials: &Credentials,
    client: Option<Arc<Client>>,
    context: AssertionContext<'_>,
    now: Timestamp,
) -> Result<AuthenticatedClient, ClientAuthError> {
    let client = client.ok_or(ClientAuthError::UnknownClient)?;
    if client.disabled {
        return Err(ClientAuthError::Disabled);
    }
    if credentials.method() != client.metadata.token_endpoint_auth_method {
        return Err(ClientAuthError::WrongMethod);
    }
    let once = match credentials {
        Credentials::Public(_) => None,
        Credentials::SecretBasic(_, secret) | Credentials::SecretPost(_, secret) => {
            check_secret(&client, secret, now)?;
            None
        }
        Credentials::Assertion { unverified, .. } => {
            Some(assertion::verify(unverified, &client, context, now)?)
        }
    };
    Ok(AuthenticatedClient { client, once })
}

fn check_secret(
    client: &Client,
    secret: &Secret<String>,
    now: Timestamp,
) -> Result<(), ClientAuthError> {
    let presented = sha256(secret.expose().as_bytes());
    let live = client.secrets.iter().filter(|s| s.expires_at.is_none_or(|end| end > now));
    let matches = live.fold(0, |found, s| found | s.sha256.ct_eq(&presented).unwrap_u8());
    if matches == 1 { Ok(()) } else { Err(ClientAuthError::WrongSecret) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::StoredSecret;
    use crate::fixture::{at, client};

    fn parse(header: Option<&str>, body: &str) -> Result<Credentials, ClientAuthError> {
        Credentials::parse(header, &Params::parse(body.as_bytes()).unwrap())
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn rfc6749_2_3_one_method() {
        let header = basic("web:s3cret");
        assert!(matches!(parse(Some(&header), ""), Ok(Credentials::SecretBasic(..))));
        assert!(matches!(parse(Some(&header), "client_id=web"), Ok(Credentials::SecretBasic(..))));
        let body = "client_id=web&client_secret=s3cret";
        assert!(matches!(parse(None, body), Ok(Credentials::SecretPost(..))));
        assert!(matches!(parse(None, "client_id=web"), Ok(Credentials::Public(_))));
        for (header, body) in [
            (Some(header.as_str()), "client_secret=s3cret"),
            (Some(header.as_str()), "client_id=other"),
            (None, "client_id=web&client_secret=x&client_assertion=y"),
        ] {
            assert_eq!(parse(header, body).err(), Some(ClientAuthError::SeveralMethods), "{body}");
        }
        assert_eq!(parse(None, "").err(), Some(ClientAuthError::NoCredentials));
    }

    #[test]
    fn rfc6749_2_3_1_halves_are_form_encoded() {
        let header = basic("web:a%3Ab%2B+c");
        let Ok(Credentials::SecretBasic(id, secret)) = parse(Some(&header), "") else { panic!() };
        assert_eq!((id.as_str(), secret.expose().as_str()), ("web", "a:b+ c"));
        for bad in ["Basic !", "Basic", "Bearer x", &basic("nocolon"), &basic("a%zz:b")] {
            assert!(parse(Some(bad), "").is_err(), "{bad}");
        }
    }

    fn verdict(
        client: &Arc<Client>,
        credentials: &Credentials,
        now_s: i64,
    ) -> Option<ClientAuthError> {
        let keys = VerifyingKeys::new(&keywright_jose::JwkSet::new(Vec::new()));
        let context = AssertionContext { issuer: "https://as.example", keys: &keys };
        authenticate(credentials, Some(Arc::clone(client)), context, at(now_s)).err()
    }

    #[test]
    fn rfc6749_2_3_1_secrets_live_side_by_side_and_end() {
        let metadata = r#"{"grant_types":["client_credentials"]}"#;
        let mut stored = Client::clone(&client("web", metadata));
        stored.secrets.insert(
            0,
            StoredSecret { sha256: sha256(b"old"), created_at: at(0), expires_at: Some(at(100)) },
        );
        let stored = Arc::new(stored);
        let with = |secret: &str| parse(Some(&basic(&format!("web:{secret}"))), "").unwrap();
        assert_eq!(verdict(&stored, &with("s3cret"), 99), None);
        assert_eq!(verdict(&stored, &with("old"), 99), None);
        assert_eq!(verdict(&stored, &with("old"), 100), Some(ClientAuthError::WrongSecret));
        assert_eq!(verdict(&stored, &with("wrong"), 99), Some(ClientAuthError::WrongSecret));
        let post = parse(None, "client_id=web&client_secret=s3cret").unwrap();
        assert_eq!(verdict(&stored, &post, 99), Some(ClientAuthError::WrongMethod));
        let mut disabled = Client::clone(&stored);
        disabled.disabled = true;
        let disabled = Arc::new(disabled);
        assert_eq!(verdict(&disabled, &with("s3cret"), 99), Some(ClientAuthError::Disabled));
    }
}
