//! Minting: an approved plan becomes secrets and the hashes that the commit stores.

use std::sync::Arc;
use std::time::Duration;

use keywright_jose::{Algorithm, SealingKey, SigningKey, base64url_encode, sign_compact};
use keywright_protocol::claims::access_token::{self, AccessClaims, Minting};
use keywright_protocol::claims::id_token::IdTokenClaims;
use keywright_protocol::grant::authorization_code::StoredCode;
use keywright_protocol::grant::plan::{IssuePlan, Lifetimes, Principal, RefreshPlan, Survival};
use keywright_protocol::grant::refresh_token::{FamilyOrigin, StoredFamily};
use keywright_protocol::id::{FamilyId, Jti};
use keywright_protocol::policy::ApprovedPlan;
use keywright_protocol::resource::TokenFormat;
use keywright_protocol::secret::Secret;
use keywright_protocol::status_list::{ListedToken, StatusClaim, StatusListReference, TokenNames};
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::{OPAQUE_PREFIX, RefreshToken};
use keywright_protocol::wire::json;
use keywright_protocol::wire::response::TokenSet;
use keywright_store::refresh::{Child, NewFamily, RotationStep};

use crate::environment::{Environment, random};
use crate::error::ServerFault;
use crate::tenants::TenantState;

/// How long an ID token may be presented to the client it is for.
const ID_TOKEN_LIFETIME: Duration = Duration::from_mins(10);

/// What minting needs beside the plan.
#[derive(Clone, Copy)]
pub struct Mint<'a> {
    /// Whose keys.
    pub tenant: &'a TenantState,
    /// Chance.
    pub environment: &'a dyn Environment,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// The moment.
    pub now: Timestamp,
    /// The least `iat` that no revocation takes, seconds.
    pub earliest_iat_s: i64,
    /// Where the last revocation of all the tenant's tokens stands in its log; 0 without one.
    pub tenant_floor: u64,
}

/// Minted secrets, and what the commit stores of them.
#[derive(Debug)]
pub struct Minted {
    /// What the client gets, once there is a receipt.
    pub tokens: TokenSet,
    /// The access token's identifier.
    pub jti: Jti,
    /// The access token's entry in a status list, if it has one.
    pub listed: Option<ListedToken>,
    /// The refresh family, if there is one.
    pub family: Option<FamilyId>,
}

impl Mint<'_> {
    /// Mints without a refresh token.
    pub fn access(&self, approved: &ApprovedPlan) -> Result<Minted, ServerFault> {
        self.tokens(approved.plan(), None, None, Timestamp::from_millis(i64::MAX))
    }

    /// Mints for a redeemed code; begins a family where the plan says so.
    pub fn first(
        &self,
        approved: &ApprovedPlan,
        code: &StoredCode,
    ) -> Result<(Minted, Option<NewFamily>), ServerFault> {
        let plan = approved.plan();
        let (RefreshPlan::Start(survival), Principal::User { sub, authentication, grant, .. }) =
            (&plan.refresh, &plan.principal)
        else {
            return Ok((self.access(approved)?, None));
        };
        let (handle, own) = (random(self.environment), random(self.environment));
        let token = RefreshToken::start(handle, own, &self.tenant.secrets.generation);
        let absolute_expires_at = self.now.plus(self.lifetimes.refresh_absolute);
        let family = NewFamily {
            id: token.family(),
            origin: FamilyOrigin {
                client: plan.client.clone(),
                sub: sub.clone(),
                grant: grant.clone(),
                session: code.session.clone(),
                offline: *survival == Survival::Offline,
                scope: plan.family_scope.clone(),
                resources: plan.granted_resources.clone(),
                authentication: authentication.clone(),
                // Never before the code, whoever's clock is behind: a revocation that spared the
                // code spares its family.
                created_at: self.now.max(code.created_at),
            },
            current: token.hash(),
            idle_expires_at: self.idle_end(absolute_expires_at),
            absolute_expires_at,
        };
        let minted =
            self.tokens(plan, Some(&family.id), Some(token.to_wire()), absolute_expires_at)?;
        Ok((minted, Some(family)))
    }

    /// Mints for a used refresh token: the next one, or the same child once more.
    pub fn next(
        &self,
        approved: &ApprovedPlan,
        family: &StoredFamily,
        presented: &RefreshToken,
    ) -> Result<(Minted, RotationStep), ServerFault> {
        let (child, step) = match &approved.plan().refresh {
            RefreshPlan::Adopt { generation, .. } => {
                let (wire, child) = self.child(family, presented, generation + 1)?;
                (wire, RotationStep::Adopt { generation: *generation, child })
            }
            RefreshPlan::Advance(_) => {
                let (wire, child) = self.child(family, presented, family.generation + 1)?;
                (wire, RotationStep::Advance(child))
            }
            RefreshPlan::Retry { since, .. } => {
                (self.same_child(family, presented)?, RotationStep::Retry { since: *since })
            }
            _ => return Err(ServerFault::Internal("no family to refresh".into())),
        };
        let end = family.absolute_expires_at;
        Ok((self.tokens(approved.plan(), Some(&family.id), Some(child), end)?, step))
    }

    /// A fresh child of the presented token: as the client gets it, and as the store keeps it.
    fn child(
        &self,
        family: &StoredFamily,
        presented: &RefreshToken,
        generation: u64,
    ) -> Result<(Secret<String>, Child), ServerFault> {
        let own = random(self.environment);
        let token = presented.child(own, generation, &self.tenant.secrets.generation);
        let key = SealingKey::from_bytes(*presented.child_key().expose());
        let child = Child {
            hash: token.hash(),
            sealed: key.seal(family.id.as_str().as_bytes(), token.own_secret().expose())?,
            idle_expires_at: self.idle_end(family.absolute_expires_at),
        };
        Ok((token.to_wire(), child))
    }

    /// The child that was handed out before.
    fn same_child(
        &self,
        family: &StoredFamily,
        presented: &RefreshToken,
    ) -> Result<Secret<String>, ServerFault> {
        let sealed = family.sealed_child.as_ref();
        let sealed =
            sealed.ok_or_else(|| ServerFault::Internal("a retry without a child".into()))?;
        let key = SealingKey::from_bytes(*presented.child_key().expose());
        let opened = key.open(family.id.as_str().as_bytes(), sealed)?;
        let own = <[u8; 32]>::try_from(opened.as_slice());
        let own = own.map_err(|_| ServerFault::Internal("sealed child".into()))?;
        let child = presented.child(own, family.generation, &self.tenant.secrets.generation);
        // An earlier version minted it, without its generation.
        let is_bare = child.hash() != family.current;
        Ok(if is_bare { presented.bare_child(own).to_wire() } else { child.to_wire() })
    }

    /// The idle lifetime never reaches beyond the absolute one.
    fn idle_end(&self, absolute: Timestamp) -> Timestamp {
        self.now.plus(self.lifetimes.refresh_idle).min(absolute)
    }

    fn tokens(
        &self,
        plan: &IssuePlan,
        family: Option<&FamilyId>,
        refresh_token: Option<Secret<String>>,
        not_after: Timestamp,
    ) -> Result<Minted, ServerFault> {
        let jti = Jti::from_random(random(self.environment));
        let lifetime = plan.target.lifetime.unwrap_or(self.lifetimes.access);
        let iat_s = self.now.as_unix_s().max(self.earliest_iat_s);
        let end = Timestamp::from_unix_s(iat_s).plus(lifetime).min(not_after);
        let exp_s = end.as_unix_s();
        let issuer = &self.tenant.issuer;
        let minting = Minting { issuer, jti: &jti, family, iat_s, exp_s };
        let (access_token, listed) =
            self.access_token(plan, AccessClaims::of_plan(plan, minting))?;
        let id_token = self.id_token(plan, access_token.expose(), iat_s)?;
        let tokens = TokenSet {
            access_token,
            expires_in_s: exp_s.saturating_sub(self.now.as_unix_s()),
            refresh_token,
            id_token,
            scope: plan.scope.clone(),
        };
        Ok(Minted { tokens, jti, listed, family: family.cloned() })
    }

    fn access_token(
        &self,
        plan: &IssuePlan,
        mut claims: AccessClaims,
    ) -> Result<(Secret<String>, Option<ListedToken>), ServerFault> {
        match plan.target.format {
            TokenFormat::Jwt => {
                let key = self.key(plan.target.alg)?;
                let listed = plan.target.status_list.then(|| self.list(&mut claims, key.kid()));
                let text = sign_compact(&key, Some(access_token::TYP), &json::to_vec(&claims)?)?;
                Ok((Secret::new(text), listed))
            }
            TokenFormat::Opaque => {
                let aad = self.tenant.issuer.as_bytes();
                let sealed = self.tenant.secrets.opaque.seal(aad, &json::to_vec(&claims)?)?;
                let text = format!("{OPAQUE_PREFIX}{}", base64url_encode(&sealed));
                Ok((Secret::new(text), None))
            }
        }
    }

    /// Gives a token a place in a status list.
    fn list(&self, claims: &mut AccessClaims, kid: &str) -> ListedToken {
        let (list, idx) = self.tenant.open_list.take(self.environment, self.tenant_floor);
        let uri = format!("{}/statuslists/{list}", self.tenant.issuer);
        claims.status = Some(StatusClaim { status_list: StatusListReference { idx, uri } });
        ListedToken {
            list,
            idx,
            expires_at: Timestamp::from_unix_s(claims.exp),
            names: TokenNames::of(&claims.facts(Some(kid)), kid),
        }
    }

    fn id_token(
        &self,
        plan: &IssuePlan,
        access_token: &str,
        iat_s: i64,
    ) -> Result<Option<Secret<String>>, ServerFault> {
        let end = Timestamp::from_unix_s(iat_s).plus(ID_TOKEN_LIFETIME).as_unix_s();
        let issuer = &self.tenant.issuer;
        let claims = IdTokenClaims::of_plan(plan, issuer, (iat_s, end), access_token);
        let (Some(claims), Some(id_token)) = (claims, &plan.id_token) else { return Ok(None) };
        let payload = json::to_vec(&claims)?;
        let key = self.key(id_token.alg)?;
        Ok(Some(Secret::new(sign_compact(&key, Some("JWT"), &payload)?)))
    }

    /// The key that signs with an algorithm now.
    fn key(&self, alg: Algorithm) -> Result<Arc<SigningKey>, ServerFault> {
        let keys = self.tenant.keys.load();
        let key = keys.active(alg, self.now);
        key.cloned().ok_or_else(|| ServerFault::Key(format!("no active {} key", alg.name())))
    }
}
