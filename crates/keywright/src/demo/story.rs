//! What the demo does for real, and what it says about it.

use std::fmt::Write as _;
use std::path::Path;

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use keywright_jose::base64url_decode;
use keywright_protocol::time::Timestamp;
use serde_json::{Map, Value};

use super::api::{READ, WRITE};
use crate::cli::{Failure, cell, time};
use crate::peer::{ClientCredentials, Grant, Http, Metadata, request_token};

/// Everything that is told; all of it has happened by then.
pub(super) struct Story<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) api_url: &'a str,
    pub(super) client_id: &'a str,
    pub(super) token: &'a str,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
    /// Where the data stays; nothing for a temporary folder.
    pub(super) kept_in: Option<&'a Path>,
    pub(super) configuration: &'a Path,
    pub(super) now: Timestamp,
}

/// Asks the server for a token, over HTTP like any client.
pub(super) async fn obtain_token(
    http: &Http,
    metadata: &Metadata,
    client: &ClientCredentials,
) -> Result<String, Failure> {
    let scope = format!("{READ} {WRITE}");
    let pairs = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
    match request_token(http, &metadata.token_endpoint, client, &pairs).await? {
        Grant::Granted(tokens) => Ok(tokens.access_token),
        Grant::Refused { why, .. } => {
            Err(Failure::refused(format!("the token request failed: {why}")))
        }
    }
}

/// Calls the API with the token; anything but success is the end of the demo.
pub(super) async fn call_api(http: &Http, api_url: &str, token: &str) -> Result<(), Failure> {
    let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
    let bearer = bearer.map_err(|_| Failure::refused("the token fits into no header"))?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    let url = format!("{api_url}/orders");
    let answer = http.send(Method::GET, &url, headers, Bytes::new()).await?;
    if answer.status == StatusCode::OK {
        return Ok(());
    }
    Err(Failure::refused(format!("{url} answered {}: {}", answer.status, answer.text())))
}

impl Story<'_> {
    /// The whole text.
    pub(super) fn tell(&self) -> String {
        let mut text = String::new();
        let mut line = |words: &str| writeln!(text, "{words}").unwrap_or_default();
        let (issuer, api) = (&self.metadata.issuer, self.api_url);
        line("");
        line("Keywright demo");
        line("");
        line(&format!("  issuer      {issuer}"));
        line(&format!("  discovery   {issuer}/.well-known/openid-configuration"));
        line(&format!("  sample API  {api}"));
        line(&format!("  data        {}", self.place()));
        line("");
        line(&format!("A machine ({}) asked for a token and got it:", self.client_id));
        line("");
        line(&format!("  {}", self.token));
        line("");
        line("Decoded:");
        line("");
        for (name, value) in self.parts() {
            line(format!("  {name:<10}  {value}").trim_end());
        }
        line("");
        line("The sample API checked it and answered 200. Try it yourself:");
        line("");
        line(&format!("  curl -sS {api}/orders -H 'Authorization: Bearer {}'", self.token));
        line("");
        line("Take it back, and the same line is refused at once:");
        line("");
        let (program, file) = (program(), self.configuration.display());
        line(&format!("  {program} token revoke --config {file} {}", self.token));
        line("");
        line("A person can sign in, and sees what the application learns:");
        line("");
        line(&format!("  open      {api}/login"));
        line(&format!("  username  {}", self.username));
        line(&format!("  password  {}", self.password));
        line("");
        line("Ctrl-C stops it.");
        text
    }

    fn place(&self) -> String {
        match self.kept_in {
            Some(folder) => folder.display().to_string(),
            None => "a temporary folder, gone when it stops; keep it with --data DIR".to_owned(),
        }
    }

    /// Header and claims of the token, a line each, with what numbers mean.
    fn parts(&self) -> Vec<(String, String)> {
        let mut segments = self.token.split('.');
        let header = segments.next().map(decode).unwrap_or_default();
        let mut claims = segments.next().map(decode).unwrap_or_default();
        let shown = |(name, value): (String, Value)| {
            let text = cell("", &value);
            let meaning = self.meaning(&name, &value).map(|words| format!("{text}  ({words})"));
            (name, meaning.unwrap_or(text))
        };
        let mut parts: Vec<_> = header.into_iter().map(shown).collect();
        parts.push((String::new(), String::new()));
        for name in ["iss", "sub", "aud", "client_id", "scope"] {
            parts.extend(claims.remove_entry(name).map(shown));
        }
        parts.extend(claims.into_iter().map(shown));
        parts
    }

    fn meaning(&self, name: &str, value: &Value) -> Option<String> {
        let moment = Timestamp::from_unix_s(value.as_i64()?);
        let left_s = moment.since(self.now).as_secs();
        match name {
            "exp" => Some(format!("{}, in {left_s} s", time(moment))),
            "iat" => Some(time(moment)),
            _ => None,
        }
    }
}

/// This program as the same person can start it again.
fn program() -> String {
    let this = std::env::current_exe().unwrap_or_else(|_| "keywright".into());
    let here = std::env::current_dir().unwrap_or_default();
    this.strip_prefix(&here).unwrap_or(&this).display().to_string()
}

fn decode(segment: &str) -> Map<String, Value> {
    let bytes = base64url_decode(segment).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use keywright_jose::base64url_encode;

    #[test]
    fn the_text_holds_the_token_its_claims_and_a_line_to_paste() {
        let encode = |json: &str| base64url_encode(json.as_bytes());
        let header = encode(r#"{"alg":"ES256","typ":"at+jwt"}"#);
        let claims = encode(r#"{"iss":"http://i","scope":"orders:read","exp":1763888400}"#);
        let token = format!("{header}.{claims}.c2ln");
        let metadata = Metadata {
            issuer: "http://i".into(),
            authorization_endpoint: None,
            jwks_uri: String::new(),
            token_endpoint: String::new(),
            revocations_endpoint: None,
        };
        let story = Story {
            metadata: &metadata,
            api_url: "http://127.0.0.1:9001",
            client_id: "demo-machine",
            token: &token,
            username: "alice",
            password: "pass-words",
            kept_in: None,
            configuration: Path::new("/tmp/d/demo.toml"),
            now: Timestamp::from_unix_s(1_763_888_390),
        };
        let text = story.tell();
        for part in [
            "  scope       orders:read\n",
            "  exp         1763888400  (2025-11-23T09:00:00Z, in 10 s)\n",
            "  curl -sS http://127.0.0.1:9001/orders -H 'Authorization: Bearer eyJ",
            " token revoke --config /tmp/d/demo.toml eyJ",
            "http://127.0.0.1:9001/login",
            "Ctrl-C stops it.\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(text.lines().all(|line| line == line.trim_end()), "{text:?}");
    }
}
