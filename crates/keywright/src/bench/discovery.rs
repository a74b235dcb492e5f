//! Where the server's endpoints are, by its own word.

use ::http::{Request, Uri};
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::Full;
use serde::Deserialize;

use super::http::{Answer, Http};
use super::plan::{Issuer, parse_endpoint};

/// What a scenario may need of a server's metadata (RFC 8414 §2).
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) metadata: Uri,
    pub(super) authorization: Option<Uri>,
    pub(super) token: Option<Uri>,
    pub(super) introspection: Option<Uri>,
    pub(super) jwks: Option<Uri>,
    pub(super) revocation: Option<Uri>,
    pub(super) client_auth: ClientAuth,
}

/// How a client with a secret shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ClientAuth {
    Basic,
    Post,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    jwks_uri: Option<String>,
    revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Endpoints {
    /// Asks at OpenID's address first, then at RFC 8414's.
    pub(super) async fn load(http: &Http, issuer: &Issuer) -> anyhow::Result<Self> {
        let mut refusal = anyhow!("no metadata");
        for address in addresses(issuer)? {
            let request = Request::get(address.clone()).body(Full::new(Bytes::new()))?;
            let answer = http.send(request).await;
            let answer = answer.map_err(|why| anyhow!("{address}: {why}"))?;
            match Self::parse(issuer, address.clone(), &answer) {
                Ok(endpoints) => return Ok(endpoints),
                Err(why) => refusal = why.context(address.to_string()),
            }
        }
        Err(refusal)
    }

    fn parse(issuer: &Issuer, metadata: Uri, answer: &Answer) -> anyhow::Result<Self> {
        let document: Document =
            answer.parse("the server's metadata").map_err(|why| anyhow!("{why}"))?;
        // RFC 8414 §3.3: a document of another issuer must not be used.
        if document.issuer != issuer.as_str() {
            bail!("it is the document of {}, not of {}", document.issuer, issuer.as_str());
        }
        let endpoint = |raw: Option<String>| {
            raw.as_deref().map(parse_endpoint).transpose().map_err(anyhow::Error::msg)
        };
        Ok(Self {
            metadata,
            authorization: endpoint(document.authorization_endpoint)?,
            token: endpoint(document.token_endpoint)?,
            introspection: endpoint(document.introspection_endpoint)?,
            jwks: endpoint(document.jwks_uri)?,
            revocation: endpoint(document.revocation_endpoint)?,
            client_auth: client_auth(document.token_endpoint_auth_methods_supported.as_deref()),
        })
    }
}

/// RFC 8414 §2: without the member, HTTP Basic.
fn client_auth(supported: Option<&[String]>) -> ClientAuth {
    let has = |name| supported.is_some_and(|methods| methods.iter().any(|method| method == name));
    if !has("client_secret_basic") && has("client_secret_post") {
        return ClientAuth::Post;
    }
    ClientAuth::Basic
}

/// OpenID Discovery §4 appends to the issuer; RFC 8414 §3.1 inserts before the path.
fn addresses(issuer: &Issuer) -> anyhow::Result<[Uri; 2]> {
    let base = issuer.as_str().trim_end_matches('/');
    let (scheme, rest) = base.split_once("://").context("an issuer has a scheme")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Ok([
        format!("{base}/.well-known/openid-configuration").parse()?,
        format!("{scheme}://{authority}/.well-known/oauth-authorization-server{path}").parse()?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::StatusCode;

    fn parse(json: &str) -> anyhow::Result<Endpoints> {
        let issuer = "https://a.example".parse().unwrap();
        Endpoints::parse(&issuer, Uri::default(), &Answer::of(StatusCode::OK, json))
    }

    #[test]
    fn metadata_is_looked_for_at_both_addresses() {
        for (issuer, want) in [
            (
                "https://a.example/",
                [
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server",
                ],
            ),
            (
                "http://127.0.0.1:8080/t/one",
                [
                    "http://127.0.0.1:8080/t/one/.well-known/openid-configuration",
                    "http://127.0.0.1:8080/.well-known/oauth-authorization-server/t/one",
                ],
            ),
        ] {
            let found = addresses(&issuer.parse().unwrap()).unwrap();
            assert_eq!(found.map(|uri| uri.to_string()), want, "RFC8414-3.1");
        }
    }

    #[test]
    fn only_the_issuers_own_document_is_used() {
        let good =
            parse(r#"{"issuer":"https://a.example","token_endpoint":"https://b.example/t"}"#);
        assert_eq!(good.unwrap().token.unwrap(), "https://b.example/t");
        let other = parse(r#"{"issuer":"https://b.example"}"#).unwrap_err();
        assert!(other.to_string().contains("https://b.example"), "RFC8414-3.3: {other}");
        let plain = r#"{"issuer":"https://a.example","token_endpoint":"http://b.example/t"}"#;
        assert!(parse(plain).is_err(), "a secret would travel in the clear");
    }

    #[test]
    fn basic_unless_only_post_is_supported() {
        let methods = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        assert_eq!(client_auth(None), ClientAuth::Basic, "RFC8414-2");
        let both = methods(&["client_secret_post", "client_secret_basic"]);
        assert_eq!(client_auth(Some(&both)), ClientAuth::Basic);
        assert_eq!(client_auth(Some(&methods(&["client_secret_post"]))), ClientAuth::Post);
    }
}
