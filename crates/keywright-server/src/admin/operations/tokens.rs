//! Tokens that an operator holds in hand: reading, revoking and tracing them.

use keywright_jose::{UnverifiedJws, base64url_decode};
use keywright_protocol::claims::access_token::{AccessClaims, AccessTokenError, TYP};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::id::{FamilyId, Jti};
use keywright_protocol::limits::PAGE_ROWS_MAX;
use keywright_protocol::revocation::{RevocationEntry, RevocationTarget};
use keywright_protocol::token::{OPAQUE_PREFIX, RefreshToken};
use keywright_store::audit::StoredEvent;
use serde::Serialize;
use serde_json::{Value, json};

use super::explain::{Mark, mark};
use super::{OperationError, Operator, revocations};
use crate::app::App;
use crate::endpoint::access_token;
use crate::keys::verified::VerifiedToken;
use crate::tenants::TenantState;

/// The checks of a signed or sealed token, in order.
const TOKEN_CHECKS: [&str; 6] =
    ["well-formed", "signature", "claims", "issuer", "lifetime", "not revoked"];
/// The checks of a refresh token, in order.
const REFRESH_CHECKS: [&str; 6] = [
    "well-formed",
    "family is known",
    "not revoked",
    "not used before",
    "lifetime",
    "user, client and grant stand",
];

/// What a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// An access token, signed or sealed.
    AccessToken,
    /// An ID token, or another signed token that opens nothing.
    IdToken,
    /// A refresh token.
    RefreshToken,
}

/// What a token says, and whether it is good.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What it is.
    pub kind: TokenKind,
    /// Every check, in order.
    pub checks: Vec<(String, Mark)>,
    /// Why it is not good, if it is not.
    pub reason: Option<String>,
    /// What it says, true or not; nothing where it cannot be read.
    pub claims: Option<Value>,
}

impl Inspection {
    /// Whether every check passed.
    pub const fn is_good(&self) -> bool {
        self.reason.is_none()
    }

    fn passed(&self, check: &str) -> bool {
        self.checks.iter().any(|(name, mark)| name == check && *mark == Mark::Passed)
    }

    fn claim(&self, name: &str) -> Option<&str> {
        self.claims.as_ref()?.get(name)?.as_str()
    }
}

/// A check that failed, and why.
type Failed = (&'static str, String);

/// Reads a token of the tenant and makes every check that an endpoint would make.
pub async fn inspect(
    app: &App,
    operator: &Operator,
    token: &str,
) -> Result<Inspection, OperationError> {
    let state = operator.state(app)?;
    if let Some(refresh) = RefreshToken::parse(token) {
        return inspect_refresh(app, operator, &refresh).await;
    }
    Ok(match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => inspect_sealed(app, &state, sealed),
        None => inspect_signed(app, &state, token),
    })
}

/// Revokes what a token names: an access token alone, a refresh token with its family.
pub async fn revoke(
    app: &App,
    operator: &Operator,
    token: &str,
) -> Result<Vec<RevocationEntry>, OperationError> {
    let read = inspect(app, operator, token).await?;
    let genuine = read.passed("issuer") || read.passed("family is known");
    let target = match (read.kind, read.claim("jti"), read.claim("fid")) {
        (TokenKind::AccessToken, Some(jti), _) if genuine => {
            RevocationTarget::Token(Jti::from_trusted(jti))
        }
        (TokenKind::RefreshToken, _, Some(family)) if genuine => {
            RevocationTarget::Family(FamilyId::from_trusted(family))
        }
        (TokenKind::IdToken, ..) if genuine => {
            return Err(OperationError::invalid("token", "opens nothing: revoke its session"));
        }
        _ => return Err(OperationError::invalid("token", "is not one of this issuer")),
    };
    revocations::revoke(app, operator, target).await
}

/// The events of a token's family, in order; of the token alone where it has none. The whole log is
/// read.
pub async fn lineage(
    app: &App,
    operator: &Operator,
    token: &str,
) -> Result<Vec<StoredEvent>, OperationError> {
    let read = inspect(app, operator, token).await?;
    let names = ["jti", "fid", "gid"].map(|claim| read.claim(claim).map(str::to_owned));
    if names.iter().all(Option::is_none) {
        return Err(OperationError::invalid("token", "names nothing that could be traced"));
    }
    let (mut at, mut found) = (0, Vec::new());
    loop {
        let part = app.store.audit_since(operator.tenant(), at, PAGE_ROWS_MAX).await?;
        let Some(last) = part.last() else { return Ok(found) };
        at = last.seq;
        found.extend(part.into_iter().filter(|event| concerns(event, &names)));
    }
}

/// Whether an event is of a token, of its family, or of its grant before any family.
fn concerns(stored: &StoredEvent, [jti, family, grant]: &[Option<String>; 3]) -> bool {
    let Ok(event) = serde_json::from_str::<Value>(&stored.body) else { return false };
    let told = |name: &str| event.get(name).and_then(Value::as_str);
    let same =
        |wanted: &Option<String>, name: &str| wanted.is_some() && told(name) == wanted.as_deref();
    same(jti, "jti")
        || same(family, "family_id")
        || (told("family_id").is_none() && told("jti").is_none() && same(grant, "grant_id"))
}

fn inspect_sealed(app: &App, state: &TenantState, sealed: &str) -> Inspection {
    let opened = base64url_decode(sealed)
        .map_err(|_| ("well-formed", "the token is not base64url".to_owned()))
        .and_then(|bytes| {
            let opened = state.secrets.opaque.open(state.issuer.as_bytes(), &bytes);
            opened.map_err(|_| failed(AccessTokenError::Signature))
        });
    match opened {
        Ok(payload) => {
            let verdict = check_access(app, state, &payload, None);
            inspection(TokenKind::AccessToken, verdict.err(), &payload)
        }
        Err(failed) => inspection(TokenKind::AccessToken, Some(failed), b""),
    }
}

fn inspect_signed(app: &App, state: &TenantState, token: &str) -> Inspection {
    let jws = match UnverifiedJws::parse(token) {
        Ok(jws) => jws,
        Err(why) => {
            let failed = Some(("well-formed", why.to_string()));
            return inspection(TokenKind::AccessToken, failed, b"");
        }
    };
    let unverified_payload = jws.unverified_payload().to_vec();
    let is_access = jws.header().typ_is(TYP);
    let kind = if is_access { TokenKind::AccessToken } else { TokenKind::IdToken };
    let verdict = match jws.verify(state.keys.load().verifying(), &SIGNING_ALGORITHMS) {
        Err(why) => Err(("signature", why.to_string())),
        Ok(verified) if is_access => {
            check_access(app, state, &verified.payload, verified.header.kid.as_deref())
        }
        Ok(verified) => check_id(app, state, &verified.payload),
    };
    inspection(kind, verdict.err(), &unverified_payload)
}

fn inspection(kind: TokenKind, failed: Option<Failed>, payload: &[u8]) -> Inspection {
    let names = TOKEN_CHECKS.map(str::to_owned).to_vec();
    Inspection {
        kind,
        checks: marks(names, failed.as_ref()),
        reason: failed.map(|(_, reason)| reason),
        claims: serde_json::from_slice(payload).ok(),
    }
}

fn marks(names: Vec<String>, failed: Option<&Failed>) -> Vec<(String, Mark)> {
    match failed {
        Some((check, _)) => mark(names, check),
        None => names.into_iter().map(|name| (name, Mark::Passed)).collect(),
    }
}

fn check_access(
    app: &App,
    state: &TenantState,
    payload: &[u8],
    kid: Option<&str>,
) -> Result<(), Failed> {
    let claims = AccessClaims::parse(payload).map_err(failed)?;
    let token = VerifiedToken::new(claims, kid.map(Into::into));
    access_token::check(app, state, &token, app.now()).map_err(failed)
}

fn check_id(app: &App, state: &TenantState, payload: &[u8]) -> Result<(), Failed> {
    let claims: Value = serde_json::from_slice(payload)
        .map_err(|_| ("claims", "the token's claims are not JSON".to_owned()))?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    if issuer != Some(&*state.issuer) {
        return Err(failed(AccessTokenError::Issuer));
    }
    match claims.get("exp").and_then(Value::as_i64) {
        Some(exp) if exp > app.now().as_unix_s() => Ok(()),
        _ => Err(failed(AccessTokenError::Expired)),
    }
}

fn failed(error: AccessTokenError) -> Failed {
    let check = match error {
        AccessTokenError::Audience | AccessTokenError::Malformed => "claims",
        AccessTokenError::Expired | AccessTokenError::NotYetValid => "lifetime",
        AccessTokenError::Issuer => "issuer",
        AccessTokenError::Revoked => "not revoked",
        AccessTokenError::Signature => "signature",
    };
    (check, error.to_string())
}

async fn inspect_refresh(
    app: &App,
    operator: &Operator,
    token: &RefreshToken,
) -> Result<Inspection, OperationError> {
    let family = app.store.load_family(operator.tenant(), &token.family()).await?;
    let now = app.now();
    let failed = match &family {
        None => Some(("family is known", "the family is unknown or long forgotten")),
        Some(family) if family.revoked => Some(("not revoked", "the family is revoked")),
        Some(family) if family.current != token.hash() => {
            Some(("not used before", "the token was used before"))
        }
        Some(family) if family.idle_expires_at.min(family.absolute_expires_at) <= now => {
            Some(("lifetime", "the token is expired"))
        }
        Some(family) if !app.is_backed(&*operator.state(app)?, &family.origin).await? => {
            let why = "its user, its client or what was granted is gone, or was since it began";
            Some(("user, client and grant stand", why))
        }
        Some(_) => None,
    };
    let failed = failed.map(|(check, reason)| (check, reason.to_owned()));
    let names = REFRESH_CHECKS.map(str::to_owned).to_vec();
    let claims = family.map(|family| {
        json!({
            "fid": family.id,
            "gid": family.origin.grant,
            "sid": family.origin.session,
            "client_id": family.origin.client,
            "sub": family.origin.sub,
            "scope": family.origin.scope,
            "generation": family.generation,
        })
    });
    let (kind, checks) = (TokenKind::RefreshToken, marks(names, failed.as_ref()));
    Ok(Inspection { kind, checks, reason: failed.map(|(_, reason)| reason), claims })
}
