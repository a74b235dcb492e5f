//! The inhabitants of a demo: a person, two clients and an API. What is there already stays.

use keywright_protocol::client::ClientMetadata;
use keywright_protocol::id::TenantId;
use keywright_protocol::secret::Secret;
use keywright_server::App;
use keywright_server::admin::operations::{OperationError, Operator, clients, resources, users};
use keywright_server::environment::random;
use serde_json::{Value, json};

use super::api::{READ, WRITE};
use super::home::Notes;
use crate::cli::Failure;
use crate::peer::{ClientCredentials, SecretMethod};

pub(super) const USERNAME: &str = "alice";
const MACHINE: &str = "demo-machine";
const WEB: &str = "demo-web";

/// Who may do what in the demo.
pub(super) struct Inhabitants {
    pub(super) machine: ClientCredentials,
    pub(super) password: String,
    pub(super) web: ClientCredentials,
}

/// Makes what is missing, and writes down what must be remembered.
pub(super) async fn plant(
    app: &App,
    api_url: &str,
    notes: &mut Notes,
) -> Result<Inhabitants, Failure> {
    let operator = Operator::at_command_line(TenantId::default_tenant());
    let gardener = Gardener { app, operator };
    gardener.resource(api_url).await?;
    notes.password = Some(gardener.user(notes.password.take()).await?);
    let machine = gardener.client(MACHINE, machine_metadata(), notes.machine_secret.take()).await?;
    let web = gardener.client(WEB, web_metadata(api_url), notes.web_secret.take()).await?;
    notes.machine_secret = Some(machine.secret.expose().clone());
    notes.web_secret = Some(web.secret.expose().clone());
    let password = notes.password.clone().unwrap_or_default();
    Ok(Inhabitants { machine, password, web })
}

struct Gardener<'a> {
    app: &'a App,
    operator: Operator,
}

impl Gardener<'_> {
    /// One resource: the API at the port that it has this time.
    async fn resource(&self, api_url: &str) -> Result<(), OperationError> {
        let known = resources::list(self.app, &self.operator).await?;
        if known.iter().any(|resource| resource.identifier.as_str() == api_url) {
            return Ok(());
        }
        for stale in known.iter().filter(|r| r.scopes.iter().any(|scope| scope.name == READ)) {
            resources::delete(self.app, &self.operator, stale.identifier.as_str()).await?;
        }
        let resource = json!({
            "identifier": api_url,
            "scopes": [
                { "name": READ, "description": "See your orders" },
                { "name": WRITE, "description": "Place orders for you" },
            ],
        });
        let resource = resources::parse(resource.to_string().as_bytes())?;
        resources::create(self.app, &self.operator, resource).await?;
        Ok(())
    }

    /// The demo's person, and their password: the remembered one, or a new one.
    async fn user(&self, remembered: Option<String>) -> Result<String, OperationError> {
        let known = users::show(self.app, &self.operator, USERNAME).await;
        match (known, remembered) {
            (Ok(_), Some(password)) => Ok(password),
            (Ok(_), None) => {
                let password = self.readable_password();
                let secret = Secret::new(password.clone());
                users::set_password(self.app, &self.operator, USERNAME, secret).await?;
                Ok(password)
            }
            (Err(OperationError::NotFound { .. }), _) => self.create_user().await,
            (Err(error), _) => Err(error),
        }
    }

    async fn create_user(&self) -> Result<String, OperationError> {
        let password = self.readable_password();
        let profile = users::Profile {
            username: USERNAME.to_owned(),
            email: Some("alice@example.com".to_owned()),
            email_verified: true,
            claims: serde_json::Map::from_iter([("name".to_owned(), json!("Alice Demo"))]),
        };
        let secret = Secret::new(password.clone());
        users::create(self.app, &self.operator, profile, Some(secret)).await?;
        Ok(password)
    }

    /// A confidential client; one whose secret nobody remembers gets another.
    async fn client(
        &self,
        id: &str,
        metadata: Value,
        remembered: Option<String>,
    ) -> Result<ClientCredentials, Failure> {
        let metadata = ClientMetadata::parse(metadata.to_string().as_bytes())
            .map_err(|error| Failure::refused(error.to_string()))?;
        let made = match clients::show(self.app, &self.operator, id).await {
            Ok(_) => {
                let updated = clients::update(self.app, &self.operator, id, metadata).await?;
                drop(updated);
                match remembered {
                    Some(secret) => Some(Secret::new(secret)),
                    None => self.new_secret(id).await?,
                }
            }
            Err(OperationError::NotFound { .. }) => {
                clients::create(self.app, &self.operator, metadata).await?.secret
            }
            Err(error) => return Err(error.into()),
        };
        let secret = made.ok_or_else(|| Failure::refused(format!("{id} has no secret")))?;
        Ok(ClientCredentials { id: id.to_owned(), secret, method: SecretMethod::Basic })
    }

    async fn new_secret(&self, id: &str) -> Result<Option<Secret<String>>, OperationError> {
        let at_once = std::time::Duration::ZERO;
        Ok(clients::rotate_secret(self.app, &self.operator, id, at_once).await?.secret)
    }

    /// Three words and a number: a person types it once.
    fn readable_password(&self) -> String {
        let bytes: [u8; 5] = random(&*self.app.environment);
        let [a, b, c, high, low] = bytes;
        let word = |byte: u8| WORDS.get(usize::from(byte) % WORDS.len()).copied().unwrap_or("key");
        let number = u16::from_be_bytes([high, low]) % 10_000;
        format!("{}-{}-{}-{number:04}", word(a), word(b), word(c))
    }
}

fn machine_metadata() -> Value {
    json!({
        "client_id": MACHINE,
        "client_name": "Demo machine",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "scope": format!("{READ} {WRITE}"),
    })
}

fn web_metadata(api_url: &str) -> Value {
    json!({
        "client_id": WEB,
        "client_name": "Demo Orders",
        "client_uri": api_url,
        "redirect_uris": [format!("{api_url}/callback")],
        "grant_types": ["authorization_code"],
        "scope": format!("openid profile email {READ}"),
    })
}

const WORDS: [&str; 64] = [
    "amber", "anchor", "apple", "arrow", "autumn", "bamboo", "beacon", "birch", "breeze", "bridge",
    "cactus", "candle", "canyon", "carbon", "cedar", "cherry", "cloud", "clover", "comet",
    "copper", "coral", "cotton", "crater", "desert", "ember", "falcon", "feather", "fjord",
    "forest", "garden", "ginger", "glacier", "granite", "harbor", "hazel", "island", "ivory",
    "jasmine", "kettle", "lagoon", "lantern", "lemon", "maple", "marble", "meadow", "mirror",
    "nectar", "ocean", "olive", "orchid", "pebble", "pepper", "planet", "quartz", "raven", "river",
    "saffron", "silver", "sparrow", "summit", "thunder", "valley", "velvet", "willow",
];
