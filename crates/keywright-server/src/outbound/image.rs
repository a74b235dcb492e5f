//! An image that somebody else made: recognised by its first bytes, never by what it is said to be.

use bytes::Bytes;

use super::OutboundError;

/// An image, bytes: a logo is shown at 48 pixels, and the largest that are common fit.
pub const IMAGE_BYTES_MAX: usize = 128 * 1024;

/// An image that is safe to hand to a browser.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// Its media type: ours, not the one that came with it.
    pub content_type: &'static str,
    /// The image as it came.
    pub bytes: Bytes,
}

impl Image {
    /// Takes the kinds that are pixels and nothing else. SVG is none of them: it can hold scripts.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Self, OutboundError> {
        let content_type = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            _ => return Err(OutboundError::Image),
        };
        Ok(Self { content_type, bytes: Bytes::from(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_images() {
        let good: [(&[u8], &str); 5] = [
            (b"\x89PNG\r\n\x1a\n....", "image/png"),
            (b"\xff\xd8\xff\xe0..JFIF", "image/jpeg"),
            (b"GIF87a..", "image/gif"),
            (b"GIF89a..", "image/gif"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        ];
        for (bytes, content_type) in good {
            let image = Image::parse(bytes.to_vec()).expect(content_type);
            assert_eq!((image.content_type, &image.bytes[..]), (content_type, bytes));
        }
        let bad: [&[u8]; 10] = [
            b"",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"<!DOCTYPE html><title>x</title>",
            b" \x89PNG\r\n\x1a\n",
            b"\x89PNG\n\x1a\n",
            b"GIF88a..",
            b"RIFF\x10\0\0\0WAVEfmt ",
            b"BM......",
            b"%PDF-1.7",
        ];
        for bytes in bad {
            let refused = Image::parse(bytes.to_vec());
            assert!(matches!(refused, Err(OutboundError::Image)), "{:?}", bytes.escape_ascii());
        }
    }
}
