//! Every secret that a test sees, so that no log may hold one.
//!
//! Kept per server for the check at its end, and appended to `secrets.txt` for a search over the
//! output of the whole run.

use std::collections::{BTreeMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::http::{self, Response};

/// Shorter strings would be found by accident.
const LEAST: usize = 12;

/// Parameters and members whose values are secrets.
const NAMES: [&str; 12] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "csrf",
    "id_token",
    "id_token_hint",
    "password",
    "refresh_token",
    "token",
];

static SEEN: Mutex<BTreeMap<String, HashSet<String>>> = Mutex::new(BTreeMap::new());

/// Where logs, screenshots and the list of secrets go.
pub(crate) fn output() -> PathBuf {
    let folder = std::env::var_os("KEYWRIGHT_TEST_OUTPUT")
        .map_or_else(|| super::server::target().join("test-output"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("the output folder can be made");
    folder
}

/// Remembers a secret of the server at `authority`.
pub(crate) fn note(authority: &str, secret: &str) {
    if secret.len() < LEAST {
        return;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.entry(authority.to_owned()).or_default().insert(secret.to_owned()) {
        let path = output().join("secrets.txt");
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("writable");
        file.write_all(format!("{secret}\n").as_bytes()).expect("writable");
    }
}

pub(crate) fn note_parameter(authority: &str, name: &str, value: &str) {
    if NAMES.contains(&name) {
        note(authority, value);
    }
}

pub(crate) fn note_document(authority: &str, document: &Value) {
    for name in NAMES.iter().filter(|name| **name != "code") {
        if let Some(secret) = document[name].as_str() {
            note(authority, secret);
        }
    }
}

pub(crate) fn note_response(authority: &str, response: &Response) {
    if let Ok(document) = serde_json::from_slice::<Value>(&response.body) {
        note_document(authority, &document);
    }
    for cookie in response.headers("set-cookie") {
        let pair = cookie.split(';').next().unwrap_or_default();
        note(authority, pair.split_once('=').map_or("", |(_, value)| value));
    }
    for (name, value) in http::parameters(response.header("location").unwrap_or_default()) {
        note_parameter(authority, &name, &value);
    }
}

/// The secrets of `authority` that `text` holds.
///
/// Words are compared, not substrings: thousands of secrets against a long log stay cheap.
pub(crate) fn found_in(authority: &str, text: &str) -> Vec<String> {
    let words: HashSet<&str> = split(text).collect();
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let leaked = |secret: &&String| {
        let telling = split(secret).max_by_key(|word| word.len()).unwrap_or_default();
        telling.len() >= LEAST && words.contains(telling)
    };
    seen.get(authority).into_iter().flatten().filter(leaked).cloned().collect()
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
}
