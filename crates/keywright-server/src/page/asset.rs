//! The files that pages refer to, under names that change with their content.

use std::fmt::Write;
use std::sync::LazyLock;

use aws_lc_rs::digest;

/// A static file; its address changes with its content, so it may be cached for ever.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// For `Content-Type`.
    pub content_type: &'static str,
    /// The bytes to send.
    pub body: &'static [u8],
}

/// The asset at an absolute path such as `/assets/keywright-0123456789abcdef.css`.
pub fn asset(path: &str) -> Option<Asset> {
    [&STYLESHEET, &ICON].iter().find(|file| file.url == path).map(|file| file.asset)
}

/// Address of the one stylesheet.
pub fn stylesheet_url() -> &'static str {
    &STYLESHEET.url
}

/// Address of the icon in the browser's tab.
pub fn icon_url() -> &'static str {
    &ICON.url
}

static STYLESHEET: LazyLock<Addressed> = LazyLock::new(|| {
    let body = include_bytes!("../../assets/keywright.css");
    Addressed::new("keywright", "css", Asset { content_type: "text/css; charset=utf-8", body })
});

static ICON: LazyLock<Addressed> = LazyLock::new(|| {
    let body = include_bytes!("../../assets/icon.svg");
    Addressed::new("icon", "svg", Asset { content_type: "image/svg+xml", body })
});

struct Addressed {
    url: String,
    asset: Asset,
}

impl Addressed {
    fn new(name: &str, extension: &str, asset: Asset) -> Self {
        let mut url = format!("/assets/{name}-");
        let hash = digest::digest(&digest::SHA256, asset.body);
        for byte in hash.as_ref().iter().take(HASH_BYTES) {
            write!(url, "{byte:02x}").expect("writing into a string does not fail");
        }
        url.push('.');
        url.push_str(extension);
        Self { url, asset }
    }
}

/// Enough that two versions of a file never share an address; nothing secret hangs on it.
const HASH_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_at_its_address_and_nowhere_else() {
        let style = asset(stylesheet_url()).expect("the stylesheet");
        assert_eq!(style.content_type, "text/css; charset=utf-8");
        assert_eq!(asset(icon_url()).expect("the icon").content_type, "image/svg+xml");
        for near in ["/assets/keywright.css", "/assets/", "", "/assets/../assets/keywright.css"] {
            assert!(asset(near).is_none(), "{near}");
        }
    }

    #[test]
    fn assets_stay_small_and_ask_nobody_for_anything() {
        for url in [stylesheet_url(), icon_url()] {
            let body = std::str::from_utf8(asset(url).unwrap().body).unwrap();
            assert!(body.len() < 8 * 1024, "{url} has {} bytes", body.len());
            assert!(!body.contains("@import") && !body.contains("url("), "{url} fetches");
            assert!(!body.contains("<script"), "{url} runs");
        }
    }
}
