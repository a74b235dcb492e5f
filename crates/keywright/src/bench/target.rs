//! Whom to measure, and with whose credentials: from options, or from a file for several servers.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keywright_protocol::secret::Secret;
use serde::Deserialize;

use super::plan::{Credentials, Issuer, load_refresh_tokens};
use crate::cli::{read_password, read_secret};

/// More would not fit into one table or one chart.
const MAX_TARGETS: usize = 16;
const SECRET_VARIABLE: &str = "KEYWRIGHT_CLIENT_SECRET";
const PASSWORD_VARIABLE: &str = "KEYWRIGHT_PASSWORD";

/// The options that say whom to ask, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct TargetArgs {
    /// The server: https, or http on this machine's loopback; repeat it to compare servers
    #[arg(long, required_unless_present = "targets")]
    issuer: Vec<Issuer>,
    /// The client that asks: one for all, or one for each issuer in the same order
    #[arg(long, value_name = "ID")]
    client_id: Vec<String>,
    /// Its secret: itself, file:PATH or env:NAME; otherwise from KEYWRIGHT_CLIENT_SECRET
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    client_secret: Vec<String>,
    /// Servers and their credentials, TOML or JSON, instead of --issuer
    #[arg(long, value_name = "FILE", conflicts_with_all = ["issuer", "client_id", "client_secret"])]
    targets: Option<PathBuf>,
    /// The person who signs in; the password comes from KEYWRIGHT_PASSWORD or standard input
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Read the person's password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Where the client gets its codes; nothing is sent there
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// Scopes to ask for, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// The protected resource to ask for (RFC 8707)
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Refresh tokens, one a line, each of a family of its own; the file is not rewritten
    #[arg(long, value_name = "FILE")]
    refresh_tokens: Option<PathBuf>,
}

/// One server and what it needs to be told.
#[derive(Debug)]
pub(super) struct Target {
    /// What it is called in the report: the issuer unless the file says otherwise.
    pub(super) name: String,
    pub(super) issuer: Issuer,
    pub(super) client: Option<Credentials>,
    pub(super) person: Option<Person>,
    pub(super) scope: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) refresh_tokens: Vec<Secret<String>>,
}

/// Somebody who signs in, and the address that the code comes back to.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) username: String,
    pub(super) password: Arc<Secret<String>>,
    pub(super) redirect_uri: String,
}

/// `[[target]]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    target: Vec<Entry>,
}

/// One server as written down; what is missing comes from the options.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    issuer: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    username: Option<String>,
    password: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    resource: Option<String>,
    refresh_tokens: Option<PathBuf>,
}

impl TargetArgs {
    /// Every server that is to be measured, with its secrets read.
    pub(super) fn load(self) -> Result<Vec<Target>, String> {
        let entries = match &self.targets {
            Some(file) => parse_file(file)?,
            None => self.entries()?,
        };
        if !(1..=MAX_TARGETS).contains(&entries.len()) {
            return Err(format!("{} servers; 1 to {MAX_TARGETS} can be compared", entries.len()));
        }
        if entries.len() > 1 && self.refresh_tokens.is_some() {
            return Err("refresh tokens belong to one server: use --targets".to_owned());
        }
        let password = self.password()?;
        entries.into_iter().map(|entry| self.target(entry, password.as_ref())).collect()
    }

    fn entries(&self) -> Result<Vec<Entry>, String> {
        let count = self.issuer.len();
        for (option, given) in
            [("--client-id", self.client_id.len()), ("--client-secret", self.client_secret.len())]
        {
            if given > 1 && given != count {
                return Err(format!("{given} times {option} for {count} issuers"));
            }
        }
        let of = |all: &[String], at: usize| all.get(at).or_else(|| all.first()).cloned();
        let entry = |(at, issuer): (usize, &Issuer)| Entry {
            issuer: issuer.as_str().to_owned(),
            client_id: of(&self.client_id, at),
            client_secret: of(&self.client_secret, at),
            ..Entry::default()
        };
        Ok(self.issuer.iter().enumerate().map(entry).collect())
    }

    fn password(&self) -> Result<Option<Arc<Secret<String>>>, String> {
        let password = if self.password_stdin {
            Some(read_password().map_err(text)?)
        } else {
            std::env::var(PASSWORD_VARIABLE).ok().map(Secret::new)
        };
        Ok(password.map(Arc::new))
    }

    fn target(
        &self,
        entry: Entry,
        password: Option<&Arc<Secret<String>>>,
    ) -> Result<Target, String> {
        let secret = entry.client_secret.as_deref().map(read_secret).transpose().map_err(text)?;
        let variable = || std::env::var(SECRET_VARIABLE).ok().map(Secret::new);
        let secret = secret.or_else(|| variable().filter(|_| entry.client_id.is_some()));
        let own = entry.password.as_deref().map(read_secret).transpose().map_err(text)?;
        let password = own.map(Arc::new).or_else(|| password.cloned());
        let redirect_uri = entry.redirect_uri.or_else(|| self.redirect_uri.clone());
        let person = match entry.username.or_else(|| self.username.clone()) {
            Some(username) => Some(Person::new(username, password, redirect_uri)?),
            None => None,
        };
        let file = entry.refresh_tokens.as_deref().or(self.refresh_tokens.as_deref());
        Ok(Target {
            name: entry.name.unwrap_or_else(|| entry.issuer.clone()),
            issuer: entry.issuer.parse()?,
            client: Credentials::new(entry.client_id, secret)?,
            person,
            scope: entry.scope.or_else(|| self.scope.clone()),
            resource: entry.resource.or_else(|| self.resource.clone()),
            refresh_tokens: file.map(load_refresh_tokens).transpose()?.unwrap_or_default(),
        })
    }
}

impl Person {
    fn new(
        username: String,
        password: Option<Arc<Secret<String>>>,
        redirect_uri: Option<String>,
    ) -> Result<Self, String> {
        let missing = format!("--username needs --password-stdin or {PASSWORD_VARIABLE}");
        let password = password.ok_or(missing)?;
        let redirect_uri = redirect_uri.ok_or("--username needs --redirect-uri")?;
        Ok(Self { username, password, redirect_uri })
    }
}

fn parse_file(file: &Path) -> Result<Vec<Entry>, String> {
    let wrong = |why: &dyn Display| format!("{}: {why}", file.display());
    let text = fs::read_to_string(file).map_err(|why| wrong(&why))?;
    if text.trim_start().starts_with('{') {
        let document: Document = serde_json::from_str(&text).map_err(|why| wrong(&why))?;
        return Ok(document.target);
    }
    let document: Document = toml::from_str(&text).map_err(|why| wrong(&why))?;
    Ok(document.target)
}

fn text(why: impl Display) -> String {
    why.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::Write as _;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TargetArgs,
    }

    fn load(line: &str) -> Result<Vec<Target>, String> {
        let words = ["bench"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).map_err(text)?.args.load()
    }

    fn file(content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file
    }

    #[test]
    fn credentials_are_shared_or_go_with_their_issuers() {
        let two = "--issuer https://a.example --issuer https://b.example";
        let shared = load(&format!("{two} --client-id c --client-secret s")).unwrap();
        assert_eq!(shared.len(), 2);
        assert!(shared.iter().all(|target| target.client.as_ref().unwrap().id == "c"));
        let own = load(&format!("{two} --client-id c --client-id d")).unwrap();
        assert_eq!(own[1].client.as_ref().unwrap().id, "d");
        let three = load(&format!("{two} --client-id c --client-id d --client-id e"));
        assert!(three.unwrap_err().contains("3 times --client-id for 2"));
        assert!(load(&format!("{two} --refresh-tokens x")).is_err());
        assert!(load("").is_err(), "no server at all");
    }

    #[test]
    fn a_person_needs_a_password_and_an_address() {
        let person = |redirect: Option<&str>, password: Option<&str>| {
            let password = password.map(|password| Arc::new(Secret::new(password.to_owned())));
            Person::new("alice".to_owned(), password, redirect.map(str::to_owned))
        };
        assert!(person(Some("https://c.example"), Some("p")).is_ok());
        assert!(person(None, Some("p")).unwrap_err().contains("--redirect-uri"));
        assert!(person(Some("https://c.example"), None).unwrap_err().contains("--password-stdin"));
    }

    #[test]
    fn both_kinds_of_file_say_the_same() {
        let toml = "[[target]]\nname = \"one\"\nissuer = \"https://a.example\"\nclient_id = \"c\"\n\
            client_secret = \"s\"\n\n[[target]]\nissuer = \"https://b.example\"\nscope = \"x\"\n";
        let json = r#"{ "target": [
            { "name": "one", "issuer": "https://a.example", "client_id": "c",
              "client_secret": "s" },
            { "issuer": "https://b.example", "scope": "x" } ] }"#;
        for content in [toml, json] {
            let file = file(content);
            let targets = load(&format!("--targets {}", file.path().display())).unwrap();
            assert_eq!(targets[0].name, "one");
            let secret = targets[0].client.as_ref().unwrap().secret.as_ref().unwrap();
            assert_eq!(secret.expose(), "s");
            assert_eq!(targets[1].name, "https://b.example");
            assert_eq!(targets[1].scope.as_deref(), Some("x"));
        }
        for content in ["[[target]]\nissuer = \"https://a.example\"\ntypo = 1\n", "", "{}"] {
            let file = file(content);
            assert!(load(&format!("--targets {}", file.path().display())).is_err(), "{content}");
        }
    }
}
