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

/// The checks of a redemption in order, those of [`decide`] and of the commit.
pub(super) const CHECKS: [&str; 10] = [
    "code is known",
    "code is the client's",
    "grant type",
    "code is unused",
    "code has not expired",
    "redirect_uri",
    "PKCE",
    "scope",
    "resource",
    "user, client and grant are active",
];

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
    if !request.client.may_use(GrantType::AuthorizationCode) {
        return Err(GrantError::GrantTypeNotAllowed);
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
    // What the client may have now: all that follows is derived from it.
    let granted = still_allowed(&code.scope, request.client)?;
    let (scope, target) = narrow(&granted, &code.resources, request.resources, catalog)?;
    let refresh = refresh_rule(request.client, &granted);
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
        family_scope: granted,
        granted_resources: code.resources.clone(),
        target,
        refresh,
        _pkce: Some(pkce),
    })
}

/// The part of a grant that the client may still have; none left is a refusal.
pub(crate) fn still_allowed(granted: &ScopeSet, client: &Client) -> Result<ScopeSet, GrantError> {
    let allowed = client.allowed_scope();
    let left = granted.filtered(|name| allowed.contains(name));
    if left.is_empty() && !granted.is_empty() { Err(GrantError::ScopeNotAllowed) } else { Ok(left) }
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
    // A resource that was deleted takes its scopes along; the last one takes the grant.
    let live: Vec<_> = chosen.iter().filter(|id| catalog.find(id).is_some()).cloned().collect();
    if live.is_empty() && !chosen.is_empty() {
        return Err(GrantError::ResourceUnknown);
    }
    let known = |name: &str| catalog.knows_scope(name) && catalog.belongs(&live, name);
    let scope = granted.filtered(known);
    let target = catalog.target(&live, &scope)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{REDIRECT, at, catalog, client, code, scopes, verifier, web_client};

    struct Case {
        must: &'static str,
        name: &'static str,
        change: fn(&mut StoredCode),
        redirect_uri: Option<&'static str>,
        with_verifier: bool,
        at_s: i64,
        want: Option<GrantError>,
    }

    const GOOD: Case = Case {
        must: "RFC6749-4.1.3",
        name: "a fresh code by its client",
        change: |_| {},
        redirect_uri: Some(REDIRECT),
        with_verifier: true,
        at_s: 101,
        want: None,
    };

    fn cases() -> [Case; 10] {
        [
            GOOD,
            Case { name: "the last moment", at_s: 159, ..GOOD },
            Case {
                must: "RFC6749-4.1.2",
                name: "a moment too late",
                at_s: 160,
                want: Some(GrantError::CodeExpired),
                ..GOOD
            },
            Case {
                must: "RFC6749-4.1.2",
                name: "second use",
                change: |code| {
                    let jti = Jti::from_trusted("j");
                    code.state = CodeState::Redeemed { jti, family: None };
                },
                want: Some(GrantError::CodeReplayed),
                ..GOOD
            },
            Case {
                must: "RFC6749-4.1.3",
                name: "another client's code, used or not",
                change: |code| code.client = ClientId::from_trusted("other"),
                want: Some(GrantError::CodeOfAnotherClient),
                ..GOOD
            },
            Case {
                must: "CONTRACT-3",
                name: "burned by failures",
                change: |code| code.state = CodeState::Burned,
                want: Some(GrantError::CodeBurned),
                ..GOOD
            },
            Case { must: "OAuth2.1-10.2", name: "no redirect_uri", redirect_uri: None, ..GOOD },
            Case {
                must: "OAuth2.1-10.2",
                name: "another redirect_uri",
                redirect_uri: Some("https://web.example/cb/"),
                want: Some(GrantError::RedirectUriMismatch),
                ..GOOD
            },
            Case {
                must: "RFC7636-4.6",
                name: "no verifier",
                with_verifier: false,
                want: Some(GrantError::PkceMissing),
                ..GOOD
            },
            Case {
                must: "RFC9700-2.1.1",
                name: "a verifier without challenge",
                change: |code| code.challenge = None,
                want: Some(GrantError::PkceMissing),
                ..GOOD
            },
        ]
    }

    #[test]
    fn each_must_passes_and_its_neighbour_fails() {
        for case in cases() {
            let mut stored = code();
            (case.change)(&mut stored);
            let (client, verifier) = (web_client(), verifier());
            let request = Redemption {
                client: &client,
                redirect_uri: case.redirect_uri,
                verifier: case.with_verifier.then_some(&verifier),
                resources: &[],
            };
            let got = decide(&stored, request, &catalog(), at(case.at_s));
            assert_eq!(got.err(), case.want, "{}: {}", case.must, case.name);
        }
    }

    #[test]
    fn refresh_tokens_follow_offline_access_or_the_client() {
        let metadata = |more: &str| {
            format!(
                r#"{{"redirect_uris":["https://web.example/cb"],"scope":"openid offline_access"
                {more}}}"#
            )
        };
        let refresh = r#","grant_types":["authorization_code","refresh_token"]"#;
        let always = format!(r#"{refresh},"keywright_refresh":"always""#);
        for (more, scope, want) in [
            ("", "openid offline_access", RefreshPlan::None),
            (refresh, "openid", RefreshPlan::None),
            (refresh, "openid offline_access", RefreshPlan::Start(Survival::Offline)),
            (&always, "openid", RefreshPlan::Start(Survival::WithSession)),
            (&always, "openid offline_access", RefreshPlan::Start(Survival::Offline)),
        ] {
            let client = client("web", &metadata(more));
            let got = refresh_rule(&client, &scopes(scope));
            assert_eq!(got, want, "{more} {scope}");
        }
    }

    #[test]
    fn rfc8707_2_2_a_token_for_a_part_of_the_resources() {
        let api = ResourceIndicator::parse("https://api.example").unwrap();
        let other = ResourceIndicator::parse("https://other.example").unwrap();
        let granted = scopes("openid orders:read");
        let asked = [api.clone()];
        let (scope, target) = narrow(&granted, &[], &asked, &catalog()).unwrap();
        assert_eq!(
            (scope.to_string().as_str(), target.resources),
            ("openid orders:read", vec![api])
        );
        let refused = narrow(&granted, &[], &[other], &catalog());
        assert_eq!(refused.err(), Some(GrantError::ResourceUnknown));
    }

    #[test]
    fn what_was_withdrawn_from_the_client_is_gone_at_redemption() {
        let verifier = verifier();
        let plan = |metadata: &str| {
            let client = client("web", metadata);
            let request = Redemption {
                client: &client,
                redirect_uri: None,
                verifier: Some(&verifier),
                resources: &[],
            };
            decide(&code(), request, &catalog(), at(101))
        };
        let uris = r#""redirect_uris":["https://web.example/cb"]"#;
        let both = r#""grant_types":["authorization_code","refresh_token"]"#;
        let all = format!(r#"{{{uris},{both},"scope":"openid offline_access orders:read"}}"#);
        assert_eq!(plan(&all).unwrap().refresh, RefreshPlan::Start(Survival::Offline));
        let online = format!(r#"{{{uris},{both},"scope":"openid"}}"#);
        let narrowed = plan(&online).unwrap();
        assert_eq!(narrowed.scope.to_string(), "openid");
        assert_eq!(narrowed.refresh, RefreshPlan::None, "offline_access was withdrawn");
        assert!(narrowed.target.resources.is_empty(), "and so was the API's scope");
        let nothing = format!(r#"{{{uris},{both},"scope":"profile"}}"#);
        assert_eq!(plan(&nothing).err(), Some(GrantError::ScopeNotAllowed));
        let other = format!(r#"{{{uris},"grant_types":["refresh_token"]}}"#);
        assert_eq!(plan(&other).err(), Some(GrantError::GrantTypeNotAllowed));
    }
}
