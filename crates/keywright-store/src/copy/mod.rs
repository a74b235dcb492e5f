//! A store's rows as values that belong to no backend: for backups, and for moving elsewhere.
//!
//! A copy holds what the store holds, hashes and ciphertext, and never the master key. It leaves
//! out what belongs to running nodes, and what belongs to nobody since its client was deleted.
//!
//! [`Snapshot`] reads one consistent view, page by page, while others write. [`CopyStore`] writes
//! such pages into an empty store, and remembers with each how far it has come; until it has come
//! to the end, nobody may serve from that store.

mod dump;
mod place;
mod row;
mod transfer;

use async_trait::async_trait;

use crate::StoreFault;

pub use dump::{DumpFault, DumpHeader, DumpReader, DumpSummary, DumpWriter, Entry};
pub(crate) use place::Place;
pub use row::{Cell, Digest, Row};
pub use transfer::{Proof, Side, Watch, digest_of, load, prove, transfer};

/// Rows that are read and written together.
pub const BATCH_ROWS: u32 = 2000;

/// The verbs of copying.
#[async_trait]
pub trait CopyStore {
    /// All tables as they are now, whatever is written meanwhile.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreFault>;

    /// Whether anybody has put anything into the store.
    async fn is_empty(&self) -> Result<bool, StoreFault>;

    /// What is being copied into the store, if that is not finished.
    async fn unfinished_copy(&self) -> Result<Option<String>, StoreFault>;

    /// Empties the store, in one transaction, and marks it as the target of a copy.
    async fn begin_copy(&self, source: &str) -> Result<(), StoreFault>;

    /// How far the copy of a table has come.
    async fn copied_until(&self, table: Table) -> Result<Progress, StoreFault>;

    /// Empties a table, whose copy begins anew.
    async fn clear_table(&self, table: Table) -> Result<(), StoreFault>;

    /// Adds a page, and remembers where it ended, in one transaction.
    async fn put_rows(&self, table: Table, page: Rows) -> Result<(), StoreFault>;

    /// Takes the mark away: the copy is whole.
    async fn end_copy(&self) -> Result<(), StoreFault>;
}

/// A consistent view of a store.
#[async_trait]
pub trait Snapshot: Send {
    /// The rows of a table after a place, in an order of the backend's own.
    async fn page(&mut self, table: Table, after: Option<&str>) -> Result<Rows, StoreFault>;

    /// How many rows a table has.
    async fn count(&mut self, table: Table) -> Result<u64, StoreFault>;
}

/// A page of rows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Row>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<String>,
}

/// How far the copy of a table has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Up to a place, or nowhere yet.
    At(Option<String>),
    /// To its end.
    Finished,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Bytes, such as a hash.
    Bytes,
    /// 0 or 1.
    Flag,
    /// An identifier that is mostly this prefix and 128 random bits.
    Id(&'static str),
    /// A whole number.
    Number,
    /// A text, byte for byte.
    Text,
}

/// A column: its name, and what it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its name, the same in every backend.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal { $($column:ident: $kind:expr,)* })*) => {
        /// A table of a copy.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Table {
            $($(#[$doc])* $variant,)*
        }

        impl Table {
            /// Every table, in the order in which they are copied.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its columns.
            pub const fn columns(self) -> &'static [Column] {
                match self {
                    $(Self::$variant => {
                        &[$(Column { name: stringify!($column), kind: $kind },)*]
                    })*
                }
            }
        }
    };
}

use Kind::{Bytes, Flag, Id, Number, Text};

const FAMILY: Kind = Id("family_");
const GRANT: Kind = Id("grant_");
const REQUEST: Kind = Id("req_");
const SESSION: Kind = Id("session_");
const SUB: Kind = Id("user_");

tables! {
    /// The epoch, one row.
    Epoch = "epoch" { number: Number, raised_at: Number, }
    /// The last numbers given, which are never given again.
    Sequence = "sequence" { name: Text, last: Number, }
    /// Tenants.
    Tenant = "tenant" { id: Text, disabled: Flag, not_before: Number, body: Text, }
    /// Sealed secrets.
    Secret = "secret" { name: Text, sealed: Bytes, }
    /// Signing keys, sealed.
    SigningKey = "signing_key" {
        tenant: Text, kid: Text, alg: Text, sealed_private: Bytes, public: Text,
        published_at: Number, active_at: Number, retire_at: Number, gone_at: Number,
    }
    /// Resources.
    Resource = "resource" { tenant: Text, identifier: Text, body: Text, }
    /// Clients.
    Client = "client" {
        key: Number, tenant: Text, id: Text, disabled: Flag, not_before: Number, body: Text,
    }
    /// Users.
    User = "user" {
        tenant: Text, sub: SUB, username: Text, disabled: Flag, not_before: Number,
        password_hash: Text, body: Text,
    }
    /// Sessions.
    Session = "session" {
        id: SESSION, tenant: Text, sub: SUB, cookie: Bytes, authenticated_at: Number,
        expires_at: Number, body: Text,
    }
    /// Grants.
    Grant = "user_grant" {
        id: GRANT, client: Number, sub: SUB, session: SESSION, updated_at: Number, scope: Text,
        resources: Text,
    }
    /// Authorization codes.
    Code = "code" {
        hash: Bytes, client: Number, sub: SUB, session: SESSION, user_grant: GRANT,
        created_at: Number, expires_at: Number, state: Number, failures: Number, jti: Text,
        family: FAMILY, body: Text,
    }
    /// What many families have in common.
    Shape = "family_shape" { key: Number, client: Number, body: Text, }
    /// Refresh families.
    Family = "family" {
        id: FAMILY, shape: Number, sub: SUB, user_grant: GRANT, session: SESSION, offline: Flag,
        revoked: Flag, created_at: Number, authenticated_at: Number, absolute_expires_at: Number,
        idle_expires_at: Number, rotated_at: Number, generation: Number, current: Bytes,
        parent: Bytes, sealed_child: Bytes, epoch: Number,
    }
    /// One-time values.
    OneTime = "one_time" { key: Bytes, expires_at: Number, }
    /// The audit logs.
    Audit = "audit" {
        tenant: Text, seq: Number, request: REQUEST, prev_hash: Bytes, hash: Bytes, body: Text,
    }
    /// Refused requests.
    Refusal = "refusal" { key: Number, request: Text, body: Text, }
    /// The change log.
    Change = "change" { seq: Number, tenant: Text, kind: Text, client: Text, at: Number, }
    /// The revocation log.
    Revocation = "revocation" {
        seq: Number, tenant: Text, target: Text, at: Number, expires_at: Number,
    }
    /// Living tokens whose status is listed.
    ListedToken = "listed_token" {
        tenant: Text, list: Text, idx: Number, expires_at: Number, names: Text,
    }
}

impl Table {
    /// A table by name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|table| table.name() == name)
    }
}

/// What may be said in one statement of a table: its columns, comma-separated.
pub(crate) fn column_list(table: Table) -> String {
    let names: Vec<_> = table.columns().iter().map(|column| column.name).collect();
    names.join(", ")
}

/// The sequences whose last numbers are copied: of the logs, and of keys that are never used again.
pub(crate) const SEQUENCES: [&str; 5] =
    ["change", "client", "family_shape", "refusal", "revocation"];
