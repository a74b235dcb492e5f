//! What is registered.

use keywright_protocol::client::ClientMetadata;
use keywright_protocol::redirect_uri::RedirectUri;

use crate::Verdict;

/// A redirect URI (RFC 6749 §3.1.2, RFC 8252).
pub fn redirect_uri(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Verdict::Refused };
    let Ok(uri) = RedirectUri::parse(text) else { return Verdict::Refused };
    assert_eq!(uri.as_str(), text, "never normalised");
    assert!(uri.matches(text), "it is itself");
    assert!(!text.contains('#'), "RFC6749-3.1.2: no fragment");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "RFC3986-2");
    let scheme = text.split(':').next().unwrap_or_default();
    assert!(scheme == "https" || scheme == "http" || scheme.contains('.'), "RFC8252-7.1: {scheme}");
    // RFC 3986 §3: an authority stands right after the scheme or nowhere.
    let rest = text.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//"));
    let authority = rest.unwrap_or_default().split(['/', '?']).next().unwrap_or_default();
    assert!(!authority.contains('@'), "no user information");
    // RFC 9700 §2.1: nothing that is longer, shorter or beside it.
    for other in [
        format!("{text}/x"),
        format!("{text}.evil.example"),
        format!("{text}@evil.example"),
        format!(" {text}"),
        text.to_ascii_uppercase(),
        text.strip_suffix(|_: char| true).unwrap_or_default().to_owned(),
    ] {
        let port = is_port_beside(text, &other);
        assert!(other == text || port || !uri.matches(&other), "RFC9700-2.1: {other}");
    }
    if let Some(origin) = uri.origin() {
        assert!(text.starts_with("http"), "{origin}");
        assert!(!origin.trim_start_matches("https://").contains("//evil"), "{origin}");
    }
    Verdict::Accepted
}

/// RFC 8252 §7.3: on a loopback literal, however it is spelt, the port may differ, so an address
/// that lost the end of its port may still match. Plain http is for loopback only.
fn is_port_beside(registered: &str, other: &str) -> bool {
    let literal = registered.starts_with("http://") && !registered.starts_with("http://localhost");
    literal && registered.starts_with(other)
}

/// Client metadata (RFC 7591 §2).
pub fn client_metadata(input: &[u8]) -> Verdict {
    let metadata = match ClientMetadata::parse(input) {
        Ok(metadata) => metadata,
        Err(refused) => {
            assert!(
                matches!(refused.code, "invalid_redirect_uri" | "invalid_client_metadata"),
                "RFC7591-3.2.2: {}",
                refused.code
            );
            return Verdict::Refused;
        }
    };
    assert!(metadata.check().is_ok(), "what is accepted is checked");
    let written = serde_json::to_vec(&metadata).expect("metadata is JSON");
    let again = ClientMetadata::parse(&written).expect("what is written can be read");
    assert_eq!(again, metadata, "and is the same");
    Verdict::Accepted
}
