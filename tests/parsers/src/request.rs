//! Requests: forms and queries.

use std::sync::LazyLock;

use keywright_protocol::authorize::checks::{Entry, GridContext, Hint, check};
use keywright_protocol::authorize::request::Refusal;
use keywright_protocol::client::{Client, ClientMetadata, Credentials};
use keywright_protocol::id::{ClientId, TenantId};
use keywright_protocol::limits::RESOURCES_MAX;
use keywright_protocol::profile::Profile;
use keywright_protocol::resource::ResourceCatalog;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::Params;
use keywright_protocol::wire::token::{GrantRequest, TokenRequest};

use crate::Verdict;

const CLIENT: &str = r#"{
    "redirect_uris": ["https://app.example.com/callback", "http://127.0.0.1/done"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "openid profile offline_access orders:read"
}"#;
const RESOURCES: &str = r#"[{ "identifier": "https://api.example.com",
    "scopes": [{ "name": "orders:read" }, { "name": "orders:write" }] }]"#;

/// The only client, `c`, and the only resource.
static WORLD: LazyLock<(Client, ResourceCatalog)> = LazyLock::new(|| {
    let metadata = ClientMetadata::parse(CLIENT.as_bytes()).expect("good metadata");
    let client = Client {
        tenant: TenantId::default_tenant(),
        id: ClientId::parse("c").expect("a good id"),
        metadata,
        secrets: Vec::new(),
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: Timestamp::from_millis(0),
    };
    let resources = serde_json::from_str(RESOURCES).expect("good resources");
    (client, ResourceCatalog::new(resources))
});

const NAMES: [&str; 8] =
    ["a", "client_id", "code", "flow", "redirect_uri", "resource", "scope", "state"];

/// A form or a query (RFC 6749 appendix B).
pub fn params(input: &[u8]) -> Verdict {
    let parsed = Params::parse(input);
    let page = Params::parse_page(input);
    assert!(parsed.is_err() || page.is_ok(), "a page has more room, never less");
    let Ok(parsed) = parsed else { return Verdict::Refused };
    for name in NAMES {
        let values: Vec<&str> = parsed.all(name).collect();
        for value in &values {
            assert!(!value.is_empty() && !value.chars().any(char::is_control), "{name}");
        }
        match parsed.one(name) {
            Ok(Some(value)) => assert_eq!(values, [value], "the one value is all of them"),
            Ok(None) => assert!(values.is_empty(), "{name} is absent"),
            Err(_) => assert!(parsed.refuse_repeats(&[]).is_err(), "repeated is repeated"),
        }
    }
    Verdict::Accepted
}

/// An authorization request through the whole grid (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).
pub fn authorization_request(input: &[u8]) -> Verdict {
    let Ok(params) = Params::parse(input) else { return Verdict::Refused };
    let (client, catalog) = &*WORLD;
    let named = params.one("client_id").ok().flatten().is_some_and(|id| id == client.id.as_str());
    let registered = |uri: &str| client.metadata.redirect_uris.iter().any(|own| own.matches(uri));
    let mut verdict = Verdict::Refused;
    for entry in [Entry::Authorize, Entry::Resume] {
        let context = GridContext {
            client: named.then_some(client),
            profile: Profile::Oauth21,
            catalog,
            hint: &Hint::Absent,
        };
        match check(&params, &context, entry) {
            Ok(request) => {
                assert!(named && request.client == client.id, "nobody else's request");
                assert!(registered(&request.target.redirect_uri), "RFC9700-4.1.3");
                assert!(request.challenge.is_some(), "RFC9700-2.1.1: PKCE");
                assert!(request.scope.is_subset_of(&client.allowed_scope()), "RFC6749-3.3");
                assert!(request.resources.len() <= RESOURCES_MAX);
                verdict = Verdict::Accepted;
            }
            // RFC 6749 §4.1.2.1: only a proven address is sent anything.
            Err(Refusal::Redirect(target, _)) => {
                assert!(named && registered(&target.redirect_uri), "no open redirector");
            }
            Err(Refusal::Withheld(request, _)) => {
                assert!(named && registered(&request.target.redirect_uri), "no open redirector");
            }
            Err(Refusal::Page(_)) => {}
        }
    }
    verdict
}

/// A token request: the `Authorization` header in the first line if there are two, then the form.
pub fn token_request(input: &[u8]) -> Verdict {
    let (header, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (input.get(..end), input.get(end + 1..).unwrap_or_default()),
        None => (None, input),
    };
    let header = header.and_then(|header| std::str::from_utf8(header).ok());
    let Ok(params) = Params::parse(body) else { return Verdict::Refused };
    let Ok(credentials) = Credentials::parse(header, &params) else { return Verdict::Refused };
    let id = credentials.client().as_str().to_owned();
    assert!(ClientId::parse(&id).is_ok(), "RFC6749-2.2");
    let named = params.one("client_id").ok().flatten();
    assert!(named.is_none_or(|named| named == id), "one client a request");
    let Ok(request) = TokenRequest::parse(&params, credentials) else { return Verdict::Refused };
    assert!(params.refuse_repeats(&["resource"]).is_ok(), "RFC6749-3.2");
    assert!(request.resources.len() <= RESOURCES_MAX);
    let sent = params.one("grant_type").ok().flatten();
    match request.grant {
        GrantRequest::Unsupported => {}
        known => assert_eq!(sent, Some(known.name()), "the grant that was asked for"),
    }
    Verdict::Accepted
}
