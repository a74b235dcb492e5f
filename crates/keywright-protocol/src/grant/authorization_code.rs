//! The authorization code grant, RFC 6749 §4.1.3.

use serde::{Deserialize, Serialize};

use crate::authorize::pkce::{CodeChallenge, CodeVerifier, verify_pkce};
use crate::client::{Client, GrantType, RefreshRule};
use crate::grant::plan::Survival;
use crate::grant::{GrantError, IdTokenPlan, IssuePlan, Principal, RefreshPlan};
use crate::id::{ClientId, FamilyId, GrantId, Jti, SessionId, Subject};
use crate::resource::{ResourceCatalog, ResourceIndicator, Target};
use crate::scope::ScopeSet;
use crate::session::Authentication;
use crate::time::Timestamp;

/// An authorization code as it is stored, RFC 6749 §4.1.2: bound to all that it was issued for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredCode {
    /// To whom it was issued.
    pub client: ClientId,
    /// Who consented.
    pub sub: Subject,
    /// In which session.
    pub session: SessionId,
    /// Under which grant.
    pub grant: GrantId,
    /// What was granted.
    pub scope: ScopeSet,
    /// For which resources.
    pub resources: Vec<ResourceIndicator>,
    /// Where the response went.
    pub redirect_uri: String,
    /// RFC 7636 §4.4.
    pub challenge: Option<CodeChallenge>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// How the person signed in.
    pub authentication: Authentication,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What became of it.
    pub state: CodeState,
}

/// What became of a code.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum CodeState {
    /// Too many failed redemptions.
    Burned,
    /// Waiting.
    Issued,
    /// Used: a second use kills what came of the first.
    Redeemed {
        /// The access token.
        jti: Jti,
        /// The refresh family.
        family: Option<FamilyId>,
    },
}

/// What the client sends with the code.
#[derive(Clone, Copy, Debug)]
pub struct Redemption<'a> {
    /// The authenticated client.
    pub client: &'a Client,
    /// Enforced if sent.
    pub redirect_uri: Option<&'a str>,
    /// RFC 7636 §4.5.
    pub verifier: Option<&'a CodeVerifier>,
    /// RFC 8707 §2.2: a part of what was granted.
    pub resources: &'a [ResourceIndicator],
}

/// Judges the redemption of a code.
pub fn decide(
    code: &StoredCode,
    request: Redemption<'_>,
    catalog: &ResourceCatalog,
    now: Timestamp,
) -> Result<IssuePlan, GrantError> {
    // Owner first: another client's replay must not revoke this client's tokens.
    if code.client != request.client.id {
        return Err(GrantError::CodeOfAnotherClient);
    }
    match code.state {
        CodeState::Issued => {}
        CodeState::Burned => return Err(GrantError::CodeBurned),
        CodeState::Redeemed { .. } => return Err(GrantError::CodeReplayed),
    }
    if code.expires_at <= now {
        return Err(GrantError::CodeExpired);
    }
    // OAuth 2.1 §10.2: not needed beside PKCE, enforced if sent.
    if request.redirect_uri.is_some_and(|uri| uri != code.redirect_uri) {
        return Err(GrantError::RedirectUriMismatch);
    }
    let pkce = verify_pkce(code.challenge.as_ref(), request.verifier)?;
    let (scope, target) = narrow(&code.scope, &code.resources, request.resources, catalog)?;
    let refresh = refresh_rule(request.client, &code.scope);
    let session = match refresh {
        RefreshPlan::Start(Survival::Offline) => None,
        _ => Some(code.session.clone()),
    };
    Ok(IssuePlan {
        client: code.client.clone(),
        principal: Principal::User {
            sub: code.sub.clone(),
            authentication: code.authentication.clone(),
            grant: code.grant.clone(),
            session,
        },
        id_token: scope.contains("openid").then(|| IdTokenPlan {
            alg: request.client.metadata.id_token_signed_response_alg,
            nonce: code.nonce.clone(),
            session: Some(code.session.clone()),
        }),
        scope,
        family_scope: code.scope.clone(),
        granted_resources: code.resources.clone(),
        target,
        refresh,
        _pkce: Some(pkce),
    })
}

/// The scope and audience of a token for some of the granted resources, RFC 8707 §2.2.
pub(crate) fn narrow(
    granted: &ScopeSet,
    granted_resources: &[ResourceIndicator],
    asked: &[ResourceIndicator],
    catalog: &ResourceCatalog,
) -> Result<(ScopeSet, Target), GrantError> {
    let within = |id: &ResourceIndicator| {
        if granted_resources.is_empty() {
            // Granted by scope alone: any resource to which a granted scope belongs.
            let belongs = |name: &str| catalog.belongs(std::slice::from_ref(id), name);
            catalog.find(id).is_some() && granted.of_resources().iter().any(belongs)
        } else {
            granted_resources.contains(id)
        }
    };
    if !asked.iter().all(within) {
        return Err(GrantError::ResourceUnknown);
    }
    let chosen = if asked.is_empty() { granted_resources } else { asked };
    let scope = granted.filtered(|name| catalog.belongs(chosen, name));
    let target = catalog.target(chosen, &scope)?;
    Ok((scope, target))
}

/// CONTRACT: with consented `offline_access`, or always where the client's metadata says so.
fn refresh_rule(client: &Client, scope: &ScopeSet) -> RefreshPlan {
    if !client.may_use(GrantType::RefreshToken) {
        return RefreshPlan::None;
    }
    if scope.contains("offline_access") {
        return RefreshPlan::Start(Survival::Offline);
    }
    match client.metadata.keywright_refresh {
        Some(RefreshRule::Always) => RefreshPlan::Start(Survival::WithSession),
        Some(RefreshRule::OfflineAccess) | None => RefreshPlan::None,
    }
}
