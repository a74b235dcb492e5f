//! Bearer tokens on a request, RFC 6750 §2, for userinfo and the administration API.

use crate::wire::RequestError;

/// Finds the bearer token in the header or, where the endpoint allows it, in the form body.
///
/// # Errors
/// `Repeated` when it is sent in two ways, RFC 6750 §2; `Malformed` for `Bearer` without a token.
/// None at all, or another scheme, is `Ok(None)`: the challenge then carries no error code,
/// RFC 6750 §3.1. What is no token68 is a token that cannot be valid, and is judged as one.
pub fn bearer_token<'a>(
    authorization: Option<&'a str>,
    form_token: Option<&'a str>,
) -> Result<Option<&'a str>, RequestError> {
    let from_header = match authorization {
        None => None,
        Some(header) => parse_header(header)?,
    };
    match (from_header, form_token) {
        (Some(_), Some(_)) => Err(RequestError::Repeated("access_token")),
        (token, None) | (None, token) => Ok(token),
    }
}

fn parse_header(header: &str) -> Result<Option<&str>, RequestError> {
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    match token.trim_matches(' ') {
        "" => Err(RequestError::Malformed("Authorization")),
        token => Ok(Some(token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6750_2_one_place() {
        assert_eq!(bearer_token(Some("Bearer abc"), None), Ok(Some("abc")));
        assert_eq!(bearer_token(Some("bearer  abc=="), None), Ok(Some("abc==")));
        assert_eq!(bearer_token(None, Some("abc")), Ok(Some("abc")));
        assert_eq!(bearer_token(None, None), Ok(None));
        assert!(bearer_token(Some("Bearer abc"), Some("abc")).is_err());
        assert_eq!(bearer_token(Some("Basic abc"), None), Ok(None));
        assert_eq!(bearer_token(Some("Bearer {\"a\":1}"), None), Ok(Some("{\"a\":1}")));
        for bad in ["Bearer", "Bearer ", "bearer  "] {
            assert!(bearer_token(Some(bad), None).is_err(), "{bad}");
        }
    }
}
