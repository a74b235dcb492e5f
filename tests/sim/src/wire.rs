//! An ask as an HTTP request, and a response as an answer.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use http::request::Builder;
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use keywright_jose::{base64url_encode, sha256};
use keywright_server::listen::PeerAddress;
use serde_json::{Value, json};

use crate::ask::{Answer, Ask, ClientAt, Scope, Target, Token, Verifier, client};
use crate::ledger::Ledger;
use crate::template::subject;

/// One verifier for all: it is not what is tested here.
const VERIFIER: &str = "simulated-verifier-of-forty-three-characters-1";
const WRONG_VERIFIER: &str = "simulated-verifier-of-forty-three-characters-2";

/// What the request of an ask needs beside the ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// The administrator's access token.
    pub(crate) bearer: Option<String>,
    /// The grant that is revoked, by its name in the store.
    pub(crate) grant: Option<String>,
}

/// The request of an ask; nothing where the ledger does not know what it speaks of.
pub(crate) fn request(ask: &Ask, ledger: &Ledger, extras: &Extras) -> Option<Request<Body>> {
    let text = |token: &Token| match token {
        Token::Access(at) => ledger.accesses.get(*at).map(|access| access.text.clone()),
        Token::Refresh(at) => ledger.refreshes.get(*at).map(|refresh| refresh.text.clone()),
    };
    let mut request = match ask {
        Ask::Authorize { session, client } => {
            authorize(*client, &ledger.sessions.get(*session)?.cookie)
        }
        Ask::Introspect { token, by } => form("/introspect", *by, &[("token", &text(token)?)]),
        Ask::Own => form(
            "/token",
            crate::ask::ADMIN,
            &[("grant_type", "client_credentials"), ("scope", client(crate::ask::ADMIN).scope)],
        ),
        Ask::Redeem { code, by, verifier } => {
            let verifier = match verifier {
                Verifier::Right => VERIFIER,
                Verifier::Wrong => WRONG_VERIFIER,
            };
            let code = ledger.codes.get(*code)?.text.as_str();
            let fields =
                [("grant_type", "authorization_code"), ("code", code), ("code_verifier", verifier)];
            form("/token", *by, &fields)
        }
        Ask::Refresh { token, by, scope } => {
            let token = ledger.refreshes.get(*token)?.text.as_str();
            let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
            let asked = match scope {
                Scope::Narrower => Some(client(*by).narrower),
                Scope::Unsaid => None,
                Scope::Wider => Some(client(*by).wider),
            };
            let scope = asked.map(|scope| ("scope", scope));
            form("/token", *by, &[&fields[..], scope.as_slice()].concat())
        }
        Ask::Revoke(Target::Key(kid)) => {
            administer(&format!("/api/v1/keys/{kid}/revoke"), extras, &Value::Null)
        }
        Ask::Revoke(target) => {
            let document = target_document(target, ledger, extras)?;
            administer("/api/v1/revocations", extras, &document)
        }
        Ask::RevokeToken { token, by } => form("/revoke", *by, &[("token", &text(token)?)]),
        Ask::RotateKey => administer("/api/v1/keys/rotate", extras, &json!({ "alg": "EdDSA" })),
    }?;
    request.extensions_mut().insert(PeerAddress::from(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    Some(request)
}

fn authorize(to: ClientAt, cookie: &str) -> Option<Request<Body>> {
    let to = client(to);
    let redirect_uri = format!("https://{}.example/cb", to.id);
    let challenge = base64url_encode(&sha256(VERIFIER.as_bytes()));
    let query = Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", to.id)
        .append_pair("redirect_uri", &redirect_uri)
        .append_pair("scope", to.scope)
        .append_pair("state", "state")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let cookie = format!("kw_session={cookie}");
    let request = Request::get(format!("/authorize?{query}")).header(header::COOKIE, cookie);
    request.body(Body::empty()).ok()
}

fn form(path: &str, by: ClientAt, fields: &[(&str, &str)]) -> Option<Request<Body>> {
    let by = client(by);
    let mut body = Serializer::new(String::new());
    body.extend_pairs(fields);
    let kind = "application/x-www-form-urlencoded";
    let request = Request::post(path).header(header::CONTENT_TYPE, kind);
    let request = match by.secret {
        Some(secret) => {
            let pair = STANDARD.encode(format!("{}:{secret}", by.id));
            request.header(header::AUTHORIZATION, format!("Basic {pair}"))
        }
        None => {
            body.append_pair("client_id", by.id);
            request
        }
    };
    request.body(Body::from(body.finish())).ok()
}

fn administer(path: &str, extras: &Extras, document: &Value) -> Option<Request<Body>> {
    let bearer = format!("Bearer {}", extras.bearer.as_deref()?);
    let request: Builder = Request::post(path).header(header::AUTHORIZATION, bearer);
    if document.is_null() {
        return request.body(Body::empty()).ok();
    }
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request.body(Body::from(document.to_string())).ok()
}

fn target_document(target: &Target, ledger: &Ledger, extras: &Extras) -> Option<Value> {
    let (kind, id) = match target {
        Target::Client(at) => ("client", client(*at).id.to_owned()),
        Target::Family(at) => ("family", ledger.families.get(*at)?.id.clone()?),
        Target::Grant(..) => ("grant", extras.grant.clone()?),
        Target::Key(kid) => ("signing_key", kid.clone()),
        Target::Session(at) => ("session", ledger.sessions.get(*at)?.id.clone()),
        Target::User(user) => ("user", subject(*user).to_string()),
    };
    Some(json!({ "kind": kind, "id": id }))
}

/// Reads a response to its end.
pub(crate) async fn answer(response: Response<Body>) -> Answer {
    let status = response.status().as_u16();
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let body = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Answer { status, location, body: body.unwrap_or(Value::Null) }
}
