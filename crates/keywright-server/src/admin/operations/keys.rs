//! Signing keys.

use keywright_jose::Algorithm;
use keywright_protocol::audit::{EventType, Record};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::time::Timestamp;
use keywright_store::audit::Recorded;
use keywright_store::key::{KeyTimes, StoredKey};

use super::{OperationError, Operator, revocations, settle};
use crate::app::App;
use crate::keys::ring::{KeyState, state_of};

/// What an operator may know of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyInfo {
    /// Its name, RFC 7517 §4.5.
    pub kid: String,
    /// Its one algorithm.
    pub alg: Algorithm,
    /// What it does now.
    pub state: KeyState,
    /// When that changes.
    pub times: KeyTimes,
}

/// Every key of the tenant, by algorithm and age; those that are gone as long as they are
/// remembered.
pub async fn list(app: &App, operator: &Operator) -> Result<Vec<KeyInfo>, OperationError> {
    operator.state(app)?;
    let (stored, now) = (app.store.list_keys(operator.tenant()).await?, app.now());
    let mut keys: Vec<KeyInfo> = stored.into_iter().map(|key| info(key, now)).collect();
    keys.sort_by(|a, b| {
        (a.alg, a.times.active_at, &a.kid).cmp(&(b.alg, b.times.active_at, &b.kid))
    });
    Ok(keys)
}

/// Makes another key sign at once, for one algorithm or for each that has a key; the old ones
/// verify on until the last token is dead. The answer is the new names.
pub async fn rotate(
    app: &App,
    operator: &Operator,
    alg: Option<Algorithm>,
) -> Result<Vec<String>, OperationError> {
    let state = operator.state(app)?;
    let algorithms: Vec<Algorithm> = match alg {
        Some(alg) if !SIGNING_ALGORITHMS.contains(&alg) => {
            return Err(OperationError::invalid("alg", "is not offered"));
        }
        Some(alg) => vec![alg],
        None => {
            let keys = list(app, operator).await?;
            let signs = |alg: &Algorithm| {
                keys.iter().any(|key| key.alg == *alg && key.state == KeyState::Active)
            };
            SIGNING_ALGORITHMS.into_iter().filter(signs).collect()
        }
    };
    let mut kids = Vec::new();
    for alg in algorithms {
        tell(app, operator, alg).await?;
        kids.push(app.rotate_key(&state, alg, None).await?);
    }
    settle(app, &[]).await;
    Ok(kids)
}

/// Withdraws a key: its tokens are dead. Another one signs before that, so that nobody waits.
pub async fn revoke(
    app: &App,
    operator: &Operator,
    kid: &str,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let state = operator.state(app)?;
    let keys = list(app, operator).await?;
    let found = keys.iter().find(|key| key.kid == kid);
    let key = found.ok_or_else(|| OperationError::not_found("signing_key", kid))?;
    // By a clock that is behind, what signs elsewhere does not sign yet.
    let signs = |other: &KeyInfo| {
        let lives = matches!(other.state, KeyState::Active | KeyState::Next);
        other.alg == key.alg && other.kid != kid && lives
    };
    if key.state == KeyState::Active || !keys.iter().any(signs) {
        tell(app, operator, key.alg).await?;
        app.rotate_key(&state, key.alg, Some(kid)).await?;
    }
    let target = RevocationTarget::SigningKey(kid.to_owned());
    let entries = revocations::commit(app, operator, target).await?;
    settle(app, &entries).await;
    Ok(entries)
}

/// The rotation itself is the server's: this says who asked for it.
async fn tell(app: &App, operator: &Operator, alg: Algorithm) -> Result<(), OperationError> {
    let reason = format!("rotation of {alg} asked for");
    let event = operator.event(EventType::KeyRotated, app.now()).because(reason);
    match app.store.record(Record::of(event)).await? {
        // Nothing in the record had to be unused.
        Recorded::Committed(_) | Recorded::AssertionReplayed => Ok(()),
    }
}

fn info(key: StoredKey, now: Timestamp) -> KeyInfo {
    KeyInfo { kid: key.kid, alg: key.alg, state: state_of(&key.times, now), times: key.times }
}
