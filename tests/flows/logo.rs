//! A client's logo comes from the server itself: CONTRACT §4, requirement A38.

use serde_json::json;

use crate::support::html::tags;
use crate::support::http::resolve;
use crate::support::tls::{Canary, Certificates};
use crate::support::world::{web_metadata, with};
use crate::support::{Authorize, Browser, Client, Page, Request, Response, Server, World};

/// The first bytes of a PNG image, and some more.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06";
/// Larger than any logo may be.
const TOO_LARGE: usize = 129 * 1024;

/// A world that may fetch from loopback, and what vouches for the servers there.
struct Setting {
    world: World,
    certificates: Certificates,
    _folder: tempfile::TempDir,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::generate(folder.path());
        let authority = certificates.authority.display();
        let settings =
            format!("allow_addresses = [\"127.0.0.1/32\"]\nextra_ca = [\"{authority}\"]");
        let world = World::in_server(Server::builder().set("outbound", &settings).start());
        Self { world, certificates, _folder: folder }
    }

    /// A server that answers every request with these bytes.
    fn canary(&self, kind: &str, body: &[u8]) -> Canary {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        );
        Canary::serve(&self.certificates, [head.as_bytes(), body].concat())
    }

    /// A client whose logo is there.
    fn client(&self, canary: &Canary) -> Client {
        register(&self.world, &format!("https://{}/logo", canary.address))
    }
}

fn register(world: &World, logo_uri: &str) -> Client {
    world.server.client(&with(web_metadata(), &json!({ "logo_uri": logo_uri })))
}

/// Where a page has its one image.
#[track_caller]
fn logo_on(page: &Page) -> String {
    let text = page.text();
    let images: Vec<_> = tags(&text).into_iter().filter(|tag| tag.name == "img").collect();
    assert_eq!(images.len(), 1, "CONTRACT-4: one logo: {page}");
    let source = resolve(&page.url, &images[0].text("src"));
    let policy = page.response.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("img-src 'self';"), "A38: {policy}");
    source
}

fn fetch(world: &World, client_id: &str) -> Response {
    world.server.get(&format!("/logos/{client_id}"))
}

#[track_caller]
fn expect_none(answer: &Response) {
    assert_eq!((answer.status, answer.text().as_str()), (404, ""), "no logo, and no reason");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "it may come");
}

#[test]
fn every_page_shows_it_from_our_origin() {
    let setting = Setting::new();
    let canary = setting.canary("image/png", PNG);
    let (world, client) = (&setting.world, setting.client(&canary));
    let mut browser = Browser::default();
    let login = browser.open(&Authorize::new(&world.server, &client).scope("openid email").url());
    let logo = logo_on(&login);
    assert!(logo.starts_with(&world.server.url("/logos/")), "A38: {logo}");
    let consent = browser.sign_in(&login, &world.alice);
    consent.expect_form("consent-form");
    assert_eq!(logo_on(&consent), logo);
    let query = format!("/logout?client_id={}", client.id);
    let logout = browser.open(&world.server.url(&query));
    assert_eq!(logo_on(&logout), logo);
    let form = logout.expect_form("logout-form");
    let signed_out = browser.submit(&logout, &form, "logout-confirm");
    assert!(signed_out.has("signed-out"), "{signed_out}");
    assert_eq!(logo_on(&signed_out), logo);
    assert_eq!(canary.hits(), 0, "nothing is fetched before a browser asks");
    let answer = Request::get(&logo).send();
    assert_eq!((answer.status, answer.body.as_slice()), (200, PNG));
}

#[test]
fn the_image_can_do_nothing() {
    let setting = Setting::new();
    // What its server calls it does not matter.
    let canary = setting.canary("text/html", PNG);
    let answer = fetch(&setting.world, &setting.client(&canary).id);
    assert_eq!((answer.status, answer.body.as_slice()), (200, PNG));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "public, max-age=3600"),
    ] {
        assert_eq!(answer.headers(name), [value], "A38: {name}");
    }
    assert!(answer.headers("set-cookie").is_empty(), "everybody gets the same");
}

#[test]
fn what_is_no_image_is_not_shown() {
    let setting = Setting::new();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    let page = b"<!DOCTYPE html><script>alert(1)</script>".to_vec();
    let mut large = PNG.to_vec();
    large.resize(TOO_LARGE, 0);
    for (kind, body) in [
        ("image/svg+xml", svg.clone()),
        ("image/png", svg),
        ("image/png", page),
        ("image/png", Vec::new()),
        ("image/png", large),
    ] {
        let canary = setting.canary(kind, &body);
        let client = setting.client(&canary);
        expect_none(&fetch(&setting.world, &client.id));
        assert_eq!(canary.hits(), 1, "it was asked");
    }
    let canary = setting.canary("image/png", PNG);
    assert_eq!(fetch(&setting.world, &setting.client(&canary).id).status, 200, "the positive twin");
}

/// CVE-2026-4366: a redirect would lead past the check of the address.
#[test]
fn a_redirect_is_not_followed() {
    let setting = Setting::new();
    let target = setting.canary("image/png", PNG);
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: https://{}/logo\r\nContent-Length: 0\r\n\r\n",
        target.address
    );
    let first = Canary::serve(&setting.certificates, redirect.into_bytes());
    expect_none(&fetch(&setting.world, &setting.client(&first).id));
    assert_eq!((first.hits(), target.hits()), (1, 0), "SSRF: the second was not asked");
    assert_eq!(fetch(&setting.world, &setting.client(&target).id).status, 200, "the twin");
}

/// CVE-2026-1180: inner addresses are not asked, not even connected to.
#[test]
fn inner_addresses_are_not_reached() {
    let setting = Setting::new();
    let canary = setting.canary("image/png", PNG);
    let strict = World::start();
    let client = register(&strict, &format!("https://{}/logo", canary.address));
    expect_none(&fetch(&strict, &client.id));
    assert_eq!(canary.hits(), 0, "SSRF: nobody was asked");
}

/// Whoever can open a page must not make the server fetch at every view.
#[test]
fn it_is_not_fetched_for_every_view() {
    let setting = Setting::new();
    let good = setting.canary("image/png", PNG);
    let bad = setting.canary("text/html", b"<p>gone</p>");
    for (canary, status) in [(&good, 200), (&bad, 404)] {
        let client = setting.client(canary);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(fetch(&setting.world, &client.id).status, status));
            }
        });
        assert_eq!(fetch(&setting.world, &client.id).status, status);
        assert_eq!(canary.hits(), 1, "once for all");
    }
}

#[test]
fn there_is_none_without_a_client_that_has_one() {
    let setting = Setting::new();
    let canary = setting.canary("image/png", PNG);
    let (world, client) = (&setting.world, setting.client(&canary));
    world.server.cli(&["tenant", "create", "acme"]).expect_status(0);
    for id in ["nobody", "a%2Fb", "%00", "%ff", &world.web.id] {
        expect_none(&fetch(world, id));
    }
    expect_none(&world.server.get(&format!("/t/acme/logos/{}", client.id)));
    assert_eq!(fetch(world, &client.id).status, 200, "the positive twin");
    world.server.cli(&["client", "disable", &client.id]).expect_status(0);
    expect_none(&fetch(world, &client.id));
}
