//! The token endpoint, as a confidential client uses it.

use ::http::{HeaderValue, Method, StatusCode, header};
use keywright_protocol::secret::Secret;
use serde_json::Value;

use super::http::{Http, HttpError, basic, encode_form};

/// A client and its secret.
#[derive(Debug)]
pub(crate) struct ClientCredentials {
    pub(crate) id: String,
    pub(crate) secret: Secret<String>,
}

/// How the token endpoint answered.
pub(crate) enum Grant {
    /// RFC 6749 §5.1.
    Granted(Tokens),
    /// RFC 6749 §5.2: the code and what there is of a description.
    Refused(String),
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
    let (mut headers, body) = encode_form(pairs);
    let unusable = |_| HttpError::Unusable("the client's secret fits into no header".to_owned());
    let mut authorization =
        HeaderValue::from_str(&basic(&client.id, client.secret.expose())).map_err(unusable)?;
    authorization.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, authorization);
    let answer = http.send(Method::POST, endpoint, headers, body).await?;
    let document: Value = answer.document().unwrap_or_default();
    let word = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(access_token) = word("access_token").filter(|_| answer.status == StatusCode::OK) {
        return Ok(Grant::Granted(Tokens { access_token, document }));
    }
    let code = word("error").unwrap_or_else(|| format!("status {}", answer.status.as_u16()));
    Ok(Grant::Refused(match word("error_description") {
        Some(description) => format!("{code}: {description}"),
        None => code,
    }))
}
