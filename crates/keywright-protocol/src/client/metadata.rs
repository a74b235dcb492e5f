//! Client metadata, RFC 7591 §2 and OpenID Connect Dynamic Client Registration §2.

use keywright_jose::{Algorithm, JwkSet, is_strict_object};
use serde::{Deserialize, Serialize};

use crate::id::ClientId;
use crate::limits::{CLIENT_METADATA_BYTES_MAX, REDIRECT_URIS_MAX};
use crate::redirect_uri::{RedirectUri, origin_of};
use crate::resource::ResourceIndicator;
use crate::scope::ScopeSet;

/// How a client authenticates at the token endpoint, RFC 7591 §2.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// RFC 6749 §2.3.1, by header.
    #[default]
    ClientSecretBasic,
    /// RFC 6749 §2.3.1, in the body.
    ClientSecretPost,
    /// A public client.
    None,
    /// RFC 7523 §2.2.
    PrivateKeyJwt,
}

impl AuthMethod {
    /// All that this server offers, as discovery lists them.
    pub const ALL: [&str; 4] =
        ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

    /// Whether the client has a secret.
    pub const fn uses_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// A grant type that a client may use.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken,
}

impl GrantType {
    /// All that this server offers, as discovery lists them.
    pub const ALL: [&str; 3] = ["authorization_code", "client_credentials", "refresh_token"];
}

/// The response types of RFC 7591 §2 that this server offers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseType {
    /// RFC 6749 §4.1.
    Code,
}

/// When a client gets refresh tokens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshRule {
    /// With every code.
    Always,
    /// With a consented `offline_access`, OpenID Connect Core §11.
    OfflineAccess,
}

/// Whether people are asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// The operator has consented for everybody: a first-party application.
    Implicit,
    /// Each person is asked once.
    Required,
}

/// What a client registers. Unknown members are refused: a typing error must not be lost.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMetadata {
    /// Chosen by the operator; generated otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Where authorization responses go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<RedirectUri>,
    /// How it authenticates.
    #[serde(default)]
    pub token_endpoint_auth_method: AuthMethod,
    /// With which algorithm it signs its assertions; any of its key otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<Algorithm>,
    /// Which grants it uses.
    #[serde(default = "default_grant_types")]
    pub grant_types: Vec<GrantType>,
    /// Which response types it uses.
    #[serde(default = "default_response_types")]
    pub response_types: Vec<ResponseType>,
    /// `web` or `native`, OpenID Connect Registration §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Whom to ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// What it may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// Its public keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// Where its public keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// RFC 7591 §2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// `public` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_type: Option<SubjectType>,
    /// How its ID tokens are signed; OpenID Connect Registration §2 says RS256 by default.
    #[serde(default = "default_id_token_alg")]
    pub id_token_signed_response_alg: Algorithm,
    /// The oldest acceptable sign-in, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether its ID tokens must carry `auth_time`; they always do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_auth_time: Option<bool>,
    /// Where a person may be sent after signing out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// The resources whose tokens it may introspect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywright_introspects: Vec<ResourceIndicator>,
    /// When it gets refresh tokens; with `offline_access` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywright_refresh: Option<RefreshRule>,
    /// Whether people are asked; they are otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywright_consent: Option<ConsentRule>,
    /// Further browser origins that may call the endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywright_origins: Vec<String>,
    /// The channel that it belongs to: web, iOS, Android, POS, partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywright_cohort: Option<String>,
}

/// OpenID Connect Registration §2.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// On a person's device.
    Native,
    /// On a server or in a page.
    Web,
}

/// OpenID Connect Core §8.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same `sub` for every client.
    Public,
}

fn default_grant_types() -> Vec<GrantType> {
    vec![GrantType::AuthorizationCode]
}

fn default_response_types() -> Vec<ResponseType> {
    vec![ResponseType::Code]
}

const fn default_id_token_alg() -> Algorithm {
    Algorithm::Rs256
}

/// The algorithms that this server signs with.
pub const SIGNING_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];

/// Why metadata cannot be registered, RFC 7591 §3.2.2: a code, the field and the reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {field} {reason}")]
pub struct MetadataError {
    /// `invalid_redirect_uri` or `invalid_client_metadata`.
    pub code: &'static str,
    /// The member.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl MetadataError {
    fn new(field: &str, reason: impl Into<String>) -> Self {
        let code = if field == "redirect_uris" {
            "invalid_redirect_uri"
        } else {
            "invalid_client_metadata"
        };
        Self { code, field: field.to_owned(), reason: reason.into() }
    }
}

impl ClientMetadata {
    /// Reads and checks metadata that somebody registers.
    pub fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        if json.len() > CLIENT_METADATA_BYTES_MAX {
            return Err(MetadataError::new("metadata", "is too large"));
        }
        let value: serde_json::Value = serde_json::from_slice(json)
            .map_err(|e| MetadataError::new("metadata", format!("is not JSON: {e}")))?;
        if !is_strict_object(json) {
            let why = "must be an object in which no member is named twice";
            return Err(MetadataError::new("metadata", why));
        }
        check_uris_first(&value)?;
        let metadata: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let reason = error.inner().to_string();
            MetadataError::new(&field_of(&error.path().to_string(), &reason), reason)
        })?;
        metadata.check()?;
        Ok(metadata)
    }

    /// The rules that span several members.
    pub fn check(&self) -> Result<(), MetadataError> {
        if let Some(id) = &self.client_id {
            ClientId::parse(id).map_err(|e| MetadataError::new("client_id", e.to_string()))?;
        }
        self.check_redirects()?;
        self.check_keys()?;
        self.check_algorithms()?;
        self.check_links()
    }

    fn check_redirects(&self) -> Result<(), MetadataError> {
        let uses_code = self.grant_types.contains(&GrantType::AuthorizationCode);
        if uses_code && self.redirect_uris.is_empty() {
            return Err(MetadataError::new("redirect_uris", "is required for authorization_code"));
        }
        if self.redirect_uris.len() > REDIRECT_URIS_MAX {
            return Err(MetadataError::new("redirect_uris", "has too many entries"));
        }
        if self.grant_types.is_empty() {
            return Err(MetadataError::new("grant_types", "must not be empty"));
        }
        let alone = self.token_endpoint_auth_method == AuthMethod::None;
        // RFC 6749 §4.4: client credentials are for confidential clients only.
        if alone && self.grant_types.contains(&GrantType::ClientCredentials) {
            return Err(MetadataError::new(
                "grant_types",
                "client_credentials needs a token_endpoint_auth_method other than none",
            ));
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), MetadataError> {
        // RFC 7591 §2: not both.
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(MetadataError::new("jwks_uri", "must not stand beside jwks"));
        }
        let signs = self.token_endpoint_auth_method == AuthMethod::PrivateKeyJwt;
        if signs && self.jwks.is_none() && self.jwks_uri.is_none() {
            return Err(MetadataError::new("jwks", "or jwks_uri is required for private_key_jwt"));
        }
        match &self.jwks_uri {
            Some(uri) if !is_web_link(uri) => {
                Err(MetadataError::new("jwks_uri", "must be an https address"))
            }
            _ => Ok(()),
        }
    }

    fn check_algorithms(&self) -> Result<(), MetadataError> {
        if !SIGNING_ALGORITHMS.contains(&self.id_token_signed_response_alg) {
            return Err(MetadataError::new("id_token_signed_response_alg", "is not offered"));
        }
        Ok(())
    }

    fn check_links(&self) -> Result<(), MetadataError> {
        let links = [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("tos_uri", &self.tos_uri),
            ("policy_uri", &self.policy_uri),
        ];
        for (field, link) in links {
            if link.as_ref().is_some_and(|uri| !is_web_link(uri)) {
                return Err(MetadataError::new(field, "must be an https address"));
            }
        }
        for origin in &self.keywright_origins {
            if origin_of(origin).as_deref() != Some(origin) {
                return Err(MetadataError::new("keywright_origins", "must be scheme://host:port"));
            }
        }
        Ok(())
    }
}

/// https anywhere, http on loopback only.
fn is_web_link(text: &str) -> bool {
    match origin_of(text) {
        Some(origin) if origin.starts_with("https://") => true,
        Some(_) => RedirectUri::parse(text).is_ok(),
        None => false,
    }
}

/// Names the redirect URI that is wrong: serde would only say that one is.
fn check_uris_first(value: &serde_json::Value) -> Result<(), MetadataError> {
    for field in ["redirect_uris", "post_logout_redirect_uris"] {
        let uris = value.get(field).and_then(serde_json::Value::as_array);
        for uri in uris.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            RedirectUri::parse(uri)
                .map_err(|e| MetadataError::new(field, format!("{uri:?} {e}")))?;
        }
    }
    Ok(())
}

/// The member that is wrong: the first of the path, or the one that nobody knows.
fn field_of(path: &str, reason: &str) -> String {
    let unknown = reason.split('`').nth(1).filter(|_| reason.starts_with("unknown field"));
    let member = path.split(['.', '[']).next().filter(|member| !member.is_empty());
    unknown.or(member).filter(|name| *name != "?").unwrap_or("metadata").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<ClientMetadata, MetadataError> {
        ClientMetadata::parse(json.as_bytes())
    }

    #[test]
    fn rfc7591_2_defaults() {
        let metadata = parse(r#"{"redirect_uris":["https://a.example/cb"]}"#).unwrap();
        assert_eq!(metadata.token_endpoint_auth_method, AuthMethod::ClientSecretBasic);
        assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(metadata.response_types, [ResponseType::Code]);
    }

    #[test]
    fn rfc7591_3_2_2_refusals_name_the_field() {
        for (json, code, field) in [
            (r#"{"redirect_uris":["https://a/#x"]}"#, "invalid_redirect_uri", "redirect_uris"),
            (r#"{"redirect_uris":["http://a/"]}"#, "invalid_redirect_uri", "redirect_uris"),
            (r"{}", "invalid_redirect_uri", "redirect_uris"),
            (
                r#"{"grant_types":["client_credentials"],"redirect_urls":[]}"#,
                "invalid_client_metadata",
                "redirect_urls",
            ),
            (
                r#"{"grant_types":["client_credentials"],"token_endpoint_auth_method":"none"}"#,
                "invalid_client_metadata",
                "grant_types",
            ),
            (
                r#"{"grant_types":["client_credentials"],"token_endpoint_auth_method":"private_key_jwt"}"#,
                "invalid_client_metadata",
                "jwks",
            ),
            (
                r#"{"grant_types":["client_credentials"],"logo_uri":"javascript:alert(1)"}"#,
                "invalid_client_metadata",
                "logo_uri",
            ),
            (r#"{"grant_types":["password"]}"#, "invalid_client_metadata", "grant_types"),
        ] {
            let error = parse(json).unwrap_err();
            assert_eq!((error.code, error.field.as_str()), (code, field), "{json}");
        }
        assert!(parse(r#"{"grant_types":["client_credentials"]}"#).is_ok());
    }
}
