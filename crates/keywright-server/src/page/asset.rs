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
    ADDRESSED.iter().find(|(url, _)| url == path).map(|(_, asset)| *asset)
}

/// Address of the one stylesheet.
pub fn stylesheet_url() -> &'static str {
    &ADDRESSED[0].0
}

/// Address of the icon in the browser's tab.
pub fn icon_url() -> &'static str {
    &ADDRESSED[1].0
}

static ADDRESSED: LazyLock<[(String, Asset); 2]> = LazyLock::new(|| {
    let style = include_bytes!("../../assets/keywright.css");
    let icon = include_bytes!("../../assets/icon.svg");
    [
        addressed(
            "keywright",
            "css",
            Asset { content_type: "text/css; charset=utf-8", body: style },
        ),
        addressed("icon", "svg", Asset { content_type: "image/svg+xml", body: icon }),
    ]
});

fn addressed(name: &str, extension: &str, asset: Asset) -> (String, Asset) {
    let hash = digest::digest(&digest::SHA256, asset.body);
    let mut url = format!("/assets/{name}-");
    for byte in hash.as_ref().iter().take(HASH_BYTES) {
        write!(url, "{byte:02x}").expect("writing into a string does not fail");
    }
    url.push('.');
    url.push_str(extension);
    (url, asset)
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
