//! The client credentials grant, RFC 6749 §4.4.

use crate::authorize::checks::default_scope;
use crate::client::{Client, GrantType};
use crate::grant::{GrantError, IssuePlan, Principal, RefreshPlan};
use crate::resource::{ResourceCatalog, ResourceIndicator};
use crate::scope::{IDENTITY_SCOPES, ScopeSet};

/// The checks in order, those of [`decide`] and of the commit.
pub(super) const CHECKS: [&str; 4] =
    ["grant type", "scope", "resource", "user, client and grant are active"];

/// Judges a client's request for a token of its own.
pub fn decide(
    client: &Client,
    asked: Option<&ScopeSet>,
    resources: &[ResourceIndicator],
    catalog: &ResourceCatalog,
) -> Result<IssuePlan, GrantError> {
    // RFC 6749 §4.4: confidential clients only; registration refuses the combination too.
    if !client.may_use(GrantType::ClientCredentials) || !client.is_confidential() {
        return Err(GrantError::GrantTypeNotAllowed);
    }
    let allowed = client.allowed_scope();
    let scope = match asked {
        Some(scope) => scope.clone(),
        None => default_scope(&allowed, catalog, resources),
    };
    // No person signs in, so no scope that names a person's claims.
    let personal = scope.iter().any(|name| IDENTITY_SCOPES.contains(&name));
    if personal || !scope.is_subset_of(&allowed) {
        return Err(GrantError::ScopeNotAllowed);
    }
    catalog.check(resources, &scope)?;
    let target = catalog.target(resources, &scope)?;
    Ok(IssuePlan {
        client: client.id.clone(),
        principal: Principal::Client,
        family_scope: ScopeSet::default(),
        granted_resources: resources.to_vec(),
        scope,
        target,
        // RFC 6749 §4.4.3: no refresh token.
        refresh: RefreshPlan::None,
        id_token: None,
        _pkce: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{catalog, client, scopes, web_client};

    #[test]
    fn rfc6749_4_4_own_scopes_of_known_resources() {
        let machine = client(
            "machine",
            r#"{"grant_types":["client_credentials"],"scope":"openid orders:read gone:read"}"#,
        );
        let error = |asked: Option<&str>| {
            let asked = asked.map(scopes);
            decide(&machine, asked.as_ref(), &[], &catalog()).map(|p| p.scope.to_string())
        };
        assert_eq!(error(Some("orders:read")).as_deref(), Ok("orders:read"));
        for refused in ["orders:write", "gone:read", "openid", "orders:read orders:write"] {
            assert_eq!(error(Some(refused)), Err(GrantError::ScopeNotAllowed), "{refused}");
        }
        let web = decide(&web_client(), None, &[], &catalog());
        assert_eq!(web.err(), Some(GrantError::GrantTypeNotAllowed));
    }
}
