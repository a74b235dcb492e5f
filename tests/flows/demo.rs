//! `demo`: what it prints is what really happened.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::server::{free_address, program};
use crate::support::{Request, jwt, wait};

/// DESIGN 5.4: a second, and one for a machine that runs all tests at once.
const BOUND: Duration = Duration::from_secs(2);

/// A demo that is stopped whatever becomes of the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn word_with<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let quotes = |c: char| c.is_whitespace() || "\"'`,".contains(c);
    text.split(quotes).find(|word| word.starts_with(start))
}

/// Starts a demo and waits until it has told everything.
fn start(folder: &std::path::Path) -> (Demo, String, String) {
    let printed = folder.join("printed");
    let out = std::fs::File::create(&printed).expect("writable");
    let address = free_address();
    let port = address.rsplit(':').next().expect("a port").to_owned();
    let child = Command::new(program())
        .args(["demo", "--port", &port, "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(out.try_clone().expect("a second handle"))
        .stderr(out)
        .spawn()
        .expect("the program starts");
    let demo = Demo(child);
    let text = wait::until(Duration::from_mins(1), "it has printed a curl line", || {
        let text = std::fs::read_to_string(&printed).unwrap_or_default();
        let line = text.lines().any(|line| line.trim_start().starts_with("curl "));
        (line && text.ends_with('\n')).then_some(text)
    });
    (demo, text, port)
}

/// Runs a command on the demo's own configuration.
fn command(folder: &std::path::Path, words: &[&str]) {
    let mut command = Command::new(program());
    command.args(words).arg("--config").arg(folder.join("data/demo.toml"));
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// Another token for the machine that got the first one.
fn another_token(folder: &std::path::Path, token: &str) -> String {
    let claims = jwt::claims(token);
    let notes = std::fs::read(folder.join("data/demo.json")).expect("the demo's notes");
    let notes: serde_json::Value = serde_json::from_slice(&notes).expect("JSON");
    let secret = notes["machine_secret"].as_str().expect("the machine's secret");
    let client = claims["client_id"].as_str().expect("client_id");
    let url = format!("{}/token", claims["iss"].as_str().expect("iss"));
    let pairs = [("grant_type", "client_credentials"), ("scope", "orders:read")];
    let answer = Request::post(&url).basic(client, secret).form(&pairs).send().expect(200);
    answer["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn it_ends_in_a_live_token() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut demo, text, port) = start(folder.path());
    let token = word_with(&text, "eyJ").expect("CONTRACT-1: the token");
    let claims = jwt::claims(token);
    let issuer = claims["iss"].as_str().expect("iss");
    assert!(issuer.contains(&port), "CONTRACT-1: --port: {issuer}");
    jwt::verify(issuer, token);
    for claim in ["client_id", "scope", "jti"] {
        assert!(text.contains(claims[claim].as_str().expect("text")), "decoded: {claim}");
    }
    let curl = text.lines().map(str::trim).find(|line| line.starts_with("curl ")).expect("found");
    let pasted = Command::new("sh").args(["-c", &format!("{curl} --fail")]).output();
    let pasted = pasted.expect("sh exists");
    if String::from_utf8_lossy(&pasted.stderr).contains("not found") {
        println!("skipped: there is no curl here to paste the line into");
    } else {
        assert!(pasted.status.success(), "CONTRACT-1: works as pasted: {pasted:?}");
        assert!(!pasted.stdout.is_empty(), "the sample API answers");
    }
    let pid = demo.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill exists").success());
    let status = wait::until_or_kill(Duration::from_secs(15), &mut demo.0);
    assert_eq!(status.code(), Some(0), "CONTRACT-1: Ctrl-C stops it");
}

/// The sample API hears of it over the feed: no call is made for a request.
#[test]
fn the_sample_api_hears_of_a_revocation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_demo, text, _) = start(folder.path());
    let token = word_with(&text, "eyJ").expect("CONTRACT-1: the token");
    let api = jwt::claims(token)["aud"].as_str().expect("one audience").to_owned();
    let call = || Request::get(&format!("{api}/orders")).bearer(token).send();
    assert_eq!(call().status, 200, "it is alive");
    command(folder.path(), &["token", "revoke", token]);
    let refused = wait::until(BOUND, "the API has heard of it", || {
        Some(call()).filter(|answer| answer.status != 200)
    });
    assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_token"), "RFC6750-3.1");
    let challenge = refused.header("www-authenticate").expect("RFC6750-3");
    assert!(challenge.contains("revoked"), "CONTRACT-6: {challenge}");
}

/// The key signs the feed too: what is told with it is believed until it is told to be revoked, and
/// the next key's messages are believed after it.
#[test]
fn the_sample_api_outlives_the_revocation_of_the_signing_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_demo, text, _) = start(folder.path());
    let token = word_with(&text, "eyJ").expect("CONTRACT-1: the token");
    let claims = jwt::claims(token);
    let api = claims["aud"].as_str().expect("one audience").to_owned();
    let call = |token: &str| Request::get(&format!("{api}/orders")).bearer(token).send();
    let kid = jwt::header(token)["kid"].as_str().expect("a kid").to_owned();
    command(folder.path(), &["key", "revoke", &kid]);
    wait::until_true(Duration::from_secs(2), "the old token is refused", || {
        call(token).status == 401
    });
    // The keys are fetched again at most every 5 s, and the feed is heard again soon after.
    let fresh = wait::until(Duration::from_secs(15), "a token under the next key is good", || {
        let fresh = another_token(folder.path(), token);
        let good = jwt::header(&fresh)["kid"] != kid.as_str() && call(&fresh).status == 200;
        good.then_some(fresh)
    });
    command(folder.path(), &["token", "revoke", &fresh]);
    wait::until_true(BOUND, "the feed is heard under the next key", || call(&fresh).status == 401);
}

/// The node lives, answers, and cannot read its store: its messages keep the date at which it last
/// could, so the API knows that it does not know.
#[test]
fn the_sample_api_refuses_when_the_issuer_does_not_know_what_is_revoked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_demo, text, _) = start(folder.path());
    let token = word_with(&text, "eyJ").expect("CONTRACT-1: the token");
    let api = jwt::claims(token)["aud"].as_str().expect("one audience").to_owned();
    let call = || Request::get(&format!("{api}/orders")).bearer(token).send();
    assert_eq!(call().status, 200, "it is alive");
    let file = folder.path().join("data/keywright.db");
    let change = |sql: &str| {
        let store = rusqlite::Connection::open(&file).expect("the demo's store");
        store.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        store.execute_batch(sql).expect("changed");
    };
    // Where nothing was ever revoked there is nothing to read.
    command(folder.path(), &["token", "revoke", &another_token(folder.path(), token)]);
    change("ALTER TABLE revocation RENAME TO hidden");
    let refused = wait::until(Duration::from_mins(1), "the API refuses", || {
        Some(call()).filter(|answer| answer.status != 200)
    });
    let told = (refused.status, refused.error());
    assert_eq!(told, (503, "temporarily_unavailable".to_owned()), "{}", refused.text());
    assert!(refused.header("retry-after").is_some(), "CONTRACT-6");
    change("ALTER TABLE hidden RENAME TO revocation");
    wait::until_true(Duration::from_mins(1), "the API lets it in again", || call().status == 200);
}
