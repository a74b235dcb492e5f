//! The schemas of the documents that the API reads and writes.

use keywright_jose::Algorithm;
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::client::{AuthMethod, GrantType};
use keywright_protocol::limits::PASSWORD_CHARS_MIN;
use serde_json::{Map, Value, json};

/// Every schema, by name.
pub(super) fn all() -> Value {
    json!({
        "AuditEvent": audit_event(),
        "Client": client(&[]),
        "ClientMetadata": client_metadata(),
        "Grant": grant(),
        "IssuedClient": issued_client(),
        "Key": key(),
        "KeyRotation": key_rotation(),
        "NewPassword": object(json!({ "password": password() }), &["password"]),
        "NewTenant": new_tenant(),
        "NewUser": new_user(),
        "Problem": problem(),
        "Resource": resource(),
        "Revocation": revocation(),
        "RevocationTarget": object(target(), &["kind"]),
        "SecretRotation": secret_rotation(),
        "Session": session(),
        "Tenant": tenant(),
        "User": user(),
        "UserChange": object(profile(), &[]),
    })
}

/// A schema by its name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A part of a list, CONTRACT §3.
pub(super) fn list_of(name: &str) -> Value {
    let next = nullable("string", "The `after` of the next part; null if this is the last.");
    let items = json!({ "type": "array", "items": reference(name) });
    object(json!({ "items": items, "next": next }), &["items", "next"])
}

/// An object that has these members and no others.
fn object(members: Value, required: &[&str]) -> Value {
    let mut object = Map::from_iter([("type".to_owned(), "object".into())]);
    object.insert("properties".to_owned(), members);
    object.insert("required".to_owned(), required.into());
    object.insert("additionalProperties".to_owned(), false.into());
    Value::Object(object)
}

fn text(what: &str) -> Value {
    json!({ "type": "string", "description": what })
}

fn nullable(kind: &str, what: &str) -> Value {
    json!({ "type": [kind, "null"], "description": what })
}

fn boolean(what: &str) -> Value {
    json!({ "type": "boolean", "description": what })
}

fn number(what: &str) -> Value {
    json!({ "type": "integer", "description": what })
}

fn texts(what: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": what })
}

fn moment(what: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": what })
}

fn maybe_moment(what: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": what })
}

fn algorithm(what: &str) -> Value {
    let names = SIGNING_ALGORITHMS.map(Algorithm::name);
    json!({ "type": "string", "enum": names, "description": what })
}

fn password() -> Value {
    json!({
        "type": "string",
        "format": "password",
        "minLength": PASSWORD_CHARS_MIN,
        "description": "Never shown again.",
    })
}

fn merge(mut members: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
        members.extend(more);
    }
    members
}

fn tenant() -> Value {
    let members = json!({
        "name": text("A path segment of its issuer."),
        "issuer": text("Its issuer."),
        "display_name": text("What people read on its pages."),
        "profile": profile_name(),
        "disabled": boolean("Whether it answers nobody."),
        "created_at": moment("When it was created."),
    });
    object(members, &["name", "issuer", "display_name", "profile", "disabled", "created_at"])
}

fn new_tenant() -> Value {
    let members = json!({
        "name": text("Lower-case letters, digits and inner hyphens."),
        "display_name": text("What people read on its pages; the name otherwise."),
        "profile": profile_name(),
    });
    object(members, &["name"])
}

fn profile_name() -> Value {
    json!({ "type": "string", "enum": ["oauth21", "oidc"], "description": "What it demands." })
}

/// RFC 7591 §2, and what this server adds.
fn metadata_members() -> Value {
    let uris = json!({ "type": "array", "items": { "type": "string", "format": "uri" } });
    let methods = AuthMethod::ALL;
    let grants = GrantType::ALL;
    let identity = json!({
        "client_id": text("Chosen by the operator; generated otherwise."),
        "redirect_uris": uris,
        "token_endpoint_auth_method": { "type": "string", "enum": methods },
        "token_endpoint_auth_signing_alg": text("How it signs its assertions."),
        "grant_types": { "type": "array", "items": { "type": "string", "enum": grants } },
        "response_types": { "type": "array", "items": { "type": "string", "enum": ["code"] } },
        "application_type": { "type": "string", "enum": ["native", "web"] },
        "scope": text("What it may ask for, separated by spaces."),
        "jwks": { "type": "object", "description": "Its public keys." },
        "jwks_uri": text("Where its public keys are."),
        "subject_type": { "type": "string", "enum": ["public"] },
        "id_token_signed_response_alg": algorithm("How its ID tokens are signed."),
        "default_max_age": number("The oldest acceptable sign-in, seconds."),
        "require_auth_time": boolean("ID tokens always carry auth_time."),
        "post_logout_redirect_uris": uris,
    });
    merge(identity, presentation_members())
}

fn presentation_members() -> Value {
    json!({
        "client_name": text("Its name for people."),
        "client_uri": text("Its home page."),
        "logo_uri": text("Its logo."),
        "tos_uri": text("Its terms of service."),
        "policy_uri": text("Its privacy policy."),
        "contacts": texts("Whom to ask."),
        "software_id": text("RFC 7591 section 2."),
        "software_version": text("RFC 7591 section 2."),
        "keywright_introspects": texts("The resources whose tokens it may introspect."),
        "keywright_refresh": { "type": "string", "enum": ["always", "offline_access"] },
        "keywright_consent": { "type": "string", "enum": ["implicit", "required"] },
        "keywright_origins": texts("Further browser origins that may call the endpoints."),
        "keywright_cohort": text("The channel that it belongs to."),
    })
}

fn client_metadata() -> Value {
    object(metadata_members(), &[])
}

fn client(more: &[(&str, Value)]) -> Value {
    let secret = object(
        json!({
            "created_at": moment("When it was made."),
            "expires_at": maybe_moment("When it ends, after a rotation."),
        }),
        &["created_at", "expires_at"],
    );
    let mut members = merge(
        metadata_members(),
        json!({
            "client_id_issued_at": number("Seconds since the epoch."),
            "keywright_disabled": boolean("Whether it may do nothing."),
            "keywright_secrets": { "type": "array", "items": secret },
        }),
    );
    members = merge(
        members,
        more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect(),
    );
    object(
        members,
        &["client_id", "client_id_issued_at", "keywright_disabled", "keywright_secrets"],
    )
}

fn issued_client() -> Value {
    client(&[
        ("client_secret", text("Told only here.")),
        ("client_secret_expires_at", number("0: it does not expire by itself.")),
    ])
}

fn secret_rotation() -> Value {
    object(
        json!({ "overlap_s": number("How long the old secrets live on; a day otherwise.") }),
        &[],
    )
}

fn resource() -> Value {
    let scope = object(
        json!({ "name": text("On the wire."), "description": text("What it allows, in words.") }),
        &["name"],
    );
    let scope = json!({ "oneOf": [scope, { "type": "string" }] });
    let members = json!({
        "identifier": text("An absolute URI without a fragment, in `aud`."),
        "scopes": { "type": "array", "items": scope },
        "token_format": { "type": "string", "enum": ["jwt", "opaque"] },
        "alg": algorithm("How its tokens are signed."),
        "lifetime_s": number("How long they live; the server's default otherwise."),
        "status_list": boolean("Whether they are entered in a status list; signed ones only."),
    });
    object(members, &["identifier"])
}

fn profile() -> Value {
    json!({
        "email": nullable("string", "An address."),
        "email_verified": boolean("Whether the address is proven to be theirs."),
        "claims": { "type": "object", "description": "OpenID Connect Core section 5.1." },
    })
}

fn new_user() -> Value {
    let own = json!({ "username": text("What they sign in with."), "password": password() });
    object(merge(profile(), own), &["username"])
}

fn user() -> Value {
    let own = json!({
        "sub": text("The subject identifier."),
        "username": text("What they sign in with."),
        "disabled": boolean("Whether they may not sign in."),
        "created_at": moment("When the account was created."),
        "updated_at": moment("When it last changed."),
    });
    let all = [
        "sub",
        "username",
        "email",
        "email_verified",
        "claims",
        "disabled",
        "created_at",
        "updated_at",
    ];
    object(merge(profile(), own), &all)
}

fn session() -> Value {
    let members = json!({
        "id": text("`sid`."),
        "sub": text("Who is signed in."),
        "signed_in_at": moment("When they proved it."),
        "acr": text("How strongly."),
        "amr": texts("By which methods."),
        "expires_at": moment("When it ends by itself."),
        "ip": nullable("string", "The address that signed in."),
        "user_agent": nullable("string", "The browser that signed in."),
    });
    let all = ["id", "sub", "signed_in_at", "acr", "amr", "expires_at", "ip", "user_agent"];
    object(members, &all)
}

fn grant() -> Value {
    let members = json!({
        "id": text("`gid`."),
        "sub": text("Who granted."),
        "client_id": text("To whom."),
        "scope": text("What."),
        "session_id": text("In which session."),
        "updated_at": moment("When it was given or last extended."),
    });
    object(members, &["id", "sub", "client_id", "scope", "session_id", "updated_at"])
}

fn key() -> Value {
    let states = ["next", "active", "retiring", "gone"];
    let members = json!({
        "kid": text("Its name."),
        "alg": algorithm("Its one algorithm."),
        "state": { "type": "string", "enum": states },
        "published_at": moment("In the key set from then on."),
        "active_at": moment("Signs from then on."),
        "retire_at": maybe_moment("Signs no more from then on."),
        "gone_at": maybe_moment("Gone from the key set from then on."),
    });
    let all = ["kid", "alg", "state", "published_at", "active_at", "retire_at", "gone_at"];
    object(members, &all)
}

fn key_rotation() -> Value {
    object(json!({ "alg": algorithm("For this one; for each that has a key otherwise.") }), &[])
}

fn target() -> Value {
    let kinds = ["client", "family", "grant", "session", "signing_key", "tenant", "token", "user"];
    json!({
        "kind": { "type": "string", "enum": kinds },
        "id": text("Which; a tenant has none."),
    })
}

fn revocation() -> Value {
    let own = json!({
        "seq": number("Its place in the log."),
        "at": moment("When; of clients, users and tenants only tokens issued until then die."),
        "expires_at": moment("When the last token that it could concern is dead anyway."),
    });
    object(merge(target(), own), &["seq", "kind", "at", "expires_at"])
}

fn audit_event() -> Value {
    let place = json!({
        "seq": number("Its place in the log, without gaps."),
        "time": number("Milliseconds since the epoch."),
        "tenant": text("Whose log."),
        "type": text("`noun.verb`."),
        "outcome": { "type": "string", "enum": ["failure", "success"] },
        "actor": { "type": "object", "description": "Who did it: a kind, and an id." },
        "prev_hash": text("The hash of the event before."),
        "hash": text("SHA-256 over tenant, place, the hash before, and the event."),
        "unreadable": text("What stands where an event was: somebody wrote over it."),
    });
    let concerned = json!({
        "client_id": text("The client concerned."),
        "subject": text("The user concerned."),
        "session_id": text("The session concerned."),
        "grant_id": text("The grant concerned."),
        "family_id": text("The refresh family concerned."),
        "jti": text("The token concerned."),
        "ip": text("The address that asked."),
        "user_agent": text("The program that asked."),
        "request_id": text("The request."),
        "reason": text("Why, or what exactly."),
    });
    object(merge(place, concerned), &["seq", "prev_hash", "hash"])
}

fn problem() -> Value {
    let members = json!({
        "type": { "type": "string", "format": "uri" },
        "title": text("The status in words."),
        "status": number("The HTTP status."),
        "detail": text("What to mend."),
        "error": text("A code; for client metadata that of RFC 7591 section 3.2.2."),
        "field": text("The member or parameter that is wrong."),
        "request_id": text("What `keywright explain` takes."),
    });
    object(members, &["type", "title", "status", "detail", "error", "request_id"])
}
