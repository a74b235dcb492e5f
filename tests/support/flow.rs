//! An authorization request, and what belongs to it: PKCE, state, nonce.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::http::{parameters, query};
use super::world::Client;
use super::{Server, secrets};

/// An authorization request whose parameters a test may bend.
#[derive(Clone, Debug)]
pub(crate) struct Authorize {
    pub(crate) endpoint: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) verifier: String,
    pub(crate) redirect_uri: String,
}

impl Authorize {
    /// A request that any conforming server accepts, for `openid`.
    pub(crate) fn new(server: &Server, client: &Client) -> Self {
        Self::at(&server.issuer, client)
    }

    /// The same at the issuer of a tenant.
    pub(crate) fn at(issuer: &str, client: &Client) -> Self {
        let verifier = random();
        secrets::note(super::http::origin(issuer).trim_start_matches("http://"), &verifier);
        let fixed = [
            ("response_type", "code"),
            ("client_id", client.id.as_str()),
            ("redirect_uri", client.redirect_uri.as_str()),
            ("scope", "openid"),
            ("code_challenge", &challenge(&verifier)),
            ("code_challenge_method", "S256"),
            ("state", &random()),
            ("nonce", &random()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            endpoint: format!("{issuer}/authorize"),
            parameters: fixed.to_vec(),
            verifier,
            redirect_uri: client.redirect_uri.clone(),
        }
    }

    /// Sets a parameter, replacing it.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        match self.parameters.iter_mut().find(|(found, _)| found == name) {
            Some((_, found)) => value.clone_into(found),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub(crate) fn scope(self, scope: &str) -> Self {
        self.set("scope", scope)
    }

    /// Adds a parameter even if it is there already.
    pub(crate) fn add(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn remove(mut self, name: &str) -> Self {
        self.parameters.retain(|(found, _)| found != name);
        self
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}?{}", self.endpoint, query(&self.parameters))
    }

    /// Where an answer to this request goes.
    pub(crate) fn answers_to(&self, location: &str) -> bool {
        let cut = location.find('?').unwrap_or(location.len());
        let registered = self.redirect_uri.find('?').unwrap_or(self.redirect_uri.len());
        location[..cut] == self.redirect_uri[..registered]
            && parameters(&self.redirect_uri).iter().all(|pair| parameters(location).contains(pair))
    }
}

/// RFC 7636 §4.2, S256.
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// 256 random bits in 43 characters: good for a verifier, a state, a nonce, a `jti`.
#[expect(clippy::disallowed_methods, reason = "a client chooses its own verifier and state")]
pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the system has randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}
