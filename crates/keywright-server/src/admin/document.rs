//! How the administration API and `--json` show what there is: one JSON document for each kind of
//! thing. Times are RFC 3339; audit events keep the members and milliseconds that were hashed.

use keywright_protocol::client::{Client, StoredSecret};
use keywright_protocol::grant::StoredGrant;
use keywright_protocol::resource::ProtectedResource;
use keywright_protocol::revocation::RevocationEntry;
use keywright_protocol::session::Session;
use keywright_protocol::tenant::Tenant;
use keywright_protocol::time::Timestamp;
use keywright_protocol::user::User;
use keywright_store::audit::StoredEvent;
use serde_json::{Map, Value, json};

use crate::admin::operations::clients::IssuedClient;
use crate::admin::operations::explain::{Explanation, Mark};
use crate::admin::operations::keys::KeyInfo;
use crate::admin::operations::tokens::Inspection;
use crate::admin::operations::{Import, OperationError};
use crate::app::App;

/// A part of a list.
pub fn list(items: &[Value], next: Option<&str>) -> Value {
    json!({ "items": items, "next": next })
}

/// A tenant.
pub fn tenant(app: &App, tenant: &Tenant) -> Value {
    json!({
        "name": tenant.id,
        "issuer": app.issuer_of(&tenant.id),
        "display_name": tenant.display_name,
        "profile": tenant.profile,
        "disabled": tenant.disabled,
        "created_at": time(tenant.created_at),
    })
}

/// A client, RFC 7591 §3.2.1; what this server adds is named `keywright_`.
pub fn client(client: &Client) -> Value {
    let mut members = object(json!(client.metadata));
    members.insert("client_id".into(), client.id.as_str().into());
    members.insert("client_id_issued_at".into(), client.created_at.as_unix_s().into());
    members.insert("keywright_disabled".into(), client.disabled.into());
    let secrets: Vec<Value> = client.secrets.iter().map(secret).collect();
    members.insert("keywright_secrets".into(), secrets.into());
    Value::Object(members)
}

/// A client with the secret that is told only now.
pub fn issued_client(issued: &IssuedClient) -> Value {
    let mut members = object(client(&issued.client));
    if let Some(secret) = &issued.secret {
        members.insert("client_secret".into(), secret.expose().as_str().into());
        // RFC 7591 §3.2.1: it does not expire by itself.
        members.insert("client_secret_expires_at".into(), 0.into());
    }
    Value::Object(members)
}

/// A protected resource.
pub fn resource(resource: &ProtectedResource) -> Value {
    json!(resource)
}

/// A user, without anything of the password.
pub fn user(user: &User) -> Value {
    json!({
        "sub": user.sub,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified,
        "claims": user.claims,
        "disabled": user.disabled,
        "created_at": time(user.created_at),
        "updated_at": time(user.updated_at),
    })
}

/// A session.
pub fn session(session: &Session) -> Value {
    json!({
        "id": session.id,
        "sub": session.sub,
        "signed_in_at": time(session.authentication.time),
        "acr": session.authentication.acr,
        "amr": session.authentication.amr,
        "expires_at": time(session.expires_at),
        "ip": session.ip,
        "user_agent": session.user_agent,
    })
}

/// A grant.
pub fn grant(grant: &StoredGrant) -> Value {
    json!({
        "id": grant.id,
        "sub": grant.sub,
        "client_id": grant.client,
        "scope": grant.scope,
        "session_id": grant.session,
        "updated_at": time(grant.updated_at),
    })
}

/// A signing key: its name and times, nothing of itself.
pub fn key(key: &KeyInfo) -> Value {
    json!({
        "kid": key.kid,
        "alg": key.alg,
        "state": key.state,
        "published_at": time(key.times.published_at),
        "active_at": time(key.times.active_at),
        "retire_at": key.times.retire_at.map(time),
        "gone_at": key.times.gone_at.map(time),
    })
}

/// An audit event with its place and hashes.
pub fn audit_event(event: &StoredEvent) -> Value {
    let mut members = match serde_json::from_str(&event.body) {
        Ok(Value::Object(members)) => members,
        // Somebody wrote over it: `audit verify` says so, and this shows what is there now.
        _ => Map::from_iter([("unreadable".to_owned(), event.body.as_str().into())]),
    };
    members.insert("seq".into(), event.seq.into());
    members.insert("prev_hash".into(), hex(&event.prev_hash).into());
    members.insert("hash".into(), hex(&event.hash).into());
    Value::Object(members)
}

/// An audit event as one line. Between `seq` and `prev_hash` stand the very bytes that were hashed
/// (in braces), so that anybody can recompute the chain.
pub fn audit_line(event: &StoredEvent) -> String {
    let body = event.body.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let readable = serde_json::from_str::<Map<String, Value>>(&event.body).is_ok();
    match body.filter(|body| readable && !body.is_empty()) {
        Some(body) => format!(
            r#"{{"seq":{},{body},"prev_hash":"{}","hash":"{}"}}"#,
            event.seq,
            hex(&event.prev_hash),
            hex(&event.hash)
        ),
        None => audit_event(event).to_string(),
    }
}

/// An entry of the revocation log.
pub fn revocation(entry: &RevocationEntry) -> Value {
    let mut members = object(json!(entry.target));
    members.insert("seq".into(), entry.seq.into());
    members.insert("at".into(), time(entry.at).into());
    members.insert("expires_at".into(), time(entry.expires_at).into());
    Value::Object(members)
}

/// What the revocation log gained.
pub fn revoked(entries: &[RevocationEntry]) -> Value {
    list(&entries.iter().map(revocation).collect::<Vec<_>>(), None)
}

/// What became of a request.
pub fn explanation(explanation: &Explanation) -> Value {
    match explanation {
        Explanation::Carried(events) => {
            json!({ "outcome": "carried_out", "events": audit_events(events) })
        }
        Explanation::Refused(refused) => json!({
            "outcome": "refused",
            "request_id": refused.request_id,
            "time": time(refused.time),
            "endpoint": refused.endpoint,
            "client_id": refused.client_id,
            "checks": checks(&refused.checks),
            "reason": refused.reason,
            "error": refused.error,
            "events": audit_events(&refused.events),
        }),
    }
}

/// What a token says, and whether it is good.
pub fn inspection(inspection: &Inspection) -> Value {
    json!({
        "kind": inspection.kind,
        "good": inspection.is_good(),
        "checks": checks(&inspection.checks),
        "reason": inspection.reason,
        "claims": inspection.claims,
    })
}

/// How an import ended.
pub fn import<T>(import: &Import<T>, document: impl Fn(&T) -> Value) -> Value {
    let refused = import.refused.iter().map(|item| {
        let mut members = object(error(&item.error));
        members.insert("place".into(), item.place.into());
        Value::Object(members)
    });
    json!({
        "created": import.created.iter().map(document).collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
    })
}

/// Why an act was not carried out.
pub fn error(error: &OperationError) -> Value {
    match error {
        OperationError::Conflict { .. } => {
            json!({ "error": "conflict", "error_description": error.to_string() })
        }
        OperationError::Fault(_) => {
            json!({ "error": "server_error", "error_description": error.to_string() })
        }
        OperationError::Invalid { code, field, reason } => {
            let description = format!("{field} {reason}");
            json!({ "error": code, "field": field, "error_description": description })
        }
        OperationError::NotFound { .. } => {
            json!({ "error": "not_found", "error_description": error.to_string() })
        }
    }
}

/// A moment, RFC 3339; beyond the calendar it is none that anybody will see.
pub fn time(at: Timestamp) -> String {
    let ends = jiff::Timestamp::MAX;
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(ends).to_string()
}

/// A hash as people compare it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

fn secret(secret: &StoredSecret) -> Value {
    json!({ "created_at": time(secret.created_at), "expires_at": secret.expires_at.map(time) })
}

fn audit_events(events: &[StoredEvent]) -> Vec<Value> {
    events.iter().map(audit_event).collect()
}

fn checks(checks: &[(String, Mark)]) -> Vec<Value> {
    checks.iter().map(|(check, mark)| json!({ "check": check, "mark": mark })).collect()
}

/// The members of what is written as an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &str) -> StoredEvent {
        StoredEvent { seq: 7, body: body.to_owned(), prev_hash: [0; 32], hash: [0xab; 32] }
    }

    #[test]
    fn a_line_holds_the_bytes_that_were_hashed() {
        let line = audit_line(&event(r#"{"z":1,"a":2}"#));
        assert!(line.starts_with(r#"{"seq":7,"z":1,"a":2,"prev_hash":"0000"#), "{line}");
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed, audit_event(&event(r#"{"z":1,"a":2}"#)));
        assert!(parsed["hash"].as_str().unwrap().starts_with("abab"));
    }

    #[test]
    fn what_somebody_wrote_over_is_shown_as_it_is() {
        for broken in ["", "{}", "[1]", "{\"a\":1", "no JSON"] {
            let line: Value = serde_json::from_str(&audit_line(&event(broken))).unwrap();
            assert_eq!(line["seq"], 7, "{broken}");
        }
    }

    #[test]
    fn times_are_of_rfc_3339() {
        assert_eq!(time(Timestamp::from_millis(1_500)), "1970-01-01T00:00:01.5Z");
        assert!(time(Timestamp::from_millis(i64::MAX)).starts_with("9999-"));
    }
}
