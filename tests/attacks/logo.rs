//! Logos are pictures that clients chose: this server fetches and shows them, and they stay
//! pictures.

use serde_json::json;

use crate::support::html::tags;
use crate::support::tls::{Canary, Certificates};
use crate::support::world::{web_metadata, with};
use crate::support::{Authorize, Browser, Request, Response, Server, World, http};

/// The smallest PNG: one transparent pixel.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

fn answer(kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn open_world(certificates: &Certificates) -> World {
    let settings = format!(
        "allow_addresses = [\"127.0.0.1/32\"]\nextra_ca = [\"{}\"]",
        certificates.authority.display()
    );
    World::in_server(Server::builder().set("outbound", &settings).start())
}

/// Where the sign-in page of a client with a logo at this address has its picture.
fn picture(world: &World, address: &str) -> Option<String> {
    let logo = json!({ "logo_uri": format!("https://{address}/logo") });
    let client = world.server.client(&with(web_metadata(), &logo));
    let page = Browser::default().open(&Authorize::new(&world.server, &client).url());
    let image = tags(&page.text()).into_iter().find(|tag| tag.name == "img")?;
    let url = http::resolve(&page.url, &image.text("src"));
    assert_eq!(http::origin(&url), world.server.issuer, "A38: from this server alone");
    Some(url)
}

fn shown(world: &World, address: &str) -> Option<Response> {
    Some(Request::get(&picture(world, address)?).send())
}

#[test]
fn a_picture_is_shown_by_this_server() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let canary = Canary::serve(&certificates, answer("image/png", PNG));
    let world = open_world(&certificates);
    let url = picture(&world, &canary.address).expect("an image on the page");
    let logo = Request::get(&url).send();
    assert_eq!((logo.status, logo.body.as_slice()), (200, PNG), "the very picture");
    assert_eq!(logo.header("content-type"), Some("image/png"));
    assert_eq!(logo.header("x-content-type-options"), Some("nosniff"));
    for _ in 0..5 {
        assert_eq!(Request::get(&url).send().status, 200);
    }
    assert_eq!(canary.hits(), 1, "fetched once, and kept");
    world.server.stop();
}

/// Markup from our own origin would be script in our own origin.
#[test]
fn what_is_no_picture_is_not_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let world = open_world(&certificates);
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let html = b"<html><script>alert(1)</script></html>";
    let large = [PNG, &vec![0; 8_000_000]].concat();
    let cases: [(&str, Vec<u8>); 5] = [
        ("SVG", answer("image/svg+xml", svg)),
        ("SVG that says it is PNG", answer("image/png", svg)),
        ("HTML", answer("text/html", html)),
        ("HTML that says it is PNG", answer("image/png", html)),
        ("a giant", answer("image/png", &large)),
    ];
    for (name, bytes) in cases {
        let canary = Canary::serve(&certificates, bytes);
        let Some(logo) = shown(&world, &canary.address) else { continue };
        assert_eq!(logo.status, 404, "{name}: {}", logo.text());
        assert!(canary.hits() > 0, "{name} was fetched and judged");
    }
}

#[test]
fn inner_addresses_show_no_logo() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let canary = Canary::serve(&certificates, answer("image/png", PNG));
    let world = World::start();
    if let Some(logo) = shown(&world, &canary.address) {
        assert_eq!(logo.status, 404, "SSRF: {}", logo.text());
    }
    assert_eq!(canary.hits(), 0, "SSRF: nobody was asked");
}

#[test]
fn logos_of_nobody() {
    let world = World::start();
    let encoded = "%2e%2e%2f%2e%2e%2fetc%2fpasswd";
    for id in ["nobody", encoded, "", &world.web.id] {
        let answer = world.server.get(&format!("/logos/{id}"));
        assert_eq!(answer.status, 404, "{id}: {}", answer.text());
    }
}
