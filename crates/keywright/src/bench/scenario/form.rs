//! A form that is posted again and again: encoded once, sent by reference.

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderValue, Request, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::Full;

use super::Ground;
use crate::bench::discovery::ClientAuth;
use crate::bench::plan::Credentials;

/// Where a client posts forms, and how it proves who it is.
pub(super) struct Desk {
    uri: Uri,
    authorization: Option<HeaderValue>,
    /// The part of the body that authenticates, ready to append to.
    prefix: String,
}

/// One encoded form.
pub(super) struct Form(Bytes);

impl Desk {
    pub(super) fn new(uri: &Uri, client: &Credentials, auth: ClientAuth) -> Self {
        let mut prefix = Serializer::new(String::new());
        let mut authorization = None;
        match (&client.secret, auth) {
            (None, _) => {
                prefix.append_pair("client_id", &client.id);
            }
            (Some(secret), ClientAuth::Post) => {
                prefix.append_pair("client_id", &client.id);
                prefix.append_pair("client_secret", secret.expose());
            }
            (Some(secret), ClientAuth::Basic) => {
                authorization = Some(basic(&client.id, secret.expose()));
            }
        }
        Self { uri: uri.clone(), authorization, prefix: prefix.finish() }
    }

    pub(super) fn form(&self, parameters: &[(&str, &str)]) -> Form {
        let mut body = Serializer::new(self.prefix.clone());
        body.extend_pairs(parameters);
        Form(Bytes::from(body.finish()))
    }

    pub(super) fn post(&self, form: &Form) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(form.0.clone()));
        *request.method_mut() = ::http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        let encoded = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, encoded);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = &self.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        request
    }
}

/// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    let value = HeaderValue::from_str(&format!("Basic {pair}"));
    let mut value = value.expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

/// What every request for a token of the client's own says.
pub(super) fn token_request<'a>(ground: &Ground<'a>, grant: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![("grant_type", grant)];
    parameters.extend(ground.scope.map(|scope| ("scope", scope)));
    parameters.extend(ground.resource.map(|resource| ("resource", resource)));
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use keywright_protocol::secret::Secret;

    fn desk(secret: Option<&str>, auth: ClientAuth) -> Desk {
        let secret = secret.map(|secret| Secret::new(secret.to_owned()));
        let client = Credentials::new(Some("a client".to_owned()), secret).unwrap().unwrap();
        Desk::new(&Uri::from_static("https://a.example/token"), &client, auth)
    }

    async fn sent(desk: &Desk) -> (Option<String>, String) {
        let request = desk.post(&desk.form(&[("grant_type", "x&y")]));
        let header = request.headers().get(AUTHORIZATION);
        let header = header.map(|value| value.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        (header, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_kind_of_client_authenticates_its_own_way() {
        let basic = sent(&desk(Some("s:%"), ClientAuth::Basic)).await;
        let header = format!("Basic {}", STANDARD.encode("a+client:s%3A%25"));
        assert_eq!(basic, (Some(header), "grant_type=x%26y".to_owned()), "RFC6749-2.3.1");
        let post = sent(&desk(Some("s:%"), ClientAuth::Post)).await;
        let body = "client_id=a+client&client_secret=s%3A%25&grant_type=x%26y";
        assert_eq!(post, (None, body.to_owned()), "RFC6749-2.3.1");
        let public = sent(&desk(None, ClientAuth::Basic)).await;
        assert_eq!(public, (None, "client_id=a+client&grant_type=x%26y".to_owned()));
    }
}
