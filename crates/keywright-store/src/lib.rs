//! What must be atomic: the verbs of the protocol over a store.
//!
//! A verb is one transaction. It takes everything it needs as a value, and its outcome is an enum
//! that names every way it can end. A caller loads a snapshot, decides, mints, and commits; because
//! the decision judged a snapshot, the commit repeats every loaded fact that can change. Whether a
//! code can be spent twice is answered by one statement of one verb, in `redeem_code`.
//!
//! Every commit carries a [`Record`](keywright_protocol::audit::Record): its audit events, which
//! join the tenant's hash chain, and what must be used only once. Both are rows of the same
//! transaction.
//!
//! [`memory`] is the obvious model; [`sqlite`] is what runs on one machine and [`postgres`] what
//! runs on many. All pass the suite in `contract`; a new backend is done when it does.
//!
//! **Architecture invariant:** no secret arrives here: only hashes, and ciphertext that the store
//! cannot open. No clock is read here: `now` is in every record.

mod attempt;
pub mod audit;
pub mod change;
pub mod client;
pub mod code;
mod commit;
#[cfg(test)]
mod contract;
pub mod copy;
mod ending;
pub mod epoch;
pub mod grant;
mod identifier;
pub mod job;
pub mod key;
pub mod memory;
pub mod postgres;
pub mod refresh;
pub mod resource;
pub mod revocation;
pub mod schema;
pub mod session;
pub mod sqlite;
pub mod tenant;
pub mod throttle;
pub mod user;

use std::sync::Arc;

use keywright_protocol::id::TenantId;
use keywright_protocol::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use keywright_protocol::profile::Profile;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Every verb together: what a backend offers.
pub trait Store:
    audit::AuditStore
    + change::ChangeStore
    + client::ClientStore
    + code::CodeStore
    + copy::CopyStore
    + epoch::EpochStore
    + grant::GrantStore
    + job::JobStore
    + key::KeyStore
    + refresh::RefreshStore
    + resource::ResourceStore
    + revocation::RevocationStore
    + session::SessionStore
    + tenant::TenantStore
    + throttle::ThrottleStore
    + user::UserStore
    + Send
    + Sync
    + 'static
{
}

impl<T> Store for T where
    T: audit::AuditStore
        + change::ChangeStore
        + client::ClientStore
        + code::CodeStore
        + copy::CopyStore
        + epoch::EpochStore
        + grant::GrantStore
        + job::JobStore
        + key::KeyStore
        + refresh::RefreshStore
        + resource::ResourceStore
        + revocation::RevocationStore
        + session::SessionStore
        + tenant::TenantStore
        + throttle::ThrottleStore
        + user::UserStore
        + Send
        + Sync
        + 'static
{
}

/// A store that is shared by all requests.
pub type SharedStore = Arc<dyn Store>;

/// Why a verb could not be carried out: our fault, never the peer's.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFault {
    /// Somebody else holds the database, or the queue is full: worth another try soon.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// What is stored cannot be read: somebody else wrote it, or the disk is broken.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// The disk is full: nothing was changed.
    #[error("the store's disk is full")]
    Full,
    /// The schema is of another version of this program.
    #[error("{0}")]
    Incompatible(String),
    /// The store cannot be reached or has failed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// A part of a list: what comes after a key.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The last key of the part before.
    pub after: Option<String>,
    /// Rows, at most; 0 for the default.
    pub limit: u32,
}

impl Page {
    /// How many rows the part may hold.
    fn rows(&self) -> u32 {
        if self.limit == 0 { PAGE_ROWS_DEFAULT } else { self.limit.min(PAGE_ROWS_MAX) }
    }

    /// How many rows to ask for, so that one is left over if the part is not the last.
    fn one_more(&self) -> u32 {
        self.rows() + 1
    }

    /// Cuts the row that was left over.
    fn cut<T>(&self, mut items: Vec<T>, key: impl FnOnce(&T) -> String) -> Listed<T> {
        let rows = self.rows() as usize;
        let more = items.len() > rows;
        items.truncate(rows);
        let next = items.last().filter(|_| more).map(key);
        Listed { items, next }
    }
}

/// The tenant that every store begins with. Its moments lie before all others, so that it accepts
/// whatever is issued.
fn first_tenant() -> Tenant {
    Tenant {
        id: TenantId::default_tenant(),
        display_name: "Keywright".to_owned(),
        profile: Profile::default(),
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: Timestamp::from_millis(0),
        longest_lifetime_s: 0,
    }
}

/// A part of a list, and where it goes on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Listed<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The `after` of the next part; none if this is the last.
    pub next: Option<String>,
}
