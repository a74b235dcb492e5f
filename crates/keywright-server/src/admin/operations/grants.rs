//! What people granted to clients.

use keywright_protocol::grant::StoredGrant;
use keywright_protocol::id::{ClientId, GrantId};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_store::grant::GrantFilter;
use keywright_store::{Listed, Page};

use super::{OperationError, Operator, revocations, users};
use crate::app::App;

/// A part of the live grants, by identifier: of one user (subject identifier or user name), to one
/// client.
pub async fn list(
    app: &App,
    operator: &Operator,
    user: Option<&str>,
    client: Option<&str>,
    page: Page,
) -> Result<Listed<StoredGrant>, OperationError> {
    operator.state(app)?;
    let sub = match user {
        Some(who) => Some(users::show(app, operator, who).await?.sub),
        None => None,
    };
    let client = client.map(ClientId::parse).transpose()?;
    Ok(app.store.list_grants(operator.tenant(), GrantFilter { sub, client }, page).await?)
}

/// Takes a grant back, with its families and tokens.
pub async fn revoke(
    app: &App,
    operator: &Operator,
    id: &str,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let target = RevocationTarget::Grant(GrantId::from_trusted(id));
    revocations::revoke(app, operator, target).await
}
