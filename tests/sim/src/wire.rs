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

use crate::ask::{
    Answer, Ask, ClientAt, Form, Page, Password, Prompt, Scope, SessionAt, Target, Token, Verifier,
    client,
};
use crate::ledger::Ledger;
use crate::template::{WRONG_PASSWORD, password_of, subject, username};

/// One verifier for all: it is not what is tested here.
const VERIFIER: &str = "simulated-verifier-of-forty-three-characters-1";
const WRONG_VERIFIER: &str = "simulated-verifier-of-forty-three-characters-2";

/// What the request of an ask needs beside the ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// The administrator's access token.
    pub(crate) bearer: Option<String>,
    /// The grant or session that is revoked, by its name in the store.
    pub(crate) named: Option<String>,
    /// The browser's own cookie.
    pub(crate) browser: Option<String>,
    /// The form that is sent, or the flow that is opened.
    pub(crate) form: Form,
}

/// The request of an ask; nothing where the ledger does not know what it speaks of.
pub(crate) fn request(ask: &Ask, ledger: &Ledger, extras: &Extras) -> Option<Request<Body>> {
    let text = |token: &Token| match token {
        Token::Access(at) => ledger.accesses.get(*at).map(|access| access.text.clone()),
        Token::Refresh(at) => ledger.refreshes.get(*at).map(|refresh| refresh.text.clone()),
    };
    let mut request = match ask {
        Ask::Authorize { .. }
        | Ask::Consent { .. }
        | Ask::Resume { .. }
        | Ask::Show { .. }
        | Ask::SignIn { .. }
        | Ask::SignOut { .. } => browse(ask, ledger, extras),
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

/// What a person's browser asks.
fn browse(ask: &Ask, ledger: &Ledger, extras: &Extras) -> Option<Request<Body>> {
    let to = |session: Option<SessionAt>, path: &str| {
        let request = visit(path, &cookies(session, ledger, extras)?);
        request.body(Body::empty()).ok()
    };
    let flow = &extras.form.flow;
    match ask {
        Ask::Authorize { session, client, prompt } => to(*session, &authorize(*client, *prompt)),
        Ask::Consent { session, client, ticked } => {
            let ticked = ticked.scope(*client).split(' ').map(|scope| ("scope", scope));
            let fields: Vec<_> = ticked.chain([("decision", "allow")]).collect();
            submit("/consent", &fields, &cookies(Some(*session), ledger, extras)?, &extras.form)
        }
        Ask::Resume { session, .. } => to(*session, &format!("/authorize/resume?flow={flow}")),
        Ask::Show { page: Page::Consent, session } => {
            to(*session, &format!("/consent?flow={flow}"))
        }
        Ask::Show { page: Page::Login, session } => to(*session, &format!("/login?flow={flow}")),
        Ask::Show { page: Page::Logout, session } => to(*session, "/logout"),
        Ask::SignIn { user, password } => {
            let typed = match password {
                Password::Right => password_of(*user),
                Password::Wrong => WRONG_PASSWORD.to_owned(),
            };
            let fields = [("username", username(*user)), ("password", typed)];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            submit("/login", &fields, &cookies(None, ledger, extras)?, &extras.form)
        }
        Ask::SignOut { session, hint: Some(family) } => {
            let hint = ledger.families.get(*family)?.id_token.as_deref()?;
            to(Some(*session), &format!("/logout?id_token_hint={hint}"))
        }
        Ask::SignOut { session, hint: None } => {
            let cookies = cookies(Some(*session), ledger, extras)?;
            submit("/logout/confirm", &[("decision", "confirm")], &cookies, &extras.form)
        }
        _ => None,
    }
}

fn authorize(to: ClientAt, prompt: Prompt) -> String {
    let to = client(to);
    let redirect_uri = format!("https://{}.example/cb", to.id);
    let challenge = base64url_encode(&sha256(VERIFIER.as_bytes()));
    let mut query = Serializer::new(String::new());
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", to.id)
        .append_pair("redirect_uri", &redirect_uri)
        .append_pair("scope", to.scope)
        .append_pair("state", "state")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    if prompt == Prompt::Consent {
        query.append_pair("prompt", "consent");
    }
    format!("/authorize?{}", query.finish())
}

/// The cookies of a browser; nothing where the ledger does not know the sign-in.
fn cookies(session: Option<SessionAt>, ledger: &Ledger, extras: &Extras) -> Option<String> {
    let browser = extras.browser.iter().map(|secret| format!("kw_browser={secret}"));
    let session = match session {
        Some(at) => Some(format!("kw_session={}", ledger.sessions.get(at)?.cookie)),
        None => None,
    };
    Some(browser.chain(session).collect::<Vec<_>>().join("; "))
}

fn visit(path: &str, cookies: &str) -> Builder {
    Request::get(path).header(header::COOKIE, cookies)
}

fn submit(
    path: &str,
    fields: &[(&str, &str)],
    cookies: &str,
    form: &Form,
) -> Option<Request<Body>> {
    let mut body = Serializer::new(String::new());
    body.append_pair("flow", &form.flow).append_pair("csrf", &form.csrf).extend_pairs(fields);
    let request = Request::post(path)
        .header(header::COOKIE, cookies)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(body.finish())).ok()
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
        Target::Grant(..) => ("grant", extras.named.clone()?),
        Target::Key(kid) => ("signing_key", kid.clone()),
        Target::Session(_) | Target::SignedOut(_) => ("session", extras.named.clone()?),
        Target::User(user) => ("user", subject(*user).to_string()),
    };
    Some(json!({ "kind": kind, "id": id }))
}

/// Reads a response to its end.
pub(crate) async fn answer(response: Response<Body>) -> Answer {
    let status = response.status().as_u16();
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (browser, session) = (cookie(&response, "kw_browser="), cookie(&response, "kw_session="));
    let bytes = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    let bytes = bytes.unwrap_or_default();
    let form = str::from_utf8(&bytes).ok().filter(|text| text.starts_with('<')).and_then(form_in);
    let body = if form.is_some() { None } else { serde_json::from_slice(&bytes).ok() };
    Answer { status, location, body: body.unwrap_or(Value::Null), form, browser, session }
}

/// A cookie that is set to something.
fn cookie(response: &Response<Body>, name: &str) -> Option<String> {
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    let mut lines = lines.filter_map(|line| line.to_str().ok());
    let value = lines.find_map(|line| line.strip_prefix(name))?.split(';').next()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The hidden fields of a page.
fn form_in(page: &str) -> Option<Form> {
    let field = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    Some(Form { flow: field("flow")?, csrf: field("csrf")? })
}
