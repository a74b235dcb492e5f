//! Policy: the same function at issue and at redemption. It narrows a plan and never widens it.

use crate::client::Client;
use crate::grant::{GrantError, IssuePlan};
use crate::scope::ScopeSet;

/// A plan that policy has approved; only [`approve`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedPlan(IssuePlan);

impl ApprovedPlan {
    /// The plan.
    pub const fn plan(&self) -> &IssuePlan {
        &self.0
    }
}

/// Holds a plan against what the client may have now, not when the flow began.
pub fn approve(mut plan: IssuePlan, client: &Client) -> Result<ApprovedPlan, GrantError> {
    if client.disabled || client.id != plan.client {
        return Err(GrantError::SubjectGone);
    }
    let allowed = client.allowed_scope();
    let narrowed = narrow(&plan.scope, &allowed);
    // A scope that was withdrawn from the client since is gone; if none is left, so is the grant.
    if narrowed.is_empty() && !plan.scope.is_empty() {
        return Err(GrantError::ScopeNotAllowed);
    }
    if !narrowed.contains("openid") {
        plan.id_token = None;
    }
    plan.scope = narrowed;
    Ok(ApprovedPlan(plan))
}

fn narrow(scope: &ScopeSet, allowed: &ScopeSet) -> ScopeSet {
    scope.filtered(|name| allowed.contains(name))
}
