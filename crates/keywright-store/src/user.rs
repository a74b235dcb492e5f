//! People.

use async_trait::async_trait;
use keywright_protocol::audit::Record;
use keywright_protocol::id::{SessionId, Subject, TenantId};
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::{User, Username};

use crate::client::{Change, Create, Update};
use crate::{Listed, Page, StoreFault};

/// The verbs of users.
#[async_trait]
pub trait UserStore {
    /// Creates a user with, perhaps, a password.
    async fn create_user(&self, user: NewUser) -> Result<Create, StoreFault>;

    /// A user by subject identifier, disabled or not.
    async fn load_user(&self, tenant: &TenantId, sub: &Subject)
    -> Result<Option<User>, StoreFault>;

    /// A user by name, with the password's hash.
    async fn load_login(
        &self,
        tenant: &TenantId,
        username: &Username,
    ) -> Result<Option<Login>, StoreFault>;

    /// Changes a user inside one transaction; `sub` and `username` stay as they are.
    async fn update_user(&self, update: UpdateUser) -> Result<Update<User>, StoreFault>;

    /// Sets a password; the user's sessions but one end as revoked.
    async fn set_password(&self, set: SetPassword) -> Result<Update<User>, StoreFault>;

    /// Users, by subject identifier.
    async fn list_users(&self, tenant: &TenantId, page: Page) -> Result<Listed<User>, StoreFault>;
}

/// A user to create.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Whose.
    pub tenant: TenantId,
    /// Who.
    pub user: User,
    /// The Argon2id hash in PHC form.
    pub password_hash: Option<String>,
    /// Events, and the moment.
    pub record: Record,
}

/// What a sign-in needs.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub user: User,
    /// The Argon2id hash in PHC form.
    pub password_hash: Option<String>,
}

/// A change to a user.
pub struct UpdateUser {
    /// Whose.
    pub tenant: TenantId,
    /// Who.
    pub sub: Subject,
    /// What.
    pub change: Change<User>,
    /// If all they granted must die too: when the last access token is dead anyway. The store then
    /// raises `not_before` to the record's moment, ends the sessions and appends to the log.
    pub revoke_until: Option<Timestamp>,
    /// Events, and the moment.
    pub record: Record,
}

/// A password to set.
#[derive(Clone, Debug)]
pub struct SetPassword {
    /// Whose.
    pub tenant: TenantId,
    /// Who.
    pub sub: Subject,
    /// The Argon2id hash in PHC form.
    pub password_hash: String,
    /// The session that asked for it and goes on.
    pub keep: Option<SessionId>,
    /// When the last access token of the other sessions is dead anyway.
    pub tokens_expire_at: Timestamp,
    /// Events, and the moment.
    pub record: Record,
}
