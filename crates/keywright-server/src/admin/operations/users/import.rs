//! People from elsewhere, with the hashes of their passwords.

use std::sync::Arc;

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;
use keywright_protocol::user::{User, Username};
use keywright_store::client::Create;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::{Profile, new_user, recorded};
use crate::admin::operations::{Import, OperationError, Operator, RefusedItem, parse_json, settle};
use crate::app::App;

/// Users in one import.
const IMPORT_MAX: usize = 100_000;
/// What a stored hash may cost at each sign-in: RFC 9106 §4's first choice, and no more.
const MEMORY_KIB_MAX: u32 = 2 * 1024 * 1024;
const PASSES_MAX: u32 = 16;

/// Users that are stored at the same time.
const TOGETHER: usize = 256;

/// A line that may be stored: its place, the user, the hash.
type Checked = (usize, User, Option<String>);

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    username: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    password_hash: Option<String>,
}

/// Creates many users: one JSON object a line, with `username` and perhaps `email`,
/// `email_verified`, `claims` and `password_hash` (Argon2 in PHC form). All are checked first.
pub async fn import(
    app: &App,
    operator: &Operator,
    lines: &str,
) -> Result<Import<User>, OperationError> {
    let (mut users, mut refused) = (Vec::new(), Vec::new());
    let lines = (1..).zip(lines.lines()).filter(|(_, line)| !line.trim().is_empty());
    for (place, line) in lines {
        match read_line(app, operator, line).await {
            Ok(_) if users.len() >= IMPORT_MAX => {
                let reason = format!("has more than {IMPORT_MAX} users");
                return Err(OperationError::invalid("document", reason));
            }
            Ok((user, hash)) => users.push((place, user, hash)),
            Err(OperationError::Fault(fault)) => return Err(fault.into()),
            Err(error) => refused.push(RefusedItem { place, error }),
        }
    }
    refused.extend(refuse_twins(&users));
    let mut created = Vec::new();
    if refused.is_empty() {
        operator.state(app)?;
        for part in users.chunks(TOGETHER) {
            store_part(app, operator, part, &mut created, &mut refused).await?;
            if !refused.is_empty() {
                break;
            }
        }
        settle(app, &[]).await;
    }
    Ok(Import { created, refused })
}

/// Stores some users at the same time: the store commits those that wait together.
async fn store_part(
    app: &App,
    operator: &Operator,
    part: &[Checked],
    created: &mut Vec<User>,
    refused: &mut Vec<RefusedItem>,
) -> Result<(), OperationError> {
    let mut storing = JoinSet::new();
    for (place, user, hash) in part.iter().cloned() {
        let new = recorded(operator, user.clone(), hash);
        let store = Arc::clone(&app.store);
        storing.spawn(async move { (place, user, store.create_user(new).await) });
    }
    let mut stored = storing.join_all().await;
    stored.sort_by_key(|(place, ..)| *place);
    for (place, user, outcome) in stored {
        match outcome? {
            Create::Created => created.push(user),
            Create::Exists => {
                let error = OperationError::conflict("user", user.username.as_str());
                refused.push(RefusedItem { place, error });
            }
        }
    }
    Ok(())
}

async fn read_line(
    app: &App,
    operator: &Operator,
    line: &str,
) -> Result<(User, Option<String>), OperationError> {
    let line: Line = parse_json(line.as_bytes())?;
    if let Some(hash) = &line.password_hash {
        check_hash(hash)?;
    }
    let Line { username, email, email_verified, claims, password_hash } = line;
    let user = new_user(app, Profile { username, email, email_verified, claims })?;
    match app.store.load_login(operator.tenant(), &user.username).await? {
        Some(_) => Err(OperationError::conflict("user", user.username.as_str())),
        None => Ok((user, password_hash)),
    }
}

/// The lines whose user name stands in an earlier line too.
fn refuse_twins(users: &[Checked]) -> Vec<RefusedItem> {
    let mut seen = std::collections::HashSet::<&Username>::new();
    let twins = users.iter().filter(|(_, user, _)| !seen.insert(&user.username));
    twins
        .map(|(place, user, _)| {
            let error = OperationError::conflict("user", user.username.as_str());
            RefusedItem { place: *place, error }
        })
        .collect()
}

/// A hash that this server can verify, at a price that it can pay.
fn check_hash(text: &str) -> Result<(), OperationError> {
    let refuse = |reason: &str| Err(OperationError::invalid("password_hash", reason));
    let Ok(hash) = PasswordHash::new(text) else {
        return refuse("is not in PHC form");
    };
    if !text.starts_with("$argon2") || hash.salt.is_none() || hash.hash.is_none() {
        return refuse("is not an Argon2 hash");
    }
    match Params::try_from(&hash) {
        Ok(params) if params.m_cost() <= MEMORY_KIB_MAX && params.t_cost() <= PASSES_MAX => Ok(()),
        Ok(_) => refuse("costs too much to verify"),
        Err(_) => refuse("has parameters that cannot be used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT_AND_HASH: &str =
        "c29tZXNhbHRzb21lc2FsdA$WwD2/wGGTuw7u4BW8sLM0Q9IH0qmSwPBWfrNRWF9xNQ";

    #[test]
    fn hashes_that_can_be_verified_at_a_bearable_price() {
        let hash = |kind: &str| format!("{kind}${SALT_AND_HASH}");
        for good in ["$argon2id$v=19$m=19456,t=2,p=1", "$argon2i$v=19$m=4096,t=3,p=1"] {
            assert!(check_hash(&hash(good)).is_ok(), "{good}");
        }
        for bad in [
            hash("$argon2id$v=19$m=4194304,t=2,p=1"),
            hash("$argon2id$v=19$m=19456,t=1000,p=1"),
            hash("$scrypt$ln=16,r=8,p=1"),
            "$2b$12$abcdefghijklmnopqrstuv".to_owned(),
            "$argon2id$v=19$m=19456,t=2,p=1".to_owned(),
            String::new(),
        ] {
            assert!(check_hash(&bad).is_err(), "{bad}");
        }
    }
}
