//! Values for tests.

use std::sync::Arc;

use crate::authorize::pkce::{CodeChallenge, CodeVerifier};
use crate::client::{Client, ClientMetadata, StoredSecret};
use crate::grant::authorization_code::{CodeState, StoredCode};
use crate::grant::refresh_token::{FamilyOrigin, StoredFamily};
use crate::id::{ClientId, FamilyId, GrantId, SessionId, Subject, TenantId};
use crate::resource::{ProtectedResource, ResourceCatalog};
use crate::scope::ScopeSet;
use crate::session::Authentication;
use crate::time::Timestamp;
use crate::token::{GenerationKey, RefreshToken};

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const REDIRECT: &str = "https://web.example/cb";

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(seconds)
}

pub(crate) fn scopes(text: &str) -> ScopeSet {
    ScopeSet::try_from(text.to_owned()).unwrap()
}

pub(crate) fn verifier() -> CodeVerifier {
    CodeVerifier::parse(VERIFIER).unwrap()
}

/// A client with metadata; confidential ones have the secret `s3cret`.
pub(crate) fn client(id: &str, metadata: &str) -> Arc<Client> {
    let secret = StoredSecret {
        sha256: keywright_jose::sha256(b"s3cret"),
        created_at: at(0),
        expires_at: None,
    };
    Arc::new(Client {
        tenant: TenantId::default_tenant(),
        id: ClientId::from_trusted(id),
        metadata: ClientMetadata::parse(metadata.as_bytes()).unwrap(),
        secrets: vec![secret],
        disabled: false,
        not_before: at(0),
        created_at: at(0),
    })
}

pub(crate) fn web_client() -> Arc<Client> {
    client(
        "web",
        r#"{"redirect_uris":["https://web.example/cb"],
            "grant_types":["authorization_code","refresh_token"],
            "scope":"openid offline_access profile orders:read orders:write"}"#,
    )
}

pub(crate) fn catalog() -> ResourceCatalog {
    let resource: ProtectedResource = serde_json::from_str(
        r#"{"identifier":"https://api.example",
            "scopes":[{"name":"orders:read"},{"name":"orders:write"}]}"#,
    )
    .unwrap();
    ResourceCatalog::new(vec![resource])
}

pub(crate) fn code() -> StoredCode {
    StoredCode {
        client: ClientId::from_trusted("web"),
        sub: Subject::from_trusted("user_a"),
        session: SessionId::from_trusted("session_a"),
        grant: GrantId::from_trusted("grant_a"),
        scope: scopes("openid offline_access orders:read"),
        resources: Vec::new(),
        redirect_uri: REDIRECT.to_owned(),
        challenge: Some(CodeChallenge::parse(CHALLENGE).unwrap()),
        nonce: Some("n".to_owned()),
        authentication: Authentication::by_password(at(90)),
        created_at: at(100),
        expires_at: at(160),
        state: CodeState::Issued,
    }
}

pub(crate) fn refresh_token(generation: u8) -> RefreshToken {
    let key = GenerationKey::from_bytes([9; 32]);
    let first = RefreshToken::start([1; 16], [0; 32], &key);
    first.child([generation; 32], generation.into(), &key)
}

pub(crate) fn family() -> StoredFamily {
    StoredFamily {
        id: FamilyId::of_handle(&[1; 16]),
        origin: FamilyOrigin {
            client: ClientId::from_trusted("web"),
            sub: Subject::from_trusted("user_a"),
            grant: GrantId::from_trusted("grant_a"),
            session: SessionId::from_trusted("session_a"),
            offline: true,
            scope: scopes("openid offline_access orders:read"),
            resources: Vec::new(),
            authentication: Authentication::by_password(at(90)),
            created_at: at(100),
        },
        current: refresh_token(1).hash(),
        parent: Some(refresh_token(0).hash()),
        sealed_child: Some(vec![1]),
        generation: 1,
        rotated_at: at(200),
        idle_expires_at: at(1000),
        absolute_expires_at: at(2000),
        revoked: false,
        restored: false,
    }
}
