//! The metadata document, RFC 8414 §2 and OpenID Connect Discovery §3: true by construction.

use serde_json::{Value, json};

use crate::claims::userinfo::supported_claims;
use crate::client::assertion::ASSERTION_ALGORITHMS;
use crate::client::metadata::{AuthMethod, GrantType, SIGNING_ALGORITHMS};
use crate::resource::ResourceCatalog;
use crate::scope::IDENTITY_SCOPES;
use crate::session::ACR_PASSWORD;

/// The document of an issuer; both well-known paths serve the same one.
pub fn metadata(issuer: &str, catalog: &ResourceCatalog) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let api_scopes = catalog.iter().flat_map(|r| r.scopes.iter().map(|s| s.name.as_str()));
    let mut scopes: Vec<&str> = IDENTITY_SCOPES.into_iter().chain(api_scopes).collect();
    scopes.dedup();
    let resources: Vec<&str> = catalog.iter().map(|r| r.identifier.as_str()).collect();
    let confidential: Vec<&str> = AuthMethod::ALL.into_iter().filter(|m| *m != "none").collect();
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/jwks"),
        "userinfo_endpoint": at("/userinfo"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "revocations_endpoint": at("/revocations"),
        "end_session_endpoint": at("/logout"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": GrantType::ALL,
        "subject_types_supported": ["public"],
        "acr_values_supported": [ACR_PASSWORD],
        "id_token_signing_alg_values_supported": SIGNING_ALGORITHMS,
        "token_endpoint_auth_methods_supported": AuthMethod::ALL,
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": AuthMethod::ALL,
        "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "claim_types_supported": ["normal"],
        "claims_supported": supported_claims().collect::<Vec<_>>(),
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "ui_locales_supported": ["en", "de", "es", "fr"],
        "protected_resources": resources,
        "display_values_supported": ["page"],
    })
}
