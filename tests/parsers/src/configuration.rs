//! What the operator writes.

use std::path::Path;

use keywright_server::Config;

use crate::Verdict;

/// A configuration file.
pub fn configuration(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Verdict::Refused };
    let parse = || Config::parse(text, Path::new("keywright.toml"), []);
    match parse() {
        Ok(config) => {
            assert_eq!(config.is_https(), config.issuer.starts_with("https://"));
            assert!(!config.issuer.contains(['?', '#', ' ']), "RFC8414-2: {}", config.issuer);
            assert!(parse().is_ok(), "the same text says the same again");
            Verdict::Accepted
        }
        Err(why) => {
            assert!(!why.to_string().is_empty(), "an error says what is wrong");
            Verdict::Refused
        }
    }
}
