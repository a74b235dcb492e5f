//! What a server says about itself, RFC 8414.

use std::str::FromStr;

use serde::Deserialize;

use super::http::{Http, HttpError, is_loopback};

/// The issuer of a server, exactly as it was written: RFC 8414 §3.3 compares it byte by byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Issuer(String);

impl Issuer {
    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let uri: ::http::Uri = raw.parse().map_err(|_| "not an address".to_owned())?;
        let host = uri.host().ok_or("an issuer has a host")?;
        let usable = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(host),
            _ => false,
        };
        if !usable {
            return Err("an issuer is https, or http on a loopback address".to_owned());
        }
        // RFC 8414 §2.
        if uri.query().is_some() || raw.contains('#') {
            return Err("an issuer has no query and no fragment".to_owned());
        }
        Ok(Self(raw.trim_end_matches('/').to_owned()))
    }
}

/// The parts of the metadata document that this program uses.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) jwks_uri: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocations_endpoint: Option<String>,
}

impl Metadata {
    /// Fetches the document of an issuer.
    pub(crate) async fn load(http: &Http, issuer: &Issuer) -> Result<Self, HttpError> {
        let url = format!("{}/.well-known/openid-configuration", issuer.as_str());
        let answer = http.get(&url).await?;
        let wrong = |why: &str| HttpError::Unusable(format!("{url}: {why}"));
        let document: Self =
            answer.document().ok_or_else(|| wrong("this is no metadata document"))?;
        // RFC 8414 §3.3: a document of another issuer must not be used.
        if document.issuer != issuer.as_str() {
            return Err(wrong(&format!("the document is that of {}", document.issuer)));
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8414_2_issuers() {
        for good in ["https://id.example/t/shop", "http://127.0.0.1:8080", "http://localhost"] {
            assert_eq!(good.parse::<Issuer>().unwrap().as_str(), good);
        }
        for bad in ["http://id.example", "https://id.example?x", "https://id.example/#x", "id"] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad}");
        }
    }
}
