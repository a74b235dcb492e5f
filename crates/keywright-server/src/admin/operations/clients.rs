//! Clients, RFC 7591.

use std::time::Duration;

use keywright_jose::sha256;
use keywright_protocol::audit::{EventType, Record};
use keywright_protocol::client::{Client, ClientMetadata, StoredSecret};
use keywright_protocol::id::ClientId;
use keywright_protocol::limits::CLIENT_SECRETS_MAX;
use keywright_protocol::secret::Secret;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::client_secret;
use keywright_store::client::{Change, Create, DeleteClient, Update, UpdateClient};
use keywright_store::{Listed, Page};
use serde_json::Value;

use super::{Import, OperationError, Operator, RefusedItem, settle};
use crate::app::App;
use crate::environment::random;

/// How long the old secrets live beside a new one, CONTRACT §2.
pub const SECRET_OVERLAP: Duration = Duration::from_hours(24);
/// Longer overlaps are no rotation.
const SECRET_OVERLAP_MAX: Duration = Duration::from_hours(366 * 24);
/// Clients in one import.
const IMPORT_MAX: usize = 10_000;
/// Members that this server adds to metadata when it shows a client; what was shown may come back.
const SHOWN: [&str; 4] =
    ["client_id_issued_at", "client_secret_expires_at", "keywright_disabled", "keywright_secrets"];

/// A client, and the secret that is told only now.
#[derive(Debug)]
pub struct IssuedClient {
    /// The client.
    pub client: Client,
    /// Its new secret, where one was made.
    pub secret: Option<Secret<String>>,
}

/// Registers a client.
pub async fn create(
    app: &App,
    operator: &Operator,
    metadata: ClientMetadata,
) -> Result<IssuedClient, OperationError> {
    let issued = store_new(app, operator, metadata).await?;
    settle(app, &[]).await;
    Ok(issued)
}

/// Registers many clients: a JSON array of metadata, or a single one. All are checked first.
pub async fn import(
    app: &App,
    operator: &Operator,
    json: &[u8],
) -> Result<Import<IssuedClient>, OperationError> {
    let (mut metadata, mut refused) = (Vec::new(), Vec::new());
    for (place, item) in (1..).zip(read_items(json)?) {
        match read_item(app, operator, &item, &metadata).await {
            Ok(item) => metadata.push(item),
            Err(OperationError::Fault(fault)) => return Err(fault.into()),
            Err(error) => refused.push(RefusedItem { place, error }),
        }
    }
    let mut created = Vec::new();
    if refused.is_empty() {
        for (place, item) in (1..).zip(metadata) {
            match store_new(app, operator, item).await {
                Ok(issued) => created.push(issued),
                Err(error) => {
                    refused.push(RefusedItem { place, error });
                    break;
                }
            }
        }
        settle(app, &[]).await;
    }
    Ok(Import { created, refused })
}

/// A part of the clients, by identifier.
pub async fn list(
    app: &App,
    operator: &Operator,
    page: Page,
) -> Result<Listed<Client>, OperationError> {
    operator.state(app)?;
    Ok(app.store.list_clients(operator.tenant(), page).await?)
}

/// A client.
pub async fn show(app: &App, operator: &Operator, id: &str) -> Result<Client, OperationError> {
    let found = app.store.load_client(operator.tenant(), &known_id(id)?).await?;
    found.ok_or_else(|| OperationError::not_found("client", id))
}

/// Reads metadata that replaces what [`show`] has shown: what this server adds is passed over.
pub fn parse_update(json: &[u8]) -> Result<ClientMetadata, OperationError> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(json) else {
        return Ok(ClientMetadata::parse(json)?);
    };
    members.retain(|member, _| !SHOWN.contains(&member.as_str()));
    Ok(ClientMetadata::parse(Value::Object(members).to_string().as_bytes())?)
}

/// Replaces a client's metadata, RFC 7592 §2.2. A client that only now needs a secret gets one; one
/// that needs none any more loses them.
pub async fn update(
    app: &App,
    operator: &Operator,
    id: &str,
    mut metadata: ClientMetadata,
) -> Result<IssuedClient, OperationError> {
    metadata.check()?;
    if metadata.client_id.take().is_some_and(|given| given != id) {
        // RFC 7592 §2.2: the identifier stays.
        return Err(OperationError::invalid("client_id", "cannot be changed"));
    }
    let now = app.now();
    let (secret, stored) = new_secret(app, now);
    let sha256 = stored.sha256;
    let change: Change<Client> = Box::new(move |client| {
        client.metadata = metadata.clone();
        if !metadata.token_endpoint_auth_method.uses_secret() {
            client.secrets.clear();
        } else if !client.secrets.iter().any(|secret| is_live(secret, now)) {
            client.secrets.push(stored.clone());
        }
    });
    let client = change_client(app, operator, id, Changing::new("metadata", change, now)).await?;
    let issued = client.secrets.iter().any(|secret| secret.sha256 == sha256);
    Ok(IssuedClient { client, secret: issued.then_some(secret) })
}

/// Disables a client; its tokens die with it.
pub async fn disable(app: &App, operator: &Operator, id: &str) -> Result<Client, OperationError> {
    let now = app.now();
    let change = Changing::new("disabled", Box::new(|client| client.disabled = true), now);
    let revoke_until = Some(operator.tokens_expire_at(app, now)?);
    change_client(app, operator, id, Changing { revoke_until, ..change }).await
}

/// Enables a client again; what was revoked stays revoked.
pub async fn enable(app: &App, operator: &Operator, id: &str) -> Result<Client, OperationError> {
    let enable: Change<Client> = Box::new(|client| client.disabled = false);
    change_client(app, operator, id, Changing::new("enabled", enable, app.now())).await
}

/// Deletes a client, its grants and its tokens.
pub async fn delete(app: &App, operator: &Operator, id: &str) -> Result<(), OperationError> {
    let (client, now) = (known_id(id)?, app.now());
    let event = operator.event(EventType::ClientDeleted, now).client(&client);
    let delete = DeleteClient {
        tenant: operator.tenant().clone(),
        id: client,
        tokens_expire_at: operator.tokens_expire_at(app, now)?,
        record: Record::of(event),
    };
    match app.store.delete_client(delete).await? {
        Update::Done { revoked, .. } => settle(app, &revoked).await,
        Update::Missing => return Err(OperationError::not_found("client", id)),
    }
    Ok(())
}

/// Makes a new secret; the others live on for `overlap`, or end at once if it is zero. Of more than
/// the limit's secrets the oldest makes room.
pub async fn rotate_secret(
    app: &App,
    operator: &Operator,
    id: &str,
    overlap: Duration,
) -> Result<IssuedClient, OperationError> {
    if overlap > SECRET_OVERLAP_MAX {
        return Err(OperationError::invalid("overlap", "is longer than a year"));
    }
    if !show(app, operator, id).await?.metadata.token_endpoint_auth_method.uses_secret() {
        let reason = "of this client uses no secret";
        return Err(OperationError::invalid("token_endpoint_auth_method", reason));
    }
    let now = app.now();
    let (secret, stored) = new_secret(app, now);
    let change: Change<Client> =
        Box::new(move |client| rotate(&mut client.secrets, stored.clone(), now.plus(overlap), now));
    let event = EventType::ClientSecretRotated;
    let changing = Changing { event, ..Changing::new("new secret", change, now) };
    let client = change_client(app, operator, id, changing).await?;
    Ok(IssuedClient { client, secret: Some(secret) })
}

/// Ends the others by `ends_at`, forgets the dead ones and adds the new one.
fn rotate(secrets: &mut Vec<StoredSecret>, new: StoredSecret, ends_at: Timestamp, now: Timestamp) {
    for secret in &mut *secrets {
        secret.expires_at = Some(secret.expires_at.map_or(ends_at, |earlier| earlier.min(ends_at)));
    }
    secrets.retain(|secret| is_live(secret, now));
    let excess = (secrets.len() + 1).saturating_sub(CLIENT_SECRETS_MAX);
    secrets.drain(..excess);
    secrets.push(new);
}

fn is_live(secret: &StoredSecret, now: Timestamp) -> bool {
    secret.expires_at.is_none_or(|end| end > now)
}

/// A change to a client, with what its event says.
struct Changing {
    event: EventType,
    reason: &'static str,
    change: Change<Client>,
    revoke_until: Option<Timestamp>,
    now: Timestamp,
}

impl Changing {
    fn new(reason: &'static str, change: Change<Client>, now: Timestamp) -> Self {
        Self { event: EventType::ClientUpdated, reason, change, revoke_until: None, now }
    }
}

async fn change_client(
    app: &App,
    operator: &Operator,
    id: &str,
    changing: Changing,
) -> Result<Client, OperationError> {
    let client = known_id(id)?;
    let event = operator.event(changing.event, changing.now).client(&client);
    let update = UpdateClient {
        tenant: operator.tenant().clone(),
        id: client,
        change: changing.change,
        revoke_until: changing.revoke_until,
        record: Record::of(event.because(changing.reason)),
    };
    match app.store.update_client(update).await? {
        Update::Done { value, revoked } => {
            settle(app, &revoked).await;
            Ok(value)
        }
        Update::Missing => Err(OperationError::not_found("client", id)),
    }
}

async fn store_new(
    app: &App,
    operator: &Operator,
    mut metadata: ClientMetadata,
) -> Result<IssuedClient, OperationError> {
    metadata.check()?;
    operator.state(app)?;
    let id = match metadata.client_id.take() {
        Some(chosen) => ClientId::parse(&chosen)?,
        None => ClientId::from_random(random(&*app.environment)),
    };
    let now = app.now();
    let made = metadata.token_endpoint_auth_method.uses_secret().then(|| new_secret(app, now));
    let (secret, stored) = made.unzip();
    let client = Client {
        tenant: operator.tenant().clone(),
        id: id.clone(),
        metadata,
        secrets: Vec::from_iter(stored),
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: now,
    };
    let record = Record::of(operator.event(EventType::ClientCreated, now).client(&id));
    match app.store.create_client(client.clone(), record).await? {
        Create::Created => Ok(IssuedClient { client, secret }),
        Create::Exists => Err(OperationError::conflict("client", id.as_str())),
    }
}

fn new_secret(app: &App, now: Timestamp) -> (Secret<String>, StoredSecret) {
    let secret = client_secret(&random(&*app.environment));
    let sha256 = sha256(secret.expose().as_bytes());
    (secret, StoredSecret { sha256, created_at: now, expires_at: None })
}

/// An identifier that could be one: anything else is a client that does not exist.
fn known_id(id: &str) -> Result<ClientId, OperationError> {
    ClientId::parse(id).map_err(|_| OperationError::not_found("client", id))
}

fn read_items(json: &[u8]) -> Result<Vec<Value>, OperationError> {
    let document = serde_json::from_slice(json)
        .map_err(|error| OperationError::invalid("document", format!("is not JSON: {error}")))?;
    let items = match document {
        Value::Array(items) => items,
        one => vec![one],
    };
    if items.len() > IMPORT_MAX {
        let reason = format!("has more than {IMPORT_MAX} clients");
        return Err(OperationError::invalid("document", reason));
    }
    Ok(items)
}

/// Checks one client of an import against the rules, the store, and those before it.
async fn read_item(
    app: &App,
    operator: &Operator,
    item: &Value,
    before: &[ClientMetadata],
) -> Result<ClientMetadata, OperationError> {
    let metadata = ClientMetadata::parse(item.to_string().as_bytes())?;
    if let Some(id) = &metadata.client_id {
        let twice = before.iter().any(|other| other.client_id.as_ref() == Some(id));
        let stored = app.store.load_client(operator.tenant(), &ClientId::parse(id)?).await?;
        if twice || stored.is_some() {
            return Err(OperationError::conflict("client", id));
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn secret(byte: u8, expires_at: Option<i64>) -> StoredSecret {
        StoredSecret { sha256: [byte; 32], created_at: at(0), expires_at: expires_at.map(at) }
    }

    #[test]
    fn old_secrets_end_and_never_later_than_they_would() {
        let mut secrets = vec![secret(1, None), secret(2, Some(50)), secret(3, Some(10))];
        rotate(&mut secrets, secret(4, None), at(100), at(20));
        assert_eq!(secrets, [secret(1, Some(100)), secret(2, Some(50)), secret(4, None)]);
        rotate(&mut secrets, secret(5, None), at(30), at(30));
        assert_eq!(secrets, [secret(5, None)], "no overlap");
    }

    #[test]
    fn there_are_never_more_secrets_than_the_limit() {
        let mut secrets = Vec::new();
        for byte in 0..20 {
            rotate(&mut secrets, secret(byte, None), at(100), at(20));
        }
        assert_eq!(secrets.len(), CLIENT_SECRETS_MAX);
        assert_eq!(secrets.last(), Some(&secret(19, None)));
    }
}
