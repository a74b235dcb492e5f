//! What will be issued if the commit succeeds.

use std::time::Duration;

use keywright_jose::Algorithm;

use crate::authorize::pkce::PkceVerified;
use crate::id::{ClientId, FamilyId, GrantId, SessionId, Subject};
use crate::resource::{ResourceIndicator, Target};
use crate::scope::ScopeSet;
use crate::session::Authentication;
use crate::time::Timestamp;

/// How long what is issued lives.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Access tokens, where the resource does not say.
    pub access: Duration,
    /// Authorization codes.
    pub code: Duration,
    /// A refresh family, however often it is used.
    pub refresh_absolute: Duration,
    /// A refresh family that is not used.
    pub refresh_idle: Duration,
}

/// Whom a token speaks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Principal {
    /// The client itself.
    Client,
    /// A person.
    User {
        /// Who.
        sub: Subject,
        /// How they signed in.
        authentication: Authentication,
        /// What they granted.
        grant: GrantId,
        /// The session in which; absent where the grant outlives it.
        session: Option<SessionId>,
    },
}

/// Whether a refresh family outlives the session it was born in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Survival {
    /// `offline_access`: only revocation ends it.
    Offline,
    /// It ends when the session is ended; a session that merely expires leaves it alone.
    WithSession,
}

/// What becomes of refresh tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RefreshPlan {
    /// The store went back in time behind the presented token: the family goes on from it.
    Adopt {
        /// Which family.
        family: FamilyId,
        /// The presented token's generation.
        generation: u64,
    },
    /// The next token of a family replaces the presented one.
    Advance(FamilyId),
    /// None is issued.
    None,
    /// The presented token's child is handed out once more.
    Retry {
        /// Which family.
        family: FamilyId,
        /// The family must have been rotated after this moment.
        since: Timestamp,
    },
    /// A family begins.
    Start(Survival),
}

impl RefreshPlan {
    /// The family, where it exists already.
    pub const fn family(&self) -> Option<&FamilyId> {
        match self {
            Self::Adopt { family, .. } | Self::Advance(family) | Self::Retry { family, .. } => {
                Some(family)
            }
            Self::None | Self::Start(_) => None,
        }
    }
}

/// An ID token beside the access token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdTokenPlan {
    /// How it is signed.
    pub alg: Algorithm,
    /// From the authorization request.
    pub nonce: Option<String>,
    /// The session, OpenID Connect Front-Channel Logout §3.
    pub session: Option<SessionId>,
}

/// Tokens to mint; only a `decide` function makes one, and [`crate::policy`] must approve it.
#[derive(Clone, Debug)]
pub struct IssuePlan {
    /// To whom.
    pub client: ClientId,
    /// For whom.
    pub principal: Principal,
    /// What the access token allows.
    pub scope: ScopeSet,
    /// What the refresh family may ask for.
    pub family_scope: ScopeSet,
    /// The resources of the grant, RFC 8707 §2.2.
    pub granted_resources: Vec<ResourceIndicator>,
    /// Where the access token goes.
    pub target: Target,
    /// What becomes of refresh tokens.
    pub refresh: RefreshPlan,
    /// The ID token, for `openid`.
    pub id_token: Option<IdTokenPlan>,
    /// Proof that PKCE was checked, where a code was redeemed.
    pub(crate) _pkce: Option<PkceVerified>,
}
