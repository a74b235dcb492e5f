//! Which foreign URIs may become a link, an image or the target of a form.
//!
//! They were checked when they were registered; this is the second lock on the same door.

/// A page of a client: https, or http on this machine.
///
/// Refuses user information, which exists in links only to make a host look like another one.
pub(super) fn web_link(uri: &str) -> Option<&str> {
    let (scheme, authority) = split(uri)?;
    let trusted = match scheme {
        Scheme::Http => LOOPBACK.iter().any(|host| is_host(authority, host)),
        Scheme::Https => !authority.contains('@'),
    };
    trusted.then_some(uri)
}

/// An image: a path of this server, as the content security policy says too. After `//`, and what
/// browsers take for it, another server would follow.
pub(super) fn own_path(path: &str) -> Option<&str> {
    let is_ours = path.starts_with('/') && !path.starts_with("//");
    (is_ours && is_plain(path)).then_some(path)
}

/// Where a browser may post an authorization response.
pub(super) fn form_target(uri: &str) -> Option<&str> {
    split(uri).map(|_| uri)
}

enum Scheme {
    Http,
    Https,
}

fn split(uri: &str) -> Option<(Scheme, &str)> {
    if !is_plain(uri) {
        return None;
    }
    let (scheme, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Some((Scheme::Http, authority)),
        "https" => Some((Scheme::Https, authority)),
        _ => None,
    }
}

/// Browsers skip control characters and take `\` for `/`: what is not plainly a URI is none.
fn is_plain(uri: &str) -> bool {
    uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

fn is_host(authority: &str, host: &str) -> bool {
    authority.strip_prefix(host).is_some_and(|port| {
        port.is_empty()
            || port.strip_prefix(':').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    })
}

const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_become_links() {
        let good = [
            "https://a.example",
            "HTTPS://a.example/terms?lang=de#top",
            "https://a.example:8443/",
            "http://localhost:3000/x",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
        ];
        for uri in good {
            assert_eq!(web_link(uri), Some(uri));
        }
        let bad = [
            "",
            "/relative",
            "//a.example",
            "https://",
            "https:///path",
            "http://a.example/",
            "http://localhost.evil.example/",
            "http://localhost:80@evil.example/",
            "http://127.0.0.1.evil.example/",
            "https://bank.example@evil.example/",
            "javascript:alert(1)",
            "JaVaScRiPt://a.example/%0aalert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "\u{1}https://a.example",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "file:///etc/passwd",
            "https://a.example\\@evil.example/",
            "https://a.example/\"><script>",
            "https://\u{430}.example/",
        ];
        for uri in bad {
            assert_eq!(web_link(uri), None, "{uri:?}");
        }
    }

    #[test]
    fn images_come_from_this_server_only() {
        for path in ["/logos/web", "/t/acme/logos/a%2Fb", "/"] {
            assert_eq!(own_path(path), Some(path));
        }
        let bad = [
            "",
            "logos/web",
            "//a.example/logo.png",
            "/\\a.example/logo.png",
            "/\t/a.example/logo.png",
            " /logos/web",
            "\n/logos/web",
            "https://a.example/logo.png",
            "http://localhost/logo.png",
            "data:image/png;base64,AAAA",
        ];
        for path in bad {
            assert_eq!(own_path(path), None, "{path:?}");
        }
    }

    #[test]
    fn forms_are_posted_to_web_addresses_only() {
        assert!(form_target("https://a.example/cb?x=1").is_some());
        assert!(form_target("http://localhost/cb").is_some());
        for uri in ["javascript:alert(1)", "com.example:/cb", "data:,x", "", "https://a b/"] {
            assert_eq!(form_target(uri), None, "{uri:?}");
        }
    }
}
