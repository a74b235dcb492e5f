//! The token endpoint, as a confidential client uses it.

use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use keywright_protocol::secret::Secret;
use serde_json::Value;

use super::http::{Http, HttpError, basic, encode_form};

/// A client and its secret.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
    pub(crate) method: SecretMethod,
}

/// How a secret is shown, RFC 6749 §2.3.1: a client is registered for one of them.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum SecretMethod {
    /// In the Authorization header
    #[value(name = "client_secret_basic")]
    Basic,
    /// In the body
    #[value(name = "client_secret_post")]
    Post,
}

/// How the token endpoint answered.
pub(crate) enum Grant {
    /// RFC 6749 §5.1.
    Granted(Tokens),
    /// RFC 6749 §5.2.
    Refused {
        /// The code and what there is of a description.
        why: String,
        /// What the server calls the request, if it says so.
        request_id: Option<String>,
    },
}

/// A token response.
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    /// All of it.
    pub(crate) document: Value,
}

impl Tokens {
    /// A member that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name)?.as_str()
    }
}

/// Asks for tokens.
pub(crate) async fn request_token(
    http: &Http,
    endpoint: &str,
    client: &ClientCredentials,
    pairs: &[(&str, &str)],
) -> Result<Grant, HttpError> {
    let (headers, body) = authenticate(client, pairs)?;
    let answer = http.send(Method::POST, endpoint, headers, body).await?;
    let document: Value = answer.document().unwrap_or_default();
    let word = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(access_token) = word("access_token").filter(|_| answer.status == StatusCode::OK) {
        return Ok(Grant::Granted(Tokens { access_token, document }));
    }
    let code = word("error").unwrap_or_else(|| format!("status {}", answer.status.as_u16()));
    let why = match word("error_description") {
        Some(description) => format!("{code}: {description}"),
        None => code,
    };
    Ok(Grant::Refused { why, request_id: answer.request_id })
}

fn authenticate(
    client: &ClientCredentials,
    pairs: &[(&str, &str)],
) -> Result<(HeaderMap, Bytes), HttpError> {
    let (id, secret) = (client.id.as_str(), client.secret.expose().as_str());
    match client.method {
        SecretMethod::Basic => {
            let (mut headers, body) = encode_form(pairs);
            let unusable = |_| HttpError::Unusable("the secret fits into no header".to_owned());
            let mut value = HeaderValue::from_str(&basic(id, secret)).map_err(unusable)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
            Ok((headers, body))
        }
        SecretMethod::Post => {
            let own = [("client_id", id), ("client_secret", secret)];
            Ok(encode_form(&[pairs, &own].concat()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6749_2_3_1_one_way_at_a_time() {
        let sent = |method| {
            let (id, secret) = ("c".to_owned(), Secret::new("s&".to_owned()));
            let client = ClientCredentials { id, secret, method };
            let (headers, body) = authenticate(&client, &[("grant_type", "x")]).unwrap();
            (headers.contains_key(header::AUTHORIZATION), String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(sent(SecretMethod::Basic), (true, "grant_type=x".to_owned()));
        let body = "grant_type=x&client_id=c&client_secret=s%26".to_owned();
        assert_eq!(sent(SecretMethod::Post), (false, body), "RFC6749-2.3.1");
    }
}
