//! A small world: a tenant with a client and a user who is signed in.

use std::time::Duration;

use keywright_jose::sha256;
use keywright_protocol::audit::{Actor, AuditEvent, EventType, OneTime, Origin, Record};
use keywright_protocol::client::{Client, ClientMetadata};
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::grant::authorization_code::{CodeState, StoredCode};
use keywright_protocol::grant::refresh_token::{FamilyOrigin, StoredFamily};
use keywright_protocol::id::{
    ClientId, FamilyId, GrantId, Jti, RequestId, SessionId, Subject, TenantId,
};
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::scope::ScopeSet;
use keywright_protocol::session::{Authentication, Session};
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::{CodeHash, RefreshHash, SessionHash};
use keywright_protocol::user::{User, Username};

use crate::SharedStore;
use crate::client::{Create, Update};
use crate::code::{Issue, IssueCode, Redeem, RedeemCode};
use crate::refresh::{Child, NewFamily, Rotate, Rotation, RotationStep};
use crate::revocation::{Revoke, Revoked};
use crate::session::{SignIn, SignedIn};
use crate::user::NewUser;

/// When the world begins.
pub(crate) const START: Timestamp = Timestamp::from_unix_s(1_900_000_000);
/// How long access tokens live in it.
pub(crate) const TOKENS: Duration = Duration::from_mins(10);

/// A moment after the start.
pub(crate) fn at_s(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + seconds * 1000)
}

pub(crate) fn scope(names: &str) -> ScopeSet {
    ScopeSet::parse(names).unwrap()
}

pub(crate) fn bytes(seed: u32) -> [u8; 32] {
    let mut bytes = [0xa5; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    bytes
}

pub(crate) fn id_bytes(seed: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes(seed)[..16]);
    id
}

pub(crate) fn request_id(seed: u32) -> RequestId {
    let mut random = [0; 10];
    random.copy_from_slice(&bytes(seed)[..10]);
    RequestId::new(at_s(i64::from(seed)), random)
}

/// A tenant, its client and its user, and what the two do.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) tenant: TenantId,
    pub(crate) client: ClientId,
    pub(crate) sub: Subject,
    pub(crate) session: SessionId,
    pub(crate) cookie: SessionHash,
    /// Identifiers are unique across tenants, so each has a stretch of seeds.
    pub(crate) salt: u32,
}

impl World {
    /// The default tenant with a client, and a user who signed in at `START`.
    pub(crate) async fn new(store: SharedStore) -> Self {
        Self::of_tenant(store, TenantId::default_tenant()).await
    }

    /// A tenant of its own with the same client and user.
    pub(crate) async fn elsewhere(store: SharedStore, name: &str) -> Self {
        let tenant = Tenant {
            id: TenantId::parse(name).unwrap(),
            display_name: name.to_owned(),
            profile: keywright_protocol::profile::Profile::Oidc,
            disabled: false,
            not_before: Timestamp::from_millis(0),
            created_at: Timestamp::from_millis(0),
            longest_lifetime_s: 0,
        };
        let id = tenant.id.clone();
        let created = store.create_tenant(tenant, event(&id, at_s(-10))).await.unwrap();
        assert_eq!(created, Create::Created);
        Self::of_tenant(store, id).await
    }

    async fn of_tenant(store: SharedStore, tenant: TenantId) -> Self {
        let world = Self::found(store, tenant);
        world.add_client("pos-web").await;
        let user = Self::a_user("ann", world.sub.clone());
        assert_eq!(world.add_user(user).await, Create::Created);
        world.sign_in_as(&world.sub, &world.session, world.cookie, START).await;
        world
    }

    /// A world that somebody else made in this store.
    pub(crate) fn found(store: SharedStore, tenant: TenantId) -> Self {
        let stretch = u32::from(sha256(tenant.as_str().as_bytes())[0]);
        let salt = if tenant.is_default() { 0 } else { 1000 * stretch };
        Self {
            store,
            client: ClientId::parse("pos-web").unwrap(),
            sub: Subject::from_random(id_bytes(salt)),
            session: SessionId::from_random(id_bytes(salt)),
            cookie: SessionHash::from_bytes(bytes(salt)),
            salt,
            tenant,
        }
    }

    /// A record with one event.
    pub(crate) fn event(&self, now: Timestamp) -> Record {
        event(&self.tenant, now)
    }

    /// The same with an assertion that must be unused.
    pub(crate) fn with_assertion(&self, now: Timestamp, jti: &str) -> Record {
        let once = OneTime::new("assertion", &["pos-web", jti], now.plus(TOKENS));
        self.event(now).once(Some(&once))
    }

    pub(crate) fn a_client(&self, id: &str) -> Client {
        let json = format!(r#"{{"client_id":"{id}","redirect_uris":["https://{id}.test/cb"]}}"#);
        Client {
            tenant: self.tenant.clone(),
            id: ClientId::parse(id).unwrap(),
            metadata: ClientMetadata::parse(json.as_bytes()).unwrap(),
            secrets: Vec::new(),
            disabled: false,
            not_before: Timestamp::from_millis(0),
            created_at: at_s(-2),
        }
    }

    pub(crate) fn a_user(name: &str, sub: Subject) -> User {
        User {
            sub,
            username: Username::parse(name).unwrap(),
            email: Some(format!("{name}@example.test")),
            email_verified: true,
            claims: serde_json::Map::new(),
            disabled: false,
            not_before: Timestamp::from_millis(0),
            created_at: at_s(-1),
            updated_at: at_s(-1),
        }
    }

    pub(crate) async fn add_client(&self, id: &str) {
        let created = self.store.create_client(self.a_client(id), self.event(at_s(-2)));
        assert_eq!(created.await.unwrap(), Create::Created);
    }

    pub(crate) async fn add_user(&self, user: User) -> Create {
        let (tenant, record) = (self.tenant.clone(), self.event(at_s(-1)));
        let password_hash = Some("$argon2id$first".to_owned());
        self.store.create_user(NewUser { tenant, user, password_hash, record }).await.unwrap()
    }

    pub(crate) fn a_session(sub: &Subject, id: &SessionId, now: Timestamp) -> Session {
        Session {
            id: id.clone(),
            sub: sub.clone(),
            authentication: Authentication::by_password(now),
            expires_at: now.plus(Duration::from_hours(12)),
            ip: Some("192.0.2.1".into()),
            user_agent: None,
        }
    }

    pub(crate) async fn sign_in_as(
        &self,
        sub: &Subject,
        id: &SessionId,
        cookie: SessionHash,
        now: Timestamp,
    ) {
        let sign_in = SignIn {
            tenant: self.tenant.clone(),
            cookie,
            session: Self::a_session(sub, id, now),
            previous: None,
            tokens_expire_at: now.plus(TOKENS),
            record: self.event(now),
        };
        let signed_in = self.store.sign_in(sign_in).await.unwrap();
        assert!(matches!(signed_in, SignedIn::Committed { .. }), "{signed_in:?}");
    }

    /// Another session of the same user.
    pub(crate) async fn second_session(&self, now: Timestamp) -> SessionId {
        let id = SessionId::from_random(id_bytes(self.salt + 77));
        let cookie = SessionHash::from_bytes(bytes(self.salt + 77));
        self.sign_in_as(&self.sub, &id, cookie, now).await;
        id
    }

    pub(crate) fn grant(&self) -> StoredGrant {
        StoredGrant {
            resources: Vec::new(),
            id: GrantId::from_random(id_bytes(self.salt)),
            sub: self.sub.clone(),
            client: self.client.clone(),
            scope: scope("openid offline_access"),
            session: self.session.clone(),
            updated_at: START,
        }
    }

    pub(crate) fn a_code(&self, seed: u32, now: Timestamp) -> IssueCode {
        let grant = self.grant();
        let code = StoredCode {
            client: self.client.clone(),
            sub: self.sub.clone(),
            session: self.session.clone(),
            grant: grant.id.clone(),
            scope: grant.scope.clone(),
            resources: Vec::new(),
            redirect_uri: "https://pos-web.test/cb".to_owned(),
            challenge: None,
            nonce: Some("n".to_owned()),
            authentication: Authentication::by_password(START),
            created_at: now,
            expires_at: now.plus(Duration::from_mins(1)),
            state: CodeState::Issued,
        };
        let hash = CodeHash::from_bytes(bytes(self.salt + seed));
        let record = self.event(now);
        IssueCode { tenant: self.tenant.clone(), hash, code, granted_before: None, grant, record }
    }

    pub(crate) async fn issue(&self, issue: IssueCode) -> Issue {
        self.store.issue_code(issue).await.unwrap()
    }

    /// A code as it is issued now: judged by the consent that is stored.
    pub(crate) async fn judged(&self, mut issue: IssueCode) -> IssueCode {
        let stored = self.store.load_grant(&self.tenant, &self.sub, &self.client).await.unwrap();
        issue.granted_before = stored.map(|grant| grant.scope);
        issue
    }

    /// A code that was issued, ready to be spent for a family of the same seed.
    pub(crate) async fn issued(&self, seed: u32, now: Timestamp) -> RedeemCode {
        let issue = self.a_code(seed, now);
        // Only the very first consent can lose against another of the same user.
        let mut issued = self.issue(self.judged(issue.clone()).await).await;
        if matches!(issued, Issue::LostRace) {
            issued = self.issue(self.judged(issue.clone()).await).await;
        }
        assert!(matches!(issued, Issue::Committed(_)), "{issued:?}");
        self.redemption(&issue, seed, now)
    }

    pub(crate) fn redemption(&self, issue: &IssueCode, seed: u32, now: Timestamp) -> RedeemCode {
        RedeemCode {
            tenant: self.tenant.clone(),
            hash: issue.hash,
            code: issue.code.clone(),
            jti: Jti::from_random(id_bytes(self.salt + seed)),
            family: Some(self.a_family(&issue.code, seed, now)),
            record: self.event(now),
        }
    }

    fn a_family(&self, code: &StoredCode, seed: u32, now: Timestamp) -> NewFamily {
        NewFamily {
            id: self.family_id(seed),
            origin: FamilyOrigin {
                client: code.client.clone(),
                sub: code.sub.clone(),
                grant: code.grant.clone(),
                session: code.session.clone(),
                offline: true,
                scope: code.scope.clone(),
                resources: code.resources.clone(),
                authentication: code.authentication.clone(),
                created_at: now,
            },
            current: token(seed, 0),
            idle_expires_at: now.plus(Duration::from_hours(24)),
            absolute_expires_at: now.plus(Duration::from_hours(72)),
        }
    }

    pub(crate) async fn redeem(&self, redeem: &RedeemCode) -> Redeem {
        self.store.redeem_code(redeem.clone()).await.unwrap()
    }

    /// A family that began at a moment; `change` shapes it before.
    pub(crate) async fn family_with(
        &self,
        seed: u32,
        now: Timestamp,
        change: impl FnOnce(&mut RedeemCode),
    ) -> FamilyId {
        let mut redeem = self.issued(seed, now).await;
        change(&mut redeem);
        let redeemed = self.redeem(&redeem).await;
        assert!(matches!(redeemed, Redeem::Committed(_)), "{redeemed:?}");
        self.family_id(seed)
    }

    pub(crate) async fn family(&self, seed: u32, now: Timestamp) -> FamilyId {
        self.family_with(seed, now, |_| {}).await
    }

    pub(crate) fn family_id(&self, seed: u32) -> FamilyId {
        FamilyId::of_handle(&id_bytes(self.salt + seed))
    }

    /// The use of a family's `generation`th token.
    pub(crate) fn rotation(&self, seed: u32, generation: u32, now: Timestamp) -> Rotation {
        Rotation {
            tenant: self.tenant.clone(),
            family: self.family_id(seed),
            client: self.client.clone(),
            presented: token(seed, generation),
            step: RotationStep::Advance(Self::child(seed, generation + 1, now)),
            record: self.event(now),
        }
    }

    /// A family's `generation`th token as it takes its parent's place.
    pub(crate) fn child(seed: u32, generation: u32, now: Timestamp) -> Child {
        Child {
            hash: token(seed, generation),
            sealed: vec![u8::try_from(generation - 1).unwrap(); 48],
            idle_expires_at: now.plus(Duration::from_hours(24)),
        }
    }

    /// The use of a token that is later than the row knows.
    pub(crate) fn adoption(&self, seed: u32, generation: u32, now: Timestamp) -> Rotation {
        let child = Self::child(seed, generation + 1, now);
        let step = RotationStep::Adopt { generation: generation.into(), child };
        Rotation { step, ..self.rotation(seed, generation, now) }
    }

    /// The same token presented again, as after a lost answer.
    pub(crate) fn retry(&self, seed: u32, generation: u32, now: Timestamp) -> Rotation {
        let step = RotationStep::Retry { since: now.minus(Duration::from_secs(10)) };
        Rotation { step, ..self.rotation(seed, generation, now) }
    }

    pub(crate) async fn rotate(&self, rotation: Rotation) -> Rotate {
        self.store.rotate(rotation).await.unwrap()
    }

    pub(crate) async fn load(&self, family: &FamilyId) -> Option<StoredFamily> {
        self.store.load_family(&self.tenant, family).await.unwrap()
    }

    pub(crate) async fn revoke(&self, target: RevocationTarget, now: Timestamp) -> Revoked {
        let (tenant, record) = (self.tenant.clone(), self.event(now));
        let tokens_expire_at = now.plus(TOKENS);
        self.store.revoke(Revoke { tenant, target, tokens_expire_at, record }).await.unwrap()
    }

    pub(crate) async fn revocations(&self) -> Vec<RevocationEntry> {
        self.store.revocations_since(0, 10_000).await.unwrap()
    }

    pub(crate) async fn audit_head(&self) -> u64 {
        self.store.audit_head(&self.tenant).await.unwrap()
    }
}

pub(crate) fn event(tenant: &TenantId, now: Timestamp) -> Record {
    let origin = Origin {
        tenant: tenant.clone(),
        request_id: Some(request_id(9)),
        ip: Some("192.0.2.1".into()),
        user_agent: None,
    };
    let event: AuditEvent = origin.event(EventType::TokenIssued, Actor::Server, now);
    Record::of(event)
}

/// The hash of a family's `generation`th token.
pub(crate) fn token(seed: u32, generation: u32) -> RefreshHash {
    RefreshHash::from_bytes(bytes(seed ^ (generation + 1) << 20))
}

/// What a finished update says.
pub(crate) fn done<T: std::fmt::Debug>(update: Update<T>) -> (T, Vec<RevocationEntry>) {
    match update {
        Update::Done { value, revoked } => (value, revoked),
        Update::Missing => panic!("missing"),
    }
}

/// What a finished revocation says.
pub(crate) fn entries(revoked: Revoked) -> Vec<RevocationTarget> {
    match revoked {
        Revoked::Done(entries) => entries.into_iter().map(|entry| entry.target).collect(),
        other => panic!("{other:?}"),
    }
}

/// The targets of revocations, in order.
pub(crate) fn targets(entries: Vec<RevocationEntry>) -> Vec<RevocationTarget> {
    entries.into_iter().map(|entry| entry.target).collect()
}
