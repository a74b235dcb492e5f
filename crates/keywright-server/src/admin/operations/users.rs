//! People.

use keywright_protocol::audit::{EventType, Record};
use keywright_protocol::id::Subject;
use keywright_protocol::secret::Secret;
use keywright_protocol::session::Session;
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::{User, Username};
use keywright_store::client::{Change, Create, Update};
use keywright_store::user::{NewUser, SetPassword, UpdateUser};
use keywright_store::{Listed, Page};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{OperationError, Operator, settle};
use crate::admin::operations::sessions;
use crate::app::App;
use crate::environment::random;
use crate::password::check_new;

mod claims;
mod import;

pub use import::import;

/// Subject identifiers begin so; client identifiers never do.
const SUBJECT_PREFIX: &str = "user_";
/// RFC 5321 §4.5.3.1.3: an address in a path.
const EMAIL_BYTES_MAX: usize = 254;

/// What is said of a person.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// What they sign in with.
    pub username: String,
    /// An address.
    pub email: Option<String>,
    /// Whether the address is proven to be theirs.
    pub email_verified: bool,
    /// Further standard claims, OpenID Connect Core §5.1.
    pub claims: Map<String, Value>,
}

/// What changes; what is not said stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// The address; another one counts as unproven unless the next member says otherwise.
    pub email: EmailChange,
    /// Whether the address is proven to be theirs.
    pub email_verified: Option<bool>,
    /// All further claims.
    pub claims: Option<Map<String, Value>>,
}

/// What becomes of an address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Option<String>")]
pub enum EmailChange {
    /// It is taken away.
    Clear,
    /// It stays.
    #[default]
    Keep,
    /// It is replaced.
    Set(String),
}

/// In a document: absent keeps, null clears.
impl From<Option<String>> for EmailChange {
    fn from(email: Option<String>) -> Self {
        email.map_or(Self::Clear, Self::Set)
    }
}

/// Creates a user; without a password they cannot sign in yet.
pub async fn create(
    app: &App,
    operator: &Operator,
    profile: Profile,
    password: Option<Secret<String>>,
) -> Result<User, OperationError> {
    let user = new_user(app, profile)?;
    let password_hash = match password {
        Some(password) => Some(hash(app, password).await?),
        None => None,
    };
    store_new(app, operator, user.clone(), password_hash).await?;
    settle(app, &[]).await;
    Ok(user)
}

/// A part of the users, by subject identifier.
pub async fn list(
    app: &App,
    operator: &Operator,
    page: Page,
) -> Result<Listed<User>, OperationError> {
    operator.state(app)?;
    Ok(app.store.list_users(operator.tenant(), page).await?)
}

/// A user, by subject identifier or user name.
pub async fn show(app: &App, operator: &Operator, who: &str) -> Result<User, OperationError> {
    let tenant = operator.tenant();
    if who.starts_with(SUBJECT_PREFIX)
        && let Some(user) = app.store.load_user(tenant, &Subject::from_trusted(who)).await?
    {
        return Ok(user);
    }
    let found = match Username::parse(who) {
        Ok(name) => app.store.load_login(tenant, &name).await?,
        Err(_) => None,
    };
    found.map(|login| login.user).ok_or_else(|| OperationError::not_found("user", who))
}

/// A part of a user's live sessions.
pub async fn sessions(
    app: &App,
    operator: &Operator,
    who: &str,
    page: Page,
) -> Result<Listed<Session>, OperationError> {
    sessions::list(app, operator, Some(who), page).await
}

/// Changes what is said of a user.
pub async fn update(
    app: &App,
    operator: &Operator,
    who: &str,
    change: ProfileChange,
) -> Result<User, OperationError> {
    if let EmailChange::Set(email) = &change.email {
        check_email(email)?;
    }
    if let Some(claims) = &change.claims {
        claims::check(claims)?;
    }
    let user = show(app, operator, who).await?;
    let has_email = match change.email {
        EmailChange::Clear => false,
        EmailChange::Keep => user.email.is_some(),
        EmailChange::Set(_) => true,
    };
    if change.email_verified == Some(true) && !has_email {
        return Err(OperationError::invalid("email_verified", "needs an email"));
    }
    let now = app.now();
    let apply: Change<User> = Box::new(move |user| apply(user, &change, now));
    change_user(app, operator, &user.sub, Changing::new("profile", apply, now)).await
}

/// Disables a user: their sessions end, and what they granted is dead.
pub async fn disable(app: &App, operator: &Operator, who: &str) -> Result<User, OperationError> {
    let (sub, now) = (show(app, operator, who).await?.sub, app.now());
    let disable: Change<User> = Box::new(move |user| {
        user.disabled = true;
        user.updated_at = now;
    });
    let revoke_until = Some(operator.tokens_expire_at(app, now)?);
    let changing = Changing { revoke_until, ..Changing::new("disabled", disable, now) };
    change_user(app, operator, &sub, changing).await
}

/// Enables a user again; what was revoked stays revoked.
pub async fn enable(app: &App, operator: &Operator, who: &str) -> Result<User, OperationError> {
    let (sub, now) = (show(app, operator, who).await?.sub, app.now());
    let enable: Change<User> = Box::new(move |user| {
        user.disabled = false;
        user.updated_at = now;
    });
    change_user(app, operator, &sub, Changing::new("enabled", enable, now)).await
}

/// Sets a password: every session of the user ends, with the families and grants born in them.
pub async fn set_password(
    app: &App,
    operator: &Operator,
    who: &str,
    password: Secret<String>,
) -> Result<User, OperationError> {
    let sub = show(app, operator, who).await?.sub;
    let password_hash = hash(app, password).await?;
    let now = app.now();
    let event = operator.event(EventType::UserUpdated, now).subject(&sub).because("password");
    let set = SetPassword {
        tenant: operator.tenant().clone(),
        sub: sub.clone(),
        password_hash,
        keep: None,
        tokens_expire_at: operator.tokens_expire_at(app, now)?,
        record: Record::of(event),
    };
    finish(app, app.store.set_password(set).await?, &sub).await
}

fn apply(user: &mut User, change: &ProfileChange, now: Timestamp) {
    let email = match &change.email {
        EmailChange::Clear => None,
        EmailChange::Keep => user.email.as_ref(),
        EmailChange::Set(email) => Some(email),
    };
    if user.email.as_ref() != email {
        user.email = email.cloned();
        user.email_verified = false;
    }
    if let Some(verified) = change.email_verified {
        user.email_verified = verified && user.email.is_some();
    }
    if let Some(claims) = &change.claims {
        user.claims.clone_from(claims);
    }
    user.updated_at = now;
}

/// A change to a user, with what its event says.
struct Changing {
    reason: &'static str,
    change: Change<User>,
    revoke_until: Option<Timestamp>,
    now: Timestamp,
}

impl Changing {
    fn new(reason: &'static str, change: Change<User>, now: Timestamp) -> Self {
        Self { reason, change, revoke_until: None, now }
    }
}

async fn change_user(
    app: &App,
    operator: &Operator,
    sub: &Subject,
    changing: Changing,
) -> Result<User, OperationError> {
    let event = operator.event(EventType::UserUpdated, changing.now).subject(sub);
    let update = UpdateUser {
        tenant: operator.tenant().clone(),
        sub: sub.clone(),
        change: changing.change,
        revoke_until: changing.revoke_until,
        record: Record::of(event.because(changing.reason)),
    };
    finish(app, app.store.update_user(update).await?, sub).await
}

async fn finish(app: &App, update: Update<User>, sub: &Subject) -> Result<User, OperationError> {
    match update {
        Update::Done { value, revoked } => {
            settle(app, &revoked).await;
            Ok(value)
        }
        Update::Missing => Err(OperationError::not_found("user", sub.as_str())),
    }
}

/// A user from what is said of them, checked.
fn new_user(app: &App, profile: Profile) -> Result<User, OperationError> {
    let username = Username::parse(&profile.username)?;
    match &profile.email {
        Some(email) => check_email(email)?,
        None if profile.email_verified => {
            return Err(OperationError::invalid("email_verified", "needs an email"));
        }
        None => {}
    }
    claims::check(&profile.claims)?;
    let now = app.now();
    Ok(User {
        sub: Subject::from_random(random(&*app.environment)),
        username,
        email: profile.email,
        email_verified: profile.email_verified,
        claims: profile.claims,
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: now,
        updated_at: now,
    })
}

async fn store_new(
    app: &App,
    operator: &Operator,
    user: User,
    password_hash: Option<String>,
) -> Result<(), OperationError> {
    operator.state(app)?;
    let name = user.username.clone();
    match app.store.create_user(recorded(operator, user, password_hash)).await? {
        Create::Created => Ok(()),
        Create::Exists => Err(OperationError::conflict("user", name.as_str())),
    }
}

/// A user with the event of their creation.
fn recorded(operator: &Operator, user: User, password_hash: Option<String>) -> NewUser {
    let event = operator.event(EventType::UserCreated, user.created_at).subject(&user.sub);
    NewUser { tenant: operator.tenant().clone(), user, password_hash, record: Record::of(event) }
}

async fn hash(app: &App, password: Secret<String>) -> Result<String, OperationError> {
    check_new(&password).map_err(|why| OperationError::invalid("password", why.to_string()))?;
    Ok(app.passwords.hash(password, &*app.environment).await?)
}

/// An address that could receive mail: whether it does is proven by a message, not by its form.
fn check_email(email: &str) -> Result<(), OperationError> {
    let printable = email.chars().all(|c| !c.is_control() && !c.is_whitespace());
    let parts =
        email.rsplit_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty());
    if parts.is_none() || !printable || email.len() > EMAIL_BYTES_MAX {
        return Err(OperationError::invalid("email", "is not an address"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b", "ada.lovelace+x@mail.example", "\"a@b\"@c", "gr\u{fc}n@b.example"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        let long = format!("{}@b", "a".repeat(EMAIL_BYTES_MAX));
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b\r\nBcc: x@y", &long] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
    }
}
