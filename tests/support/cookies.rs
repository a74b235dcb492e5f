//! A cookie jar for one host: name, path, removal; the rest of RFC 6265 has no part in the tests.

use std::collections::BTreeMap;

use super::http::Response;

/// Cookies by name and path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar(BTreeMap<(String, String), String>);

impl Jar {
    /// Takes over what a response sets and removes.
    pub(crate) fn absorb(&mut self, response: &Response) {
        for line in response.headers("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a=b");
            let attributes: Vec<&str> = parts.collect();
            let key = (name.to_owned(), attribute(&attributes, "Path").unwrap_or("/").to_owned());
            if attribute(&attributes, "Max-Age") == Some("0") {
                self.0.remove(&key);
            } else {
                self.0.insert(key, value.to_owned());
            }
        }
    }

    /// The `Cookie` header for a path.
    pub(crate) fn header(&self, path: &str) -> Option<String> {
        let fits = |wanted: &str| path.starts_with(wanted.trim_end_matches('/'));
        let pairs: Vec<String> = self
            .0
            .iter()
            .filter(|((_, wanted), _)| fits(wanted))
            .map(|((name, _), value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn attribute<'a>(attributes: &[&'a str], name: &str) -> Option<&'a str> {
    let named =
        |a: &&&'a str| a.split_once('=').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
    attributes.iter().find(named).and_then(|a| a.split_once('=')).map(|(_, value)| value)
}
