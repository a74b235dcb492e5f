//! The token endpoint and its neighbours, as a well-behaved client uses them.

use serde_json::Value;

use super::flow::Authorize;
use super::http::{Request, Response};
use super::world::{Client, User, World};
use super::{Browser, Server};

/// A token response.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) document: Value,
}

impl Tokens {
    /// Asserts RFC 6749 §5.1 and takes the tokens out.
    #[track_caller]
    pub(crate) fn from(response: &Response) -> Self {
        let document = response.expect(200);
        assert_eq!(response.header("cache-control"), Some("no-store"), "RFC6749-5.1");
        assert_eq!(document["token_type"], "Bearer", "RFC6749-5.1");
        assert!(document["expires_in"].as_u64().is_some_and(|s| s > 0), "RFC6749-5.1");
        Self { document }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.document[name].is_string()
    }

    #[track_caller]
    fn text(&self, name: &str) -> &str {
        self.document[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.document))
    }

    #[track_caller]
    pub(crate) fn access(&self) -> &str {
        self.text("access_token")
    }

    #[track_caller]
    pub(crate) fn refresh(&self) -> &str {
        self.text("refresh_token")
    }

    #[track_caller]
    pub(crate) fn id(&self) -> &str {
        self.text("id_token")
    }

    pub(crate) fn scope(&self) -> Vec<&str> {
        let mut scope: Vec<&str> = self.text("scope").split(' ').collect();
        scope.sort_unstable();
        scope
    }
}

/// A form POST authenticated the way the client is registered.
pub(crate) fn authenticated(url: &str, client: &Client, pairs: &[(&str, &str)]) -> Request {
    let request = Request::post(url);
    match client.method() {
        "client_secret_basic" => request.basic(&client.id, client.secret()).form(pairs),
        "client_secret_post" => {
            let own = [("client_id", client.id.as_str()), ("client_secret", client.secret())];
            request.form(&[pairs, &own].concat())
        }
        _ => request.form(&[pairs, &[("client_id", client.id.as_str())]].concat()),
    }
}

/// The parameters of a code's redemption.
pub(crate) fn redemption<'a>(flow: &'a Authorize, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", flow.redirect_uri.as_str()),
        ("code_verifier", flow.verifier.as_str()),
    ]
}

impl Server {
    pub(crate) fn token(&self, client: &Client, pairs: &[(&str, &str)]) -> Response {
        authenticated(&self.url("/token"), client, pairs).send()
    }

    pub(crate) fn redeem(&self, client: &Client, flow: &Authorize, code: &str) -> Response {
        self.token(client, &redemption(flow, code))
    }

    pub(crate) fn refresh(&self, client: &Client, token: &str) -> Response {
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    #[track_caller]
    pub(crate) fn client_credentials(&self, client: &Client, scope: &str) -> Tokens {
        Tokens::from(&self.token(client, &[("grant_type", "client_credentials"), ("scope", scope)]))
    }

    pub(crate) fn introspect(&self, client: &Client, token: &str) -> Value {
        authenticated(&self.url("/introspect"), client, &[("token", token)]).send().expect(200)
    }

    #[track_caller]
    pub(crate) fn is_active(&self, client: &Client, token: &str) -> bool {
        self.introspect(client, token)["active"].as_bool().expect("RFC7662-2.2: a boolean")
    }

    pub(crate) fn revoke(&self, client: &Client, token: &str) -> Response {
        authenticated(&self.url("/revoke"), client, &[("token", token)]).send()
    }

    pub(crate) fn userinfo(&self, access_token: &str) -> Response {
        Request::get(&self.url("/userinfo")).bearer(access_token).send()
    }
}

impl World {
    /// Signs in, allows, redeems: tokens for a scope.
    #[track_caller]
    pub(crate) fn sign_in(&self, client: &Client, scope: &str) -> Tokens {
        self.sign_in_with(&mut Browser::default(), client, scope, &self.alice)
    }

    #[track_caller]
    pub(crate) fn sign_in_with(
        &self,
        browser: &mut Browser,
        client: &Client,
        scope: &str,
        user: &User,
    ) -> Tokens {
        let flow = Authorize::new(&self.server, client).scope(scope);
        let callback = browser.authorize(&flow, user);
        Tokens::from(&self.server.redeem(client, &flow, callback.code()))
    }
}
