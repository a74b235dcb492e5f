//! The administration API: `/api/v1`, RFC 9457 problems, bearer tokens.

use serde_json::{Value, json};

use crate::support::world::{service_metadata, web_metadata};
use crate::support::{Request, Response, Server, World};

struct Api<'a> {
    server: &'a Server,
    token: String,
}

impl Api<'_> {
    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method, &self.server.url(&format!("/api/v1{path}"))).bearer(&self.token)
    }

    fn get(&self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    fn post(&self, path: &str, document: &Value) -> Response {
        self.request("POST", path).json(document).send()
    }
}

fn api<'a>(world: &'a World, scope: &str) -> Api<'a> {
    let admin = world.server.client(&service_metadata(scope));
    let token = world.server.client_credentials(&admin, scope).access().to_owned();
    Api { server: &world.server, token }
}

const WRITE: &str = "keywright:admin:read keywright:admin:write";

#[track_caller]
fn expect_problem(answer: &Response, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "RFC9457-3");
    assert_eq!(answer.json()["status"], json!(status), "RFC9457-3.1.2");
    assert!(answer.json()["title"].is_string(), "RFC9457-3.1.3");
}

#[test]
fn tokens_and_scopes_guard_it() {
    let world = World::start();
    let read = api(&world, "keywright:admin:read");
    read.get("/clients").expect(200);
    let refused = read.post("/clients", &web_metadata());
    expect_problem(&refused, 403);
    let anonymous = Request::get(&world.server.url("/api/v1/clients")).send();
    expect_problem(&anonymous, 401);
    assert!(anonymous.header("www-authenticate").is_some(), "RFC6750-3");
    let ordinary = world.server.client_credentials(&world.service, "orders:read");
    let url = world.server.url("/api/v1/clients");
    let wrong = Request::get(&url).bearer(ordinary.access()).send();
    assert!(wrong.status == 401 || wrong.status == 403, "another audience: {}", wrong.status);
    let person = world.sign_in(&world.web, "openid");
    let wrong = Request::get(&url).bearer(person.access()).send();
    assert!(wrong.status == 401 || wrong.status == 403, "a user's token: {}", wrong.status);
}

#[test]
fn clients_live_and_die() {
    let world = World::start();
    let api = api(&world, WRITE);
    let created = api.post("/clients", &web_metadata()).expect(201);
    let id = created["client_id"].as_str().expect("RFC7591-3.2.1").to_owned();
    assert!(created["client_secret"].is_string(), "CONTRACT-3: only there and then");
    let read = api.get(&format!("/clients/{id}")).expect(200);
    assert!(read["client_secret"].is_null(), "CONTRACT-3: never again");
    assert_eq!(read["client_name"], "Orders Web");
    let listed = api.get("/clients").expect(200);
    let items = listed["items"].as_array().expect("CONTRACT-3: items");
    assert!(items.iter().any(|item| item["client_id"] == id.as_str()), "{listed}");
    assert!(items.iter().all(|item| item["client_secret"].is_null()), "{listed}");
    let deleted = api.request("DELETE", &format!("/clients/{id}")).send();
    assert!(deleted.status == 204 || deleted.status == 200, "{}", deleted.text());
    expect_problem(&api.get(&format!("/clients/{id}")), 404);
    world.server.stop();
}

#[test]
fn users_resources_and_tenants_are_created() {
    let world = World::start();
    let api = api(&world, WRITE);
    let resource = json!({ "identifier": "https://x.example.com", "scopes": ["x:read"] });
    api.post("/resources", &resource).expect(201);
    let password = "A-long-enough-Sesame-5";
    crate::support::secrets::note(world.server.authority(), password);
    let user = json!({ "username": "carol", "password": password, "email": "c@example.com" });
    let user = api.post("/users", &user).expect(201);
    assert!(user["password"].is_null(), "no secret comes back");
    api.post("/tenants", &json!({ "name": "globex" })).expect(201);
    for (kind, member, value) in [
        ("resources", "identifier", "https://x.example.com"),
        ("users", "username", "carol"),
        ("tenants", "name", "globex"),
    ] {
        let listed = api.get(&format!("/{kind}")).expect(200);
        let items = listed["items"].as_array().expect("items");
        assert!(items.iter().any(|item| item[member] == value), "{kind}: {listed}");
    }
    let carol = crate::support::User { username: "carol".into(), password: password.into() };
    let mut browser = crate::support::Browser::default();
    world.sign_in_with(&mut browser, &world.web, "openid", &carol);
    for kind in ["sessions", "grants", "keys", "audit-events"] {
        let listed = api.get(&format!("/{kind}")).expect(200);
        let items = listed["items"].as_array().expect("items");
        assert!(!items.is_empty(), "{kind}: {listed}");
    }
}

#[test]
fn lists_come_in_pages() {
    let world = World::start();
    for n in 0..5 {
        world.server.user(&format!("user{n}"));
    }
    let api = api(&world, "keywright:admin:read");
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/users?limit=2{after}")).expect(200);
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 2, "CONTRACT-3: limit");
        names.extend(items.iter().map(|user| user["username"].to_string()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", crate::support::http::encode(next)),
            None => break,
        }
        assert!(names.len() <= 6, "it ends: {names:?}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 6, "each once: {names:?}");
    // GHSA-r9w3-57w2-gch2: a forged cursor reached the SQL.
    let forged = api.get("/users?limit=2&after=%27%20OR%201%3D1--");
    assert!(forged.status == 400 || forged.status == 200, "{}", forged.text());
    let excess = api.get("/users?limit=1000000");
    assert!(excess.status == 400 || excess.status == 200, "{}", excess.text());
}

#[test]
fn mistakes_are_problems() {
    let world = World::start();
    let api = api(&world, WRITE);
    let unknown = json!({ "username": "dave", "password": "Sesame-Sesame-1", "colour": "red" });
    let answer = api.post("/users", &unknown);
    assert!(answer.status == 400 || answer.status == 422, "CONTRACT-3: {}", answer.text());
    assert!(answer.text().contains("colour"), "names the field: {}", answer.text());
    let bad =
        json!({ "redirect_uris": ["https://a.example/#x"], "grant_types": ["authorization_code"] });
    let answer = api.post("/clients", &bad);
    expect_problem(&answer, 400);
    assert!(answer.text().contains("redirect_uri"), "A2: {}", answer.text());
    let broken = api.request("POST", "/users").body("application/json", b"{".to_vec()).send();
    expect_problem(&broken, 400);
    let twice = json!({ "username": "alice", "password": "Sesame-Sesame-1" });
    expect_problem(&api.post("/users", &twice), 409);
    expect_problem(&api.get("/nothing-of-that-kind"), 404);
    let method = api.request("PUT", "/clients").json(&json!({})).send();
    expect_problem(&method, 405);
}

#[test]
fn the_description_lists_the_paths() {
    let world = World::start();
    let document = world.server.get("/api/v1/openapi.json").expect(200);
    assert!(document["openapi"].as_str().is_some_and(|v| v.starts_with("3.")), "OpenAPI 3");
    let paths = document["paths"].as_object().expect("paths");
    for kind in ["tenants", "clients", "resources", "users", "sessions", "grants", "keys"] {
        let listed = paths.keys().any(|path| path.ends_with(&format!("/{kind}")));
        assert!(listed, "{kind}: {:?}", paths.keys());
    }
}
