//! A URL, read once: what is judged is what is asked.

use http::Uri;
use rustls::pki_types::ServerName;

use super::OutboundError;

/// A URL, bytes.
const URL_BYTES_MAX: usize = 2 * 1024;

/// Whom to ask for what.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The host without brackets, for the name server.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_https: bool,
    /// The name that the certificate must have.
    pub(super) name: ServerName<'static>,
    /// Host and port as written, for the `Host` line.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, OutboundError> {
        if url.len() > URL_BYTES_MAX || url.contains('#') {
            return Err(OutboundError::Url("is too long or has a fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| OutboundError::Url("cannot be read"))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(OutboundError::Url("is neither https nor http")),
        };
        let authority = uri.authority().ok_or(OutboundError::Url("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(OutboundError::Url("has a user in front of the host"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone());
        let name = name.map_err(|_| OutboundError::Url("has no host that can exist"))?;
        // `port_u16` is none for "host:" and for "host:99999" alike.
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port.parse().ok().filter(|port| *port != 0),
            _ => Some(if is_https { 443 } else { 80 }),
        };
        Ok(Self {
            host,
            port: port.ok_or(OutboundError::Url("has no port that can exist"))?,
            is_https,
            name,
            authority: authority.to_string(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port, path) in [
            ("https://a.example/jwks", "a.example", 443, "/jwks"),
            ("https://a.example:8443/a?b=c", "a.example", 8443, "/a?b=c"),
            ("https://a.example", "a.example", 443, "/"),
            ("http://127.0.0.1/x", "127.0.0.1", 80, "/x"),
            ("https://[::1]:8443/x", "::1", 8443, "/x"),
            ("https://[::1]/x", "::1", 443, "/x"),
        ] {
            let target = Target::parse(url).expect(url);
            assert_eq!((&*target.host, target.port, &*target.path), (host, port, path), "{url}");
        }
    }

    #[test]
    fn neighbours_of_urls() {
        for url in [
            "",
            "a.example",
            "/jwks",
            "//a.example/jwks",
            "ftp://a.example/",
            "file:///etc/passwd",
            "gopher://a.example/",
            "https:///jwks",
            "https://user@a.example/",
            "https://user:pass@a.example/",
            "https://a.example@127.0.0.1/",
            "https://a.example/#x",
            "https://a.example:0/",
            "https://a.example:/",
            "https://a.example:99999/",
            "https://a..example/",
            "https://a.exa mple/",
            "https://a.example\\@b.example/",
            "https://%61.example/",
            "https://a.example/\r\nHost: b",
            "https://bücher.example/",
            "unix:///run/docker.sock",
            "javascript:alert(1)",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let long = format!("https://a.example/{}", "a".repeat(URL_BYTES_MAX));
        assert!(Target::parse(&long).is_err(), "too long");
    }
}
