//! The administration API of a server elsewhere, `/api/v1`.

use std::path::{Path, PathBuf};

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use keywright_server::config::SecretRef;
use serde_json::Value;

use super::failure::Failure;
use super::{COMMON, Place};
use crate::peer::{Http, Issuer};

/// The variable that can hold the token of `--token`.
const TOKEN_VARIABLE: &str = "KEYWRIGHT_TOKEN";

/// Which server, and by which right.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RemoteArgs {
    /// Act through the administration API of this server instead of the store
    #[arg(long, global = true, help_heading = COMMON, value_name = "URL")]
    pub(super) issuer: Option<Issuer>,
    /// An access token for it: itself, file:PATH or env:NAME; otherwise from KEYWRIGHT_TOKEN
    #[arg(
        long,
        global = true,
        help_heading = COMMON,
        value_name = "T",
        requires = "issuer"
    )]
    pub(super) token: Option<String>,
    /// Certificates to trust instead of the public ones, PEM
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
}

/// A server's administration API.
pub(crate) struct Api {
    http: Http,
    base: String,
    authorization: HeaderValue,
}

impl RemoteArgs {
    /// The API, if a server is named.
    pub(crate) fn connect(self, place: &Place) -> Result<Option<Api>, Failure> {
        let Some(issuer) = self.issuer else {
            if self.ca.is_some() {
                return Err(Failure::usage("--ca is for a server: name it with --issuer"));
            }
            return Ok(None);
        };
        if place.config.is_some() {
            return Err(Failure::usage("--config and --issuer exclude each other"));
        }
        let base = place.issuer_below(issuer.as_str());
        let http = Http::new(self.ca.as_deref())?;
        let authorization = authorization(self.token)?;
        Ok(Some(Api { http, base: format!("{base}/api/v1"), authorization }))
    }
}

fn authorization(given: Option<String>) -> Result<HeaderValue, Failure> {
    let given = given.or_else(|| std::env::var(TOKEN_VARIABLE).ok());
    let Some(given) = given else {
        let what = "the administration API needs an access token";
        return Err(Failure::usage(what).hint("give --token, or set KEYWRIGHT_TOKEN"));
    };
    let token = SecretRef::parse(&given, Path::new("")).read();
    let token = token.map_err(|error| Failure::usage(error.to_string()))?;
    let value = HeaderValue::from_bytes(&[b"Bearer ", token.as_slice()].concat());
    let mut value = value.map_err(|_| Failure::usage("the token fits into no header"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Api {
    /// Reads a document.
    pub(crate) async fn get(&self, path: &[&str]) -> Result<Value, Failure> {
        self.send(Method::GET, &address(path), None).await
    }

    /// Reads all parts of a list; `query` narrows it.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, Option<&str>)],
    ) -> Result<Vec<Value>, Failure> {
        let (mut items, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut pairs = form_urlencoded::Serializer::new(String::new());
            let given = query.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
            pairs.extend_pairs(given.chain(after.as_deref().map(|after| ("after", after))));
            let target = format!("{}?{}", address(path), pairs.finish());
            let mut part = self.send(Method::GET, &target, None).await?;
            if let Some(Value::Array(rows)) = part.get_mut("items").map(Value::take) {
                items.extend(rows);
            }
            after = part.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                return Ok(items);
            }
        }
    }

    /// Sends a document, or nothing, and reads the answer.
    pub(crate) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        self.send(Method::POST, &address(path), body).await
    }

    /// Replaces a document.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(Method::PUT, &address(path), Some(body)).await
    }

    /// Deletes.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.send(Method::DELETE, &address(path), None).await
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        let mut bytes = Bytes::new();
        if let Some(document) = body {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
            bytes = Bytes::from(document.to_string());
        }
        let url = format!("{}{target}", self.base);
        let answer = self.http.send(method, &url, headers, bytes).await?;
        if answer.status == StatusCode::NO_CONTENT || answer.body.is_empty() {
            return if answer.status.is_success() {
                Ok(Value::Null)
            } else {
                Err(bare(answer.status))
            };
        }
        let document = answer.document::<Value>();
        match document {
            Some(document) if answer.status.is_success() => Ok(document),
            Some(problem) => Err(refusal(answer.status, &problem)),
            None => Err(bare(answer.status)),
        }
    }
}

fn bare(status: StatusCode) -> Failure {
    let what = format!("the server answered {status}");
    if status.is_server_error() { Failure::unreachable(what) } else { Failure::refused(what) }
}

/// An RFC 9457 problem as a failure.
fn refusal(status: StatusCode, problem: &Value) -> Failure {
    let word = |name: &str| problem.get(name).and_then(Value::as_str);
    let code = word("error").or_else(|| word("title")).unwrap_or("refused");
    let what = match word("detail") {
        Some(detail) => format!("{code}: {detail}"),
        None => code.to_owned(),
    };
    match status {
        StatusCode::UNAUTHORIZED => Failure::refused(what).hint("get a new token"),
        StatusCode::FORBIDDEN => {
            Failure::refused(what).hint("ask for a token with keywright:admin:write")
        }
        status if status.is_server_error() => Failure::unreachable(what),
        _ => Failure::refused(what),
    }
}

/// A path of encoded segments: identifiers may be addresses themselves.
fn address(segments: &[&str]) -> String {
    let encode = |segment: &&str| -> String {
        let encoded: String = form_urlencoded::byte_serialize(segment.as_bytes()).collect();
        format!("/{}", encoded.replace('+', "%20"))
    };
    segments.iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Status;
    use serde_json::json;

    #[test]
    fn identifiers_stay_one_segment() {
        let path = address(&["resources", "https://api.example/a b?x"]);
        assert_eq!(path, "/resources/https%3A%2F%2Fapi.example%2Fa%20b%3Fx");
    }

    #[test]
    fn problems_become_statuses() {
        let problem = json!({ "error": "not_found", "detail": "there is no client x" });
        let failure = refusal(StatusCode::NOT_FOUND, &problem);
        assert_eq!(failure.status, Status::Refused);
        assert_eq!(failure.to_string(), "not_found: there is no client x");
        let failure = refusal(StatusCode::SERVICE_UNAVAILABLE, &json!({}));
        assert_eq!(failure.status, Status::Unreachable);
    }
}
