//! Browser sessions.

use keywright_protocol::id::SessionId;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::session::Session;
use keywright_store::{Listed, Page};

use super::{OperationError, Operator, revocations, users};
use crate::app::App;

/// A part of the live sessions, of one user (subject identifier or user name) or of all.
pub async fn list(
    app: &App,
    operator: &Operator,
    who: Option<&str>,
    page: Page,
) -> Result<Listed<Session>, OperationError> {
    operator.state(app)?;
    let sub = match who {
        Some(who) => Some(users::show(app, operator, who).await?.sub),
        None => None,
    };
    Ok(app.store.list_sessions(operator.tenant(), sub.as_ref(), app.now(), page).await?)
}

/// Ends a session, with the families and grants born in it.
pub async fn revoke(
    app: &App,
    operator: &Operator,
    id: &str,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let target = RevocationTarget::Session(SessionId::from_trusted(id));
    revocations::revoke(app, operator, target).await
}
