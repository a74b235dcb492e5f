//! TLS by the program itself: certificate files, and a development authority made on demand.

use std::path::{Path, PathBuf};

use crate::support::tls::{Certificates, send};
use crate::support::world::spa_metadata;
use crate::support::{Authorize, Request, Server};

fn files(certificates: &Certificates) -> Server {
    let settings = format!(
        "certificate = \"{}\"\nkey = \"{}\"",
        certificates.certificate.display(),
        certificates.key.display()
    );
    Server::builder().https().set("tls", &settings).start()
}

#[test]
fn certificate_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let server = files(&certificates);
    let url = server.url("/.well-known/openid-configuration");
    let document = send(&Request::get(&url), &certificates.authority).expect("TLS").expect(200);
    assert_eq!(document["issuer"], serde_json::json!(server.issuer), "RFC8414-3.3");
    // Plain http on the same port is not answered by the application.
    let plain = Request::get(&url.replace("https", "http")).try_send();
    assert!(plain.is_err() || plain.is_ok_and(|answer| answer.status == 400), "TLS only");
    // An authority that did not sign it is not believed, so the check above means something.
    let other = tempfile::tempdir().expect("a temporary folder");
    let stranger = Certificates::generate(other.path());
    assert!(send(&Request::get(&url), &stranger.authority).is_err(), "the positive twin's twin");
    server.stop();
}

/// CONTRACT §3: `__Host-` and Secure on https issuers.
#[test]
fn cookies_of_an_https_issuer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let server = files(&certificates);
    let client = server.client(&spa_metadata_without_api());
    let url = Authorize::new(&server, &client).url();
    let mut page = send(&Request::get(&url), &certificates.authority).expect("TLS");
    let mut cookies: Vec<String> = owned(page.headers("set-cookie"));
    if let Some(next) = page.header("location") {
        let next = crate::support::http::resolve(&url, next);
        let pairs: Vec<&str> = cookies.iter().filter_map(|c| c.split(';').next()).collect();
        let request = Request::get(&next).header("Cookie", &pairs.join("; "));
        page = send(&request, &certificates.authority).expect("TLS");
        cookies.extend(owned(page.headers("set-cookie")));
    }
    assert!(page.text().contains("login-form"), "{}", page.text());
    assert!(!cookies.is_empty(), "the flow is bound to the browser by a cookie");
    for cookie in cookies {
        let lower = cookie.to_lowercase();
        assert!(cookie.starts_with("__Host-"), "CONTRACT-3: {cookie}");
        assert!(lower.contains("; secure"), "CONTRACT-3: {cookie}");
        assert!(
            lower.contains("; path=/") && lower.contains("; httponly"),
            "BBA-6.1.3.2: {cookie}"
        );
    }
    let hsts = page.header("strict-transport-security").unwrap_or_default();
    assert!(hsts.contains("max-age="), "RFC9700-2.6: {hsts}");
}

fn owned(headers: Vec<&str>) -> Vec<String> {
    headers.into_iter().map(str::to_owned).collect()
}

fn spa_metadata_without_api() -> serde_json::Value {
    crate::support::world::with(spa_metadata(), &serde_json::json!({ "scope": "openid" }))
}

#[test]
fn a_development_authority_on_demand() {
    let server = Server::builder().https().set("tls", "development = true").start();
    let url = server.url("/.well-known/openid-configuration");
    let authorities = pem_files(&server.folder);
    let document = authorities
        .iter()
        .find_map(|authority| send(&Request::get(&url), authority).ok())
        .unwrap_or_else(|| panic!("one of {authorities:?} vouches for the server"));
    assert_eq!(document.expect(200)["issuer"], serde_json::json!(server.issuer));
    server.stop();
}

/// Every PEM file with a certificate below a folder.
fn pem_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(pem_files(&path));
        } else if std::fs::read(&path).is_ok_and(|b| b.starts_with(b"-----BEGIN CERTIFICATE")) {
            found.push(path);
        }
    }
    found
}

/// A reload reads renewed files; a broken file leaves the old certificate in place.
#[test]
fn renewed_files_are_taken_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificates = Certificates::generate(folder.path());
    let server = files(&certificates);
    let url = server.url("/jwks");
    let renewed = Certificates::generate(folder.path());
    server.signal("HUP");
    crate::support::wait::until_true(std::time::Duration::from_secs(10), "it is renewed", || {
        send(&Request::get(&url), &renewed.authority).is_ok_and(|answer| answer.status == 200)
    });
    std::fs::write(&renewed.certificate, "not a certificate").expect("writable");
    server.signal("HUP");
    send(&Request::get(&url), &renewed.authority).expect("the old one").expect(200);
}
