//! `keywright revoke`: the emergency switch. First what it would take, then `--confirm`.

use std::collections::BTreeSet;

use keywright_server::admin::document;
use keywright_server::admin::operations::{audit, revocations, users};
use serde_json::{Value, json};

use super::Place;
use super::backend::{Acting, Backend, Local};
use super::failure::Failure;
use super::output::{Output, print};
use super::remote::RemoteArgs;
use super::{grant, session, token};

/// Events that a preview looks through for tokens that may still live.
const EVENTS_MAX: u64 = 200_000;

#[derive(Debug, clap::Args)]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Show what it would take; nothing is changed
    #[arg(long, conflicts_with = "confirm")]
    preview: bool,
    /// Do it
    #[arg(long)]
    confirm: bool,
    #[command(flatten)]
    remote: RevokeRemoteArgs,
}

/// As [`RemoteArgs`], but for `--token`, which names what to revoke here.
#[derive(Debug, clap::Args)]
struct RevokeRemoteArgs {
    /// Act through the administration API of this server; its token comes from KEYWRIGHT_TOKEN
    #[arg(long, value_name = "URL")]
    issuer: Option<crate::peer::Issuer>,
    /// Certificates to trust instead of the public ones, PEM
    #[arg(long, value_name = "FILE", requires = "issuer")]
    ca: Option<std::path::PathBuf>,
}

/// What to revoke.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// All tokens that a client holds
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// All tokens and sessions of a user: name or subject identifier
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// A refresh family
    #[arg(long, value_name = "ID")]
    family: Option<String>,
    /// A grant, its families and tokens
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// A session, with the tokens and grants born in it
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// One access token, or a refresh token with its family; or a token's jti
    #[arg(long, value_name = "TOKEN|JTI", allow_hyphen_values = true)]
    token: Option<String>,
    /// Every token under a signing key
    #[arg(long, value_name = "KID", allow_hyphen_values = true)]
    key: Option<String>,
}

/// A target by kind and identifier, as the administration API names it.
struct Target {
    kind: &'static str,
    id: String,
}

pub(super) async fn run(place: Place, args: RevokeArgs) -> Result<(), Failure> {
    let RevokeRemoteArgs { issuer, ca } = args.remote;
    let remote = RemoteArgs { issuer, ca, token: None };
    let Acting { backend, output } = Acting::open(&place, remote).await?;
    let target = args.target.resolve(&backend).await?;
    if !args.confirm {
        show_radius(output, &target, &radius(&backend, &target).await?)?;
        return output.hint("nothing was changed; add --confirm to do it");
    }
    let revoked = revoke(&backend, &target).await?;
    let document = json!({ "target": target.document(), "revoked": revoked });
    output.done(&document, &format!("revoked {} {}", target.kind, target.id))
}

impl TargetArgs {
    /// The one target that is given.
    async fn resolve(self, backend: &Backend) -> Result<Target, Failure> {
        let named = [
            ("client", self.client),
            ("family", self.family),
            ("grant", self.grant),
            ("session", self.session),
            ("signing_key", self.key),
        ];
        if let Some((kind, Some(id))) = named.into_iter().find(|(_, id)| id.is_some()) {
            return Ok(Target { kind, id });
        }
        if let Some(given) = self.token {
            return token_target(&given, backend).await;
        }
        let who = self.user.unwrap_or_default();
        Ok(Target { kind: "user", id: subject(backend, &who).await? })
    }
}

impl Target {
    fn document(&self) -> Value {
        json!({ "kind": self.kind, "id": self.id })
    }
}

/// A token names itself or its family; anything that is no token is a `jti`.
async fn token_target(given: &str, backend: &Backend) -> Result<Target, Failure> {
    let named = match (token::target_of(given), backend) {
        (Ok(named), _) => Some(named),
        (Err(_), Backend::Store(local)) => sealed_target(local, given).await?,
        (Err(_), Backend::Remote(_)) => None,
    };
    let word =
        |name: &str| named.as_ref().and_then(|named| named.get(name)).and_then(Value::as_str);
    let kind = if word("kind") == Some("family") { "family" } else { "token" };
    Ok(Target { kind, id: word("id").unwrap_or(given).to_owned() })
}

/// What a sealed token says of itself.
async fn sealed_target(local: &Local, given: &str) -> Result<Option<Value>, Failure> {
    use keywright_server::admin::operations::tokens;
    let read = tokens::inspect(&local.app, &local.operator, given).await?;
    let jti = read.claims.and_then(|claims| claims.get("jti").cloned());
    Ok(jti.map(|jti| json!({ "kind": "token", "id": jti })))
}

async fn subject(backend: &Backend, who: &str) -> Result<String, Failure> {
    match backend {
        Backend::Remote(api) => {
            let user = api.get(&["users", who]).await?;
            Ok(user.get("sub").and_then(Value::as_str).unwrap_or(who).to_owned())
        }
        Backend::Store(local) => {
            Ok(users::show(&local.app, &local.operator, who).await?.sub.to_string())
        }
    }
}

async fn revoke(backend: &Backend, target: &Target) -> Result<Vec<Value>, Failure> {
    match backend {
        Backend::Remote(api) => {
            let answer = api.post(&["revocations"], Some(&target.document())).await?;
            Ok(answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
        }
        Backend::Store(local) => {
            let parsed = revocations::parse_target(target.kind, Some(&target.id))?;
            let entries = revocations::revoke(&local.app, &local.operator, parsed).await?;
            Ok(entries.iter().map(document::revocation).collect())
        }
    }
}

/// What a revocation would take.
struct Radius {
    sessions: usize,
    grants: usize,
    users: usize,
    clients: usize,
    /// Access tokens that may still live; nothing where that cannot be counted.
    tokens: Option<usize>,
}

async fn radius(backend: &Backend, target: &Target) -> Result<Radius, Failure> {
    let id = target.id.as_str();
    let sessions = match target.kind {
        "user" => session::list(backend, Some(id)).await?,
        "session" => with(session::list(backend, None).await?, "id", id),
        _ => Vec::new(),
    };
    let grants = match target.kind {
        "user" => grant::list(backend, Some(id), None).await?,
        "client" => grant::list(backend, None, Some(id)).await?,
        "grant" => with(grant::list(backend, None, None).await?, "id", id),
        "session" => with(grant::list(backend, None, None).await?, "session_id", id),
        _ => Vec::new(),
    };
    let distinct = |name: &str| {
        let values = grants.iter().filter_map(|grant| grant.get(name).and_then(Value::as_str));
        values.collect::<BTreeSet<_>>().len()
    };
    let tokens = match backend {
        Backend::Store(local) => live_tokens(local, target).await?,
        Backend::Remote(_) => None,
    };
    let (users, clients) = (distinct("sub"), distinct("client_id"));
    Ok(Radius { sessions: sessions.len(), grants: grants.len(), users, clients, tokens })
}

fn with(items: Vec<Value>, name: &str, value: &str) -> Vec<Value> {
    let fits = |item: &Value| item.get(name).and_then(Value::as_str) == Some(value);
    items.into_iter().filter(fits).collect()
}

/// How many access tokens were issued within the longest lifetime, by the audit log.
async fn live_tokens(local: &Local, target: &Target) -> Result<Option<usize>, Failure> {
    let member = match target.kind {
        "client" => "client_id",
        "user" => "subject",
        "family" => "family_id",
        "grant" => "grant_id",
        "session" => "session_id",
        "token" => "jti",
        // Which key signed a token is not in the log.
        _ => return Ok(None),
    };
    let Some(state) = local.app.any_tenant(local.operator.tenant()) else { return Ok(None) };
    let now = local.app.now();
    let longest = local.app.tokens_expire_at(&state, now).since(now);
    let oldest_ms = now.minus(longest).as_millis();
    let head = local.app.store.audit_head(local.operator.tenant()).await?;
    let filter = audit::AuditFilter {
        event_type: Some("token.issued".to_owned()),
        ..audit::AuditFilter::default()
    };
    let (mut at, mut count) = (head.saturating_sub(EVENTS_MAX), 0);
    loop {
        let part = audit::list(&local.app, &local.operator, &filter, at, 0).await?;
        let events = part.items.iter().map(document::audit_event);
        let lives = events.filter(|event| {
            event.get(member).and_then(Value::as_str) == Some(target.id.as_str())
                && event.get("time").and_then(Value::as_i64).is_some_and(|time| time > oldest_ms)
        });
        count += lives.count();
        match part.next.and_then(|next| next.parse().ok()) {
            Some(next) => at = next,
            None => return Ok(Some(count)),
        }
    }
}

fn show_radius(output: Output, target: &Target, radius: &Radius) -> Result<(), Failure> {
    let document = json!({
        "target": target.document(),
        "sessions": radius.sessions,
        "grants": radius.grants,
        "users": radius.users,
        "clients": radius.clients,
        "access_tokens": radius.tokens,
    });
    if output.json {
        return output.show(&document);
    }
    let tokens = match (radius.tokens, target.kind) {
        (Some(count), _) => count.to_string(),
        (None, "signing_key") => "all that it signed".to_owned(),
        (None, _) => "not counted here".to_owned(),
    };
    print(&format!("revoking {} {} would take", target.kind, target.id))?;
    for (what, count) in [
        ("sessions", radius.sessions),
        ("grants", radius.grants),
        ("of users", radius.users),
        ("to clients", radius.clients),
    ] {
        if count > 0 {
            print(&format!("  {what:<14} {count}"))?;
        }
    }
    print(&format!("  access tokens  {tokens}"))
}
