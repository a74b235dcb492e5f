//! base64url without padding (RFC 7515 §2, RFC 4648 §5), strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Text that is not canonical, unpadded base64url.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not canonical unpadded base64url")]
pub struct Base64Error;

/// Encodes bytes.
pub fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes without padding, behind what the text says already.
pub fn base64url_encode_onto(text: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes text, refusing padding, whitespace, the other alphabet and stray trailing bits.
///
/// Each byte string has exactly one spelling, so a token cannot be altered without its bytes
/// being altered.
///
/// ```
/// use keywright_jose::base64url_decode;
/// assert_eq!(base64url_decode("-_8").unwrap(), [0xfb, 0xff]);
/// assert!(base64url_decode("-_9").is_err()); // the same two bytes and a stray bit
/// assert!(base64url_decode("-_8=").is_err());
/// ```
pub fn base64url_decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64Error)
}

/// Appends the encoding of `bytes` to `text`.
pub(crate) fn append(text: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7515_c_example_and_its_neighbours() {
        assert_eq!(base64url_encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(base64url_decode("A-z_4ME").unwrap(), [3, 236, 255, 224, 193]);
        for (bad, why) in [
            ("A-z_4ME=", "padding"),
            ("A-z_4MF", "trailing bits"),
            ("A+z/4ME", "the standard alphabet"),
            (" A-z_4ME", "leading space"),
            ("A-z_\n4ME", "line break"),
            ("A", "a length that no bytes have"),
            ("A-z_4ME\u{e9}", "not ASCII"),
        ] {
            assert_eq!(base64url_decode(bad), Err(Base64Error), "RFC7515-2: {why}");
        }
        assert_eq!(base64url_decode("").unwrap(), Vec::<u8>::new());
    }
}
