//! Bearer tokens on a request, RFC 6750 §2, for userinfo and the administration API.

use crate::wire::RequestError;

/// Finds the bearer token in the header or, where the endpoint allows it, in the form body.
///
/// # Errors
/// `Repeated` when it is sent in two ways, RFC 6750 §2; `Malformed` for an `Authorization` header
/// that is not `Bearer` followed by a token68. None at all is `Ok(None)`: the challenge then
/// carries no error code, RFC 6750 §3.1.
pub fn bearer_token<'a>(
    authorization: Option<&'a str>,
    form_token: Option<&'a str>,
) -> Result<Option<&'a str>, RequestError> {
    let from_header = match authorization {
        None => None,
        Some(header) => Some(parse_header(header)?),
    };
    match (from_header, form_token) {
        (Some(_), Some(_)) => Err(RequestError::Repeated("access_token")),
        (token, None) | (None, token) => Ok(token),
    }
}

fn parse_header(header: &str) -> Result<&str, RequestError> {
    let malformed = RequestError::Malformed("Authorization");
    let (scheme, token) = header.split_once(' ').ok_or(malformed)?;
    let token = token.trim_start_matches(' ');
    let token68 =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let body = token.trim_end_matches('=');
    if !scheme.eq_ignore_ascii_case("bearer") || body.is_empty() || !body.bytes().all(token68) {
        return Err(malformed);
    }
    Ok(token)
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
        for bad in ["Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer a,b", "Bearer =a"] {
            assert!(bearer_token(Some(bad), None).is_err(), "{bad}");
        }
    }
}
