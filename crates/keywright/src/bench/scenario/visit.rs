//! What a browser does with addresses: resolve them, stay with one server, ask for pages.

use ::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, ORIGIN};
use ::http::{HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::Full;

use crate::bench::http::Failure;

pub(super) fn get(to: Uri, cookies: Option<HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = to;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("text/html"));
    headers.extend(cookies.map(|cookies| (COOKIE, cookies)));
    request
}

/// A form as a page of the same server sends it.
pub(super) fn post(
    to: Uri,
    cookies: Option<HeaderValue>,
    pairs: &[(String, String)],
) -> Request<Full<Bytes>> {
    let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let origin = HeaderValue::from_str(&origin(&to));
    let mut request = get(to, cookies);
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    let encoded = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, encoded);
    headers.extend(origin.ok().map(|origin| (ORIGIN, origin)));
    *request.body_mut() = Full::new(Bytes::from(body));
    request
}

/// An address on a page or in a `Location` (RFC 3986 §5.2), as far as it stays with the server:
/// cookies and passwords are for nobody else.
pub(super) fn resolve(base: &Uri, reference: &str) -> Result<Uri, Failure> {
    let reference = reference.split('#').next().unwrap_or_default();
    let absolute = if reference.contains("://") {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{}:{reference}", base.scheme_str().unwrap_or_default())
    } else {
        let path = base.path();
        let folder = path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or("/");
        let target = match reference.chars().next() {
            None => base.path_and_query().map_or(path, |whole| whole.as_str()).to_owned(),
            Some('/') => reference.to_owned(),
            Some('?') => format!("{path}{reference}"),
            Some(_) => format!("{folder}{reference}"),
        };
        format!("{}{target}", origin(base))
    };
    let uri: Uri = absolute.parse().map_err(|_| Failure::Malformed("an address"))?;
    if (uri.scheme(), uri.authority()) != (base.scheme(), base.authority()) {
        return Err(Failure::Malformed("a redirect to somebody else"));
    }
    Ok(uri)
}

/// The parameters of an answer to the client, if the address is its redirect URI.
pub(super) fn parameters_of(location: &str, redirect_uri: &str) -> Option<Vec<(String, String)>> {
    let rest = location.strip_prefix(redirect_uri)?;
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    let query = if rest.is_empty() { "" } else { rest.strip_prefix(joint)? };
    let query = query.split('#').next().unwrap_or_default();
    Some(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

/// An endpoint may have a query of its own (RFC 6749 §3.1).
pub(super) fn with_query(endpoint: &Uri, query: &str) -> Result<Uri, Failure> {
    let joint = if endpoint.query().is_some() { '&' } else { '?' };
    format!("{endpoint}{joint}{query}").parse().map_err(|_| Failure::Malformed("an address"))
}

fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", uri.scheme_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_resolve_and_stay_with_the_server() {
        let base = Uri::from_static("https://a.example/t/one/login?x=1");
        for (reference, want) in [
            ("", "https://a.example/t/one/login?x=1"),
            ("/consent?y=2#z", "https://a.example/consent?y=2"),
            ("?y=2", "https://a.example/t/one/login?y=2"),
            ("consent", "https://a.example/t/one/consent"),
            ("//a.example/b", "https://a.example/b"),
            ("https://a.example/b", "https://a.example/b"),
        ] {
            assert_eq!(resolve(&base, reference).unwrap(), want, "RFC3986-5.2: {reference}");
        }
        for away in
            ["https://b.example/", "http://a.example/", "//b.example", "https://a.example:1/"]
        {
            assert!(resolve(&base, away).is_err(), "{away}");
        }
    }

    #[test]
    fn an_answer_is_known_by_the_redirect_uri() {
        let code = vec![("code".to_owned(), "a b".to_owned())];
        for (location, redirect_uri, want) in [
            ("https://c.example/cb?code=a+b", "https://c.example/cb", Some(code.clone())),
            ("https://c.example/cb?k=1&code=a%20b#_", "https://c.example/cb?k=1", Some(code)),
            ("https://c.example/cb", "https://c.example/cb", Some(Vec::new())),
            ("https://c.example/cbx?code=a", "https://c.example/cb", None),
            ("https://c.example/c?code=a", "https://c.example/cb", None),
        ] {
            assert_eq!(parameters_of(location, redirect_uri), want, "{location}");
        }
    }

    #[test]
    fn an_endpoint_keeps_its_own_query() {
        let plain = Uri::from_static("https://a.example/authorize");
        assert_eq!(with_query(&plain, "a=1").unwrap(), "https://a.example/authorize?a=1");
        let own = Uri::from_static("https://a.example/authorize?p=x");
        let want = "https://a.example/authorize?p=x&a=1";
        assert_eq!(with_query(&own, "a=1").unwrap(), want, "RFC6749-3.1");
    }
}
