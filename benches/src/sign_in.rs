//! A person's browser, as far as it takes to get refresh tokens: forms, cookies, redirects.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use hyper::header::{COOKIE, HeaderValue, LOCATION, SET_COOKIE};
use keywright_jose::{base64url_encode, sha256};

use crate::client::{Answer, Call, Connection};
use crate::seed::{Client, PASSWORD, REDIRECT_URI, USERNAME, identifier};
use crate::server::Server;
use crate::source::{Family, Flow, code_of};

/// Sign in, consent, and the redirects between them.
const MAX_STEPS: u32 = 12;
/// RFC 7636 §4.1; chance is of no use here.
const VERIFIER: &str = "0123456789012345678901234567890123456789012";
/// What a client sends for tokens, beside the code.
const REDEEM: [(&str, &str); 3] = [
    ("grant_type", "authorization_code"),
    ("redirect_uri", REDIRECT_URI),
    ("code_verifier", VERIFIER),
];

struct Browser {
    connection: Connection,
    cookies: BTreeMap<String, String>,
}

/// Gets refresh families, all of one person's session.
pub(crate) async fn families(
    server: &Server,
    client: &Client,
    count: u32,
) -> anyhow::Result<Vec<Family>> {
    let connection = Connection::open(server.address).await?;
    let mut browser = Browser { connection, cookies: BTreeMap::new() };
    let mut families = Vec::new();
    for _ in 0..count {
        let code = browser.authorize(client, "es256").await?;
        let token = browser.redeem(client, &code, "refresh_token").await?;
        families.push(Family { token, authorization: client.authorization.clone() });
    }
    Ok(families)
}

/// Signs somebody in, who then comes back to an application over so many connections.
pub(crate) async fn flows(
    server: &Server,
    client: &Client,
    count: u32,
) -> anyhow::Result<Vec<Flow>> {
    const SCOPE: &str = "openid es256";
    let connection = Connection::open(server.address).await?;
    let mut browser = Browser { connection, cookies: BTreeMap::new() };
    let code = browser.authorize(client, SCOPE).await?;
    browser.redeem(client, &code, "id_token").await?;
    let mut authorize = Call::get(&authorize_path(client, SCOPE, None));
    authorize.headers.insert(COOKIE, browser.cookie()?);
    let flow = || Flow {
        authorize: authorize.clone(),
        pairs: REDEEM,
        authorization: client.authorization.clone(),
        code: None,
    };
    Ok((0..count).map(|_| flow()).collect())
}

fn authorize_path(client: &Client, scope: &str, prompt: Option<&str>) -> String {
    let challenge = base64url_encode(&sha256(VERIFIER.as_bytes()));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", REDIRECT_URI),
        ("scope", scope),
        ("resource", &identifier("es256")),
        ("state", "s"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    query.extend_pairs(prompt.map(|prompt| ("prompt", prompt)));
    format!("/authorize?{}", query.finish())
}

impl Browser {
    /// Signs in where that is needed, and consents.
    async fn authorize(&mut self, client: &Client, scope: &str) -> anyhow::Result<String> {
        let mut call = Call::get(&authorize_path(client, scope, Some("consent")));
        for _ in 0..MAX_STEPS {
            let answer = self.send(call).await?;
            let Some(location) = answer.headers.get(LOCATION) else {
                call = submit(&answer)?;
                continue;
            };
            let location = location.to_str()?;
            if location.starts_with(REDIRECT_URI) {
                return code_of(location);
            }
            call = Call::get(path(location));
        }
        bail!("no code after {MAX_STEPS} pages");
    }

    async fn redeem(
        &mut self,
        client: &Client,
        code: &str,
        member: &str,
    ) -> anyhow::Result<String> {
        let call = Call::form("/token", &[&REDEEM[..], &[("code", code)]].concat());
        let answer = self.connection.send(call.authorized(&client.authorization)).await?;
        answer.member(member)
    }

    fn cookie(&self) -> anyhow::Result<HeaderValue> {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        Ok(HeaderValue::from_str(&pairs.collect::<Vec<_>>().join("; "))?)
    }

    async fn send(&mut self, mut call: Call) -> anyhow::Result<Answer> {
        call.headers.insert(COOKIE, self.cookie()?);
        let answer = self.connection.send(call).await?;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }
}

/// Fills in the page's form as the person would, with everything allowed.
fn submit(answer: &Answer) -> anyhow::Result<Call> {
    let page = String::from_utf8_lossy(&answer.body);
    let wrong = || format!("{}, not a page with a form: {page}", answer.status);
    let form = between(&page, "<form ", "</form>").with_context(wrong)?;
    let mut fields = Vec::new();
    for input in form.split("<input ").skip(1) {
        let tag = input.split('>').next().unwrap_or_default();
        let name = attribute(tag, "name").unwrap_or_default();
        let value = match name.as_str() {
            "username" => USERNAME.to_owned(),
            "password" => PASSWORD.to_owned(),
            _ => attribute(tag, "value").unwrap_or_default(),
        };
        fields.push((name, value));
    }
    if form.contains("consent-allow") {
        fields.push(("decision".to_owned(), "allow".to_owned()));
    }
    let action = attribute(form, "action").with_context(wrong)?;
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut call = Call::form(path(&action), &fields);
    // As a browser does: the page's own origin.
    call.headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    Ok(call)
}

/// Path and query of an address on the server.
fn path(location: &str) -> &str {
    let Some((_, rest)) = location.split_once("://") else { return location };
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    Some(text.split_once(from)?.1.split_once(to)?.0)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = between(tag, &format!("{name}=\""), "\"")?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_and_everything_allowed() {
        let page = "<p><form id=\"consent-form\" method=\"post\" action=\"/consent?a=1&#38;b=2\">\
            <input type=\"hidden\" name=\"csrf\" value=\"x\"><input name=\"username\" value=\"\">\
            <button id=\"consent-allow\" name=\"decision\" value=\"allow\"></button></form>";
        let answer = Answer {
            status: hyper::StatusCode::OK,
            headers: hyper::HeaderMap::new(),
            body: page.into(),
        };
        let call = submit(&answer).unwrap();
        assert_eq!(call.path, "/consent?a=1&b=2");
        assert_eq!(call.body, "csrf=x&username=bench&decision=allow");
        let empty = Answer { body: "nothing".into(), ..answer };
        assert!(submit(&empty).is_err());
    }

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(path("http://127.0.0.1:1/login?flow=a"), "/login?flow=a");
        assert_eq!(path("/login"), "/login");
        assert_eq!(code_of("http://a/cb?state=s&code=k%2D1").unwrap(), "k-1");
    }
}
