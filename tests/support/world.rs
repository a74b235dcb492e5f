//! The smallest organisation that exercises everything: an API, a person, and four clients.

use serde_json::{Value, json};

use super::{Server, secrets};

/// The protected resource of most tests.
pub(crate) const API: &str = "https://api.example.com";
pub(crate) const CALLBACK: &str = "https://app.example.com/callback";
const USER_SCOPES: &str = "openid profile email offline_access orders:read orders:write";

/// A registered client as its operator knows it.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) metadata: Value,
}

impl Client {
    pub(crate) fn secret(&self) -> &str {
        self.secret.as_deref().expect("a confidential client")
    }

    pub(crate) fn method(&self) -> &str {
        self.metadata["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic")
    }
}

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// A running server with the usual inhabitants.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) alice: User,
    /// Confidential, code flow.
    pub(crate) web: Client,
    /// Public, code flow.
    pub(crate) spa: Client,
    /// Confidential, client credentials.
    pub(crate) service: Client,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::in_server(Server::start())
    }

    pub(crate) fn in_server(server: Server) -> Self {
        server.resource(API, &["orders:read", "orders:write"], &[]);
        let alice = server.user("alice");
        let web = server.client(&web_metadata());
        let spa = server.client(&spa_metadata());
        let service = server.client(&service_metadata("orders:read orders:write"));
        Self { server, alice, web, spa, service }
    }
}

/// A confidential client of the code flow; refresh tokens with `offline_access`.
pub(crate) fn web_metadata() -> Value {
    json!({
        "client_name": "Orders Web",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": USER_SCOPES,
    })
}

/// A public client of the code flow.
pub(crate) fn spa_metadata() -> Value {
    json!({
        "client_name": "Orders App",
        "redirect_uris": ["https://spa.example.com/done"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": USER_SCOPES,
    })
}

/// A machine.
pub(crate) fn service_metadata(scope: &str) -> Value {
    json!({
        "client_name": "Nightly Job",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": scope,
    })
}

/// The same metadata with some members changed; `null` removes one.
pub(crate) fn with(mut metadata: Value, changes: &Value) -> Value {
    let members = metadata.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    metadata
}

impl Server {
    pub(crate) fn client(&self, metadata: &Value) -> Client {
        self.client_in(&[], metadata)
    }

    /// Creates a client with further arguments, such as `--tenant NAME`.
    pub(crate) fn client_in(&self, args: &[&str], metadata: &Value) -> Client {
        let args = [&["client", "create", "--metadata", "-"], args].concat();
        let answer = self.cli_with(&args, &metadata.to_string()).json();
        Client {
            id: answer["client_id"].as_str().expect("a client_id").to_owned(),
            secret: answer["client_secret"].as_str().map(str::to_owned),
            redirect_uri: answer["redirect_uris"][0].as_str().unwrap_or_default().to_owned(),
            metadata: answer,
        }
    }

    pub(crate) fn resource(&self, identifier: &str, scopes: &[&str], args: &[&str]) -> Value {
        let mut all = vec!["resource", "create", "--identifier", identifier];
        for &scope in scopes {
            all.extend(["--scope", scope]);
        }
        all.extend(args);
        self.cli(&all).json()
    }

    pub(crate) fn user(&self, username: &str) -> User {
        self.user_in(&[], username)
    }

    pub(crate) fn user_in(&self, args: &[&str], username: &str) -> User {
        let password = format!("Sesame-{username}-open-door-9");
        secrets::note(self.authority(), &password);
        let email = format!("{username}@example.com");
        let fixed = ["user", "create", "--username", username, "--password-stdin"];
        let proven = ["--email", email.as_str(), "--email-verified"];
        self.cli_with(&[&fixed[..], &proven[..], args].concat(), &password).json();
        User { username: username.to_owned(), password }
    }
}
