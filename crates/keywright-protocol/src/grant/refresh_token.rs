//! The refresh token grant, RFC 6749 §6, with rotation: one row per family, one state machine.
//!
//! The row knows the hash of the current token and of its parent. Presenting the current one
//! advances the family. Presenting the parent within the retry window, while nobody has used the
//! child, hands out the same child again: the answer was lost. Anything else is reuse.
//!
//! A store that was restored, or that failed over to a copy that lagged, holds rows that may be
//! older than what clients hold. Such a row accepts, once, a token that proves to be of a later
//! generation, and goes on from it. docs/decisions/0010-epoch.md has the reasoning.

use serde::{Deserialize, Serialize};

use crate::client::{Client, GrantType};
use crate::grant::authorization_code::{narrow, still_allowed};
use crate::grant::{GrantError, IdTokenPlan, IssuePlan, Principal, RefreshPlan};
use crate::id::{ClientId, FamilyId, GrantId, SessionId, Subject};
use crate::resource::{ResourceCatalog, ResourceIndicator};
use crate::scope::ScopeSet;
use crate::session::Authentication;
use crate::time::Timestamp;
use crate::token::{GenerationKey, RefreshHash, RefreshToken};

/// A refresh family as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredFamily {
    /// Its identifier, `fid`.
    pub id: FamilyId,
    /// What never changes.
    pub origin: FamilyOrigin,
    /// The hash of the token that is not used yet.
    pub current: RefreshHash,
    /// The hash of the token that it replaced.
    pub parent: Option<RefreshHash>,
    /// The current token under the parent's own key.
    pub sealed_child: Option<Vec<u8>>,
    /// How often it was rotated.
    pub generation: u64,
    /// When it was last rotated.
    pub rotated_at: Timestamp,
    /// When it ends if it is not used.
    pub idle_expires_at: Timestamp,
    /// When it ends, however often it is used.
    pub absolute_expires_at: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether the store went back in time since the row was written: it may have been used since.
    pub restored: bool,
}

/// What a family was born with: rotation changes none of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FamilyOrigin {
    /// Whose tokens.
    pub client: ClientId,
    /// For whom.
    pub sub: Subject,
    /// Under which grant.
    pub grant: GrantId,
    /// Born in which session.
    pub session: SessionId,
    /// Whether it outlives that session.
    pub offline: bool,
    /// What it may ask for.
    pub scope: ScopeSet,
    /// For which resources.
    pub resources: Vec<ResourceIndicator>,
    /// How the person signed in.
    pub authentication: Authentication,
    /// When the family began.
    pub created_at: Timestamp,
}

/// What the client sends.
#[derive(Clone, Copy, Debug)]
pub struct Refresh<'a> {
    /// The authenticated client.
    pub client: &'a Client,
    /// The presented token.
    pub presented: Presented,
    /// A part of the granted scope.
    pub scope: Option<&'a ScopeSet>,
    /// A part of the granted resources.
    pub resources: &'a [ResourceIndicator],
    /// The answer to a rotation after this moment may be asked for again.
    pub retry_since: Timestamp,
}

/// What is known of a presented refresh token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Presented {
    /// Its hash.
    pub hash: RefreshHash,
    /// Its generation, where the token proves one.
    pub generation: Option<u64>,
}

impl Presented {
    /// What a token says of itself.
    pub fn of(token: &RefreshToken, key: &GenerationKey) -> Self {
        Self { hash: token.hash(), generation: token.proven_generation(key) }
    }
}

/// The checks of a refresh in order, those of [`decide`] and of the commit.
pub(super) const CHECKS: [&str; 9] = [
    "refresh token is known",
    "refresh token is the client's",
    "grant type",
    "refresh token is not revoked",
    "refresh token has not expired",
    "refresh token is unused",
    "scope",
    "resource",
    "user, client and grant are active",
];

/// Judges the use of a refresh token.
pub fn decide(
    family: &StoredFamily,
    request: Refresh<'_>,
    catalog: &ResourceCatalog,
    now: Timestamp,
) -> Result<IssuePlan, GrantError> {
    let origin = &family.origin;
    // Owner first: another client's replay must not revoke this family.
    if origin.client != request.client.id {
        return Err(GrantError::RefreshOfAnotherClient);
    }
    if !request.client.may_use(GrantType::RefreshToken) {
        return Err(GrantError::GrantTypeNotAllowed);
    }
    if family.revoked {
        return Err(GrantError::RefreshRevoked);
    }
    if family.idle_expires_at <= now || family.absolute_expires_at <= now {
        return Err(GrantError::RefreshExpired);
    }
    let refresh = transition(family, request.presented, request.retry_since)?;
    let asked = request.scope.unwrap_or(&origin.scope);
    // RFC 6749 §6: never more than was granted.
    if !asked.is_subset_of(&origin.scope) {
        return Err(GrantError::ScopeWidened);
    }
    let asked = still_allowed(asked, request.client)?;
    let (scope, target) = narrow(&asked, &origin.resources, request.resources, catalog)?;
    let session = (!origin.offline).then(|| origin.session.clone());
    Ok(IssuePlan {
        client: origin.client.clone(),
        principal: Principal::User {
            sub: origin.sub.clone(),
            authentication: origin.authentication.clone(),
            grant: origin.grant.clone(),
            session,
        },
        // OpenID Connect Core §12.2: the nonce is not repeated.
        id_token: scope.contains("openid").then(|| IdTokenPlan {
            alg: request.client.metadata.id_token_signed_response_alg,
            nonce: None,
            session: Some(origin.session.clone()),
        }),
        scope,
        // RFC 6749 §6: the new refresh token's scope is the presented one's.
        family_scope: origin.scope.clone(),
        granted_resources: origin.resources.clone(),
        target,
        refresh,
        _pkce: None,
    })
}

/// The state machine: what a presented token does to a live family.
pub fn transition(
    family: &StoredFamily,
    presented: Presented,
    retry_since: Timestamp,
) -> Result<RefreshPlan, GrantError> {
    if presented.hash == family.current {
        return Ok(RefreshPlan::Advance(family.id.clone()));
    }
    let is_parent = family.parent == Some(presented.hash);
    // The child is unused as long as it is the current one, which it is: nothing came after it.
    if is_parent && family.rotated_at > retry_since {
        return Ok(RefreshPlan::Retry { family: family.id.clone(), since: retry_since });
    }
    // Only this server makes a later generation, so the row is what lags, not the client. Writing
    // it ends that state: whatever else is presented then is reuse again.
    let later = presented.generation.filter(|generation| *generation > family.generation);
    match later.filter(|_| family.restored) {
        Some(generation) => Ok(RefreshPlan::Adopt { family: family.id.clone(), generation }),
        None => Err(GrantError::RefreshReused),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{at, catalog, client, family, refresh_token, scopes, web_client};

    const RETRY: Duration = Duration::from_secs(10);

    fn presented(generation: u8) -> Presented {
        Presented { hash: refresh_token(generation).hash(), generation: Some(generation.into()) }
    }

    fn judge(
        change: impl Fn(&mut StoredFamily),
        generation: u8,
        scope: Option<&str>,
        now_s: i64,
    ) -> Result<IssuePlan, GrantError> {
        let mut family = family();
        change(&mut family);
        let (client, scope) = (web_client(), scope.map(scopes));
        let request = Refresh {
            client: &client,
            presented: presented(generation),
            scope: scope.as_ref(),
            resources: &[],
            retry_since: at(now_s).minus(RETRY),
        };
        decide(&family, request, &catalog(), at(now_s))
    }

    #[test]
    fn rfc9700_4_14_2_current_parent_and_everything_else() {
        let refresh = |generation, now_s| judge(|_| {}, generation, None, now_s).map(|p| p.refresh);
        let id = family().id;
        assert_eq!(refresh(1, 300), Ok(RefreshPlan::Advance(id.clone())));
        let retry = RefreshPlan::Retry { family: id, since: at(199) };
        assert_eq!(refresh(0, 209), Ok(retry), "the answer was lost");
        assert_eq!(refresh(0, 210), Err(GrantError::RefreshReused), "too late for a retry");
        assert_eq!(refresh(7, 201), Err(GrantError::RefreshReused), "older than the parent");
    }

    #[test]
    fn rfc6749_6_owner_lifetime_and_scope() {
        let error =
            |change: fn(&mut StoredFamily), scope, now_s| judge(change, 1, scope, now_s).err();
        assert_eq!(error(|_| {}, Some("openid"), 300), None);
        assert_eq!(error(|_| {}, Some("orders:write"), 300), Some(GrantError::ScopeWidened));
        assert_eq!(error(|_| {}, None, 999), None);
        assert_eq!(error(|_| {}, None, 1000), Some(GrantError::RefreshExpired), "idle");
        let tireless: fn(&mut StoredFamily) = |f| f.idle_expires_at = at(9999);
        assert_eq!(error(tireless, None, 1999), None);
        assert_eq!(error(tireless, None, 2000), Some(GrantError::RefreshExpired), "absolute");
        assert_eq!(error(|f| f.revoked = true, None, 300), Some(GrantError::RefreshRevoked));
        let foreign: fn(&mut StoredFamily) = |f| f.origin.client = ClientId::from_trusted("x");
        assert_eq!(error(foreign, None, 300), Some(GrantError::RefreshOfAnotherClient));
    }

    #[test]
    fn another_clients_replay_does_not_revoke() {
        let other = client(
            "other",
            r#"{"redirect_uris":["https://o.example/"],"grant_types":["authorization_code","refresh_token"]}"#,
        );
        let request = Refresh {
            client: &other,
            presented: presented(9),
            scope: None,
            resources: &[],
            retry_since: at(290),
        };
        let verdict = decide(&family(), request, &catalog(), at(300));
        assert_eq!(verdict.err(), Some(GrantError::RefreshOfAnotherClient));
    }

    #[test]
    fn a_restored_row_follows_only_a_proven_later_token() {
        let id = family().id;
        let advance = Ok(RefreshPlan::Advance(id.clone()));
        let adopt = |generation| Ok(RefreshPlan::Adopt { family: id.clone(), generation });
        let retry = Ok(RefreshPlan::Retry { family: id.clone(), since: at(199) });
        let reused = Err(GrantError::RefreshReused);
        let restored: fn(&mut StoredFamily) = |f| f.restored = true;
        let forked: fn(&mut StoredFamily) = |f| {
            f.restored = true;
            f.generation = 5;
        };
        let revoked: fn(&mut StoredFamily) = |f| {
            f.restored = true;
            f.revoked = true;
        };
        let same: fn(&mut StoredFamily) = |_| {};
        for (name, change, generation, now_s, want) in [
            ("the row's own token", restored, 1, 300, advance.clone()),
            ("the next one", restored, 2, 300, adopt(2)),
            ("one much later", restored, 9, 300, adopt(9)),
            ("the parent, in time", restored, 0, 209, retry),
            ("the parent, too late", restored, 0, 210, reused.clone()),
            ("of the row's generation, but another", forked, 5, 300, reused.clone()),
            ("earlier than the row", forked, 4, 300, reused.clone()),
            ("of a revoked family", revoked, 2, 300, Err(GrantError::RefreshRevoked)),
            ("no restore: the row is the truth", same, 2, 300, reused.clone()),
            ("no restore: its own token", same, 1, 300, advance),
        ] {
            let got = judge(change, generation, None, now_s).map(|plan| plan.refresh);
            assert_eq!(got, want, "{name}");
        }
        let mut family = family();
        family.restored = true;
        let unproven = Presented { generation: None, ..presented(2) };
        assert_eq!(transition(&family, unproven, at(290)), reused, "no proof");
        assert_eq!(transition(&family, presented(2), at(290)), adopt(2));
    }

    /// A family as the commit would change it.
    struct Model {
        family: StoredFamily,
        minted: u8,
    }

    impl Model {
        fn present(&mut self, generation: u8, now: Timestamp) -> Result<u8, GrantError> {
            let shown = presented(generation);
            match transition(&self.family, shown, now.minus(RETRY)) {
                Ok(RefreshPlan::Advance(_) | RefreshPlan::Adopt { .. }) => {
                    self.minted = generation + 1;
                    self.family.parent = Some(shown.hash);
                    self.family.generation = self.minted.into();
                    self.family.restored = false;
                    self.family.current = refresh_token(self.minted).hash();
                    self.family.rotated_at = now;
                    Ok(self.minted)
                }
                Ok(_) => Ok(self.minted),
                Err(error) => {
                    self.family.revoked = true;
                    Err(error)
                }
            }
        }
    }

    proptest! {
        /// Whatever is presented in whatever order: one live leaf, no way back, reuse ends it.
        #[test]
        fn at_most_one_leaf_is_ever_live(
            steps in proptest::collection::vec((0_u8..6, 0_i64..8), 1..40),
        ) {
            let mut model = Model { family: family(), minted: 1 };
            let mut now = 200;
            for (back, pause) in steps {
                now += pause;
                let leaf = model.minted;
                let presented = leaf.saturating_sub(back);
                let got = model.present(presented, at(now));
                match leaf - presented {
                    0 => prop_assert_eq!(got, Ok(leaf + 1)),
                    1 if got.is_ok() => prop_assert_eq!(got, Ok(leaf), "the same child"),
                    _ => {
                        prop_assert_eq!(got, Err(GrantError::RefreshReused));
                        break;
                    }
                }
                prop_assert_eq!(model.family.current, refresh_token(model.minted).hash());
            }
        }

        /// However far the row fell behind: of the tokens that are out there, one is accepted,
        /// and the next that is not its child ends the family.
        #[test]
        fn after_a_restore_one_leaf_is_live(
            ahead in 0_u8..6, first in 0_u8..8, second in 0_u8..8, pause in 100_i64..200,
        ) {
            let newest = 1 + ahead;
            let mut model = Model { family: family(), minted: 1 };
            model.family.restored = true;
            let (first, second) = (first.min(newest), second.min(newest));
            let now = 200 + pause;
            let got = model.present(first, at(now));
            if first < 1 {
                prop_assert_eq!(got, Err(GrantError::RefreshReused));
                return Ok(());
            }
            prop_assert_eq!(got, Ok(first + 1));
            let got = model.present(second, at(now + 60));
            // The fixture's tokens of one generation are the same token: skip the honest child.
            if second != first + 1 {
                prop_assert_eq!(got, Err(GrantError::RefreshReused), "a second leaf");
                prop_assert!(model.family.revoked);
            }
        }
    }
}
