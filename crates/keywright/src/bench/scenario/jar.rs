//! The cookies of one browser at one server: name, path and removal. More of RFC 6265 is not
//! needed where nothing is sent to anybody else.

use std::collections::BTreeMap;

use ::http::HeaderValue;
use ::http::header::{HeaderMap, SET_COOKIE};

/// More than any sign-in sets; a server cannot fill the memory.
const MAX_COOKIES: usize = 64;

/// Cookies by name and path.
#[derive(Default)]
pub(super) struct Jar(BTreeMap<(String, String), String>);

impl Jar {
    /// Takes over what an answer sets and removes.
    pub(super) fn absorb(&mut self, headers: &HeaderMap) {
        let lines = headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        for line in lines {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (mut path, mut removed) = ("/", value.is_empty());
            for (attribute, said) in parts.filter_map(|part| part.split_once('=')) {
                match attribute.to_ascii_lowercase().as_str() {
                    "path" if said.starts_with('/') => path = said,
                    "max-age" => removed |= said.parse().is_ok_and(|age: i64| age <= 0),
                    _ => {}
                }
            }
            let key = (name.to_owned(), path.to_owned());
            if removed {
                self.0.remove(&key);
            } else if self.0.len() < MAX_COOKIES || self.0.contains_key(&key) {
                self.0.insert(key, value.to_owned());
            }
        }
    }

    /// The `Cookie` header for a path.
    pub(super) fn header(&self, path: &str) -> Option<HeaderValue> {
        let sent = self.0.iter().filter(|((_, wanted), _)| covers(wanted, path));
        let pairs: Vec<_> = sent.map(|((name, _), value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok()?;
        header.set_sensitive(true);
        (!pairs.is_empty()).then_some(header)
    }
}

/// RFC 6265 §5.1.4.
fn covers(wanted: &str, path: &str) -> bool {
    match path.strip_prefix(wanted) {
        Some(rest) => rest.is_empty() || wanted.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(lines: &[&'static str]) -> Jar {
        let mut jar = Jar::default();
        for line in lines {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, HeaderValue::from_static(line));
            jar.absorb(&headers);
        }
        jar
    }

    fn sent(jar: &Jar, path: &str) -> String {
        jar.header(path).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_are_kept_replaced_and_removed() {
        let jar =
            jar(&["a=1; Path=/; HttpOnly", "b=2; path=/t/one", "a=3", "c=4", "c=; Max-Age=0"]);
        assert_eq!(sent(&jar, "/t/one/login"), "a=3; b=2", "RFC6265-5.4");
        for elsewhere in ["/", "/t/ones", "/t"] {
            assert_eq!(sent(&jar, elsewhere), "a=3", "RFC6265-5.1.4: {elsewhere}");
        }
    }

    #[test]
    fn nothing_is_sent_from_an_empty_jar() {
        assert!(jar(&["nonsense", "a=1; Max-Age=-1"]).header("/").is_none());
    }
}
