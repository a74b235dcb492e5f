//! The authorization response, RFC 6749 §4.1.2, with `iss` (RFC 9207) in every one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::authorize::{AuthorizeError, ResponseTarget};
use crate::secret::Secret;
use crate::wire::WireError;

/// The parameters of an authorization response, in order.
#[derive(Debug)]
pub struct AuthorizationResponse(Vec<(&'static str, String)>);

impl AuthorizationResponse {
    /// Success: the code.
    pub fn code(target: &ResponseTarget, code: &Secret<String>, issuer: &str) -> Self {
        Self::finish(vec![("code", code.expose().clone())], target, issuer)
    }

    /// Refusal, RFC 6749 §4.1.2.1.
    pub fn error(target: &ResponseTarget, error: &AuthorizeError, issuer: &str) -> Self {
        let wire = WireError::from(error);
        let params = vec![
            ("error", wire.code.as_str().to_owned()),
            ("error_description", wire.description.to_owned()),
        ];
        Self::finish(params, target, issuer)
    }

    fn finish(
        mut params: Vec<(&'static str, String)>,
        target: &ResponseTarget,
        issuer: &str,
    ) -> Self {
        if let Some(state) = &target.state {
            params.push(("state", state.clone()));
        }
        // RFC 9207 §2: against mix-up.
        params.push(("iss", issuer.to_owned()));
        Self(params)
    }

    /// The parameters, for a form.
    pub fn params(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// The redirect: what the registered URI's query holds stays as it is.
    pub fn redirect(&self, redirect_uri: &str) -> String {
        with_query(redirect_uri, self.0.iter().map(|(name, value)| (*name, value.as_str())))
    }
}

/// RFC 3986 unreserved characters stay, all else is encoded.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Adds parameters to a URI's query.
pub fn with_query<'a>(uri: &str, params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = uri.to_owned();
    let mut separator = match uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    for (name, value) in params {
        out.push_str(separator);
        out.push_str(name);
        out.push('=');
        out.extend(utf8_percent_encode(value, VALUE));
        separator = "&";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_3_1_2_the_registered_query_is_kept() {
        let add = |uri| with_query(uri, [("a", "1 2&")].into_iter());
        assert_eq!(add("https://c/cb"), "https://c/cb?a=1%202%26");
        assert_eq!(add("https://c/cb?x=1"), "https://c/cb?x=1&a=1%202%26");
        assert_eq!(add("https://c/cb?"), "https://c/cb?a=1%202%26");
        assert_eq!(add("com.example:/cb"), "com.example:/cb?a=1%202%26");
    }
}
