//! Tenants: issuers with clients, users and keys of their own.

use keywright_protocol::audit::{AuditEvent, EventType, Record};
use keywright_protocol::id::TenantId;
use keywright_protocol::profile::Profile;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_store::client::{Change, Create, Update};
use keywright_store::tenant::UpdateTenant;

use super::{OperationError, Operator, settle};
use crate::app::App;

/// A name that people read, characters.
const DISPLAY_NAME_MAX: usize = 100;

/// A tenant to create.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its name, a path segment of its issuer.
    pub name: String,
    /// What people read on its pages; the name otherwise.
    pub display_name: Option<String>,
    /// The requirements that it keeps.
    pub profile: Profile,
}

/// Creates a tenant, with keys of its own.
pub async fn create(
    app: &App,
    operator: &Operator,
    new: NewTenant,
) -> Result<Tenant, OperationError> {
    let malformed = "must be lower-case letters, digits and inner hyphens, 63 at most";
    let id = TenantId::parse(&new.name).map_err(|_| OperationError::invalid("name", malformed))?;
    let display_name = new.display_name.unwrap_or_else(|| id.to_string());
    check_display_name(&display_name)?;
    let now = app.now();
    let tenant = Tenant {
        id: id.clone(),
        display_name,
        profile: new.profile,
        disabled: false,
        not_before: Timestamp::from_millis(0),
        created_at: now,
        longest_lifetime_s: 0,
    };
    let record = record(operator, EventType::TenantCreated, &id, None, now);
    match app.store.create_tenant(tenant.clone(), record).await? {
        Create::Created => settle(app, &[]).await,
        Create::Exists => return Err(OperationError::conflict("tenant", id.as_str())),
    }
    Ok(tenant)
}

/// Every tenant, by name.
pub async fn list(app: &App) -> Result<Vec<Tenant>, OperationError> {
    Ok(app.store.list_tenants().await?)
}

/// A tenant.
pub async fn show(app: &App, name: &str) -> Result<Tenant, OperationError> {
    let found = list(app).await?.into_iter().find(|tenant| tenant.id.as_str() == name);
    found.ok_or_else(|| OperationError::not_found("tenant", name))
}

/// Disables a tenant: it answers nobody, and its tokens are dead.
pub async fn disable(app: &App, operator: &Operator, name: &str) -> Result<Tenant, OperationError> {
    let id = known_name(name)?;
    if id.is_default() {
        let reason = "is the default tenant, whose operators enable the others";
        return Err(OperationError::invalid("name", reason));
    }
    let state = app.any_tenant(&id).ok_or_else(|| OperationError::not_found("tenant", name))?;
    let now = app.now();
    let update = UpdateTenant {
        change: Box::new(|tenant: &mut Tenant| tenant.disabled = true),
        revoke_until: Some(app.tokens_expire_at(&state, now)),
        record: record(operator, EventType::TenantUpdated, &id, Some("disabled"), now),
        id,
    };
    change_tenant(app, update).await
}

/// Enables a tenant again; what was revoked stays revoked.
pub async fn enable(app: &App, operator: &Operator, name: &str) -> Result<Tenant, OperationError> {
    let id = known_name(name)?;
    let change: Change<Tenant> = Box::new(|tenant| tenant.disabled = false);
    let record = record(operator, EventType::TenantUpdated, &id, Some("enabled"), app.now());
    change_tenant(app, UpdateTenant { id, change, revoke_until: None, record }).await
}

async fn change_tenant(app: &App, update: UpdateTenant) -> Result<Tenant, OperationError> {
    let name = update.id.to_string();
    match app.store.update_tenant(update).await? {
        Update::Done { value, revoked } => {
            settle(app, &revoked).await;
            Ok(value)
        }
        Update::Missing => Err(OperationError::not_found("tenant", &name)),
    }
}

/// Both logs tell it: the tenant's own, and that of the operator's tenant.
fn record(
    operator: &Operator,
    event: EventType,
    tenant: &TenantId,
    what: Option<&str>,
    now: Timestamp,
) -> Record {
    let reason = what.map_or_else(|| format!("tenant {tenant}"), |what| format!("{what} {tenant}"));
    let event = operator.event(event, now).because(reason);
    let own = AuditEvent { tenant: tenant.clone(), ..event.clone() };
    let elsewhere = (operator.tenant() != tenant).then_some(event);
    Record { now, events: std::iter::once(own).chain(elsewhere).collect(), once: None }
}

fn known_name(name: &str) -> Result<TenantId, OperationError> {
    TenantId::parse(name).map_err(|_| OperationError::not_found("tenant", name))
}

fn check_display_name(name: &str) -> Result<(), OperationError> {
    let count = name.chars().count();
    if count == 0 || count > DISPLAY_NAME_MAX || name.chars().any(char::is_control) {
        let reason = format!("must have 1 to {DISPLAY_NAME_MAX} printable characters");
        return Err(OperationError::invalid("display_name", reason));
    }
    Ok(())
}
