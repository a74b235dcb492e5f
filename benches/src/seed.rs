//! What the servers need to know, through the program's own commands.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

/// What is asked for: a resource each, with a scope of its name.
pub(crate) const RESOURCES: [(&str, &str, &str); 3] =
    [("es256", "jwt", "ES256"), ("rs256", "jwt", "RS256"), ("opaque", "opaque", "ES256")];
pub(crate) const USERNAME: &str = "bench";
pub(crate) const PASSWORD: &str = "a password of the bench only";
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:7/callback";

/// An installation in a folder, not running.
pub(crate) struct Installation<'a> {
    pub(crate) program: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
}

/// A registered client, as its HTTP header.
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) authorization: HeaderValue,
}

impl Installation<'_> {
    /// Writes the configuration; `issuance` is `durable` or `buffered`.
    pub(crate) fn configure(&self, issuance: &str) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(format!("{issuance}.toml"));
        let (port, folder) = (self.port, self.folder.display());
        let text = format!(
            "issuer = \"http://127.0.0.1:{port}\"\n\
             [server]\nlisten = \"127.0.0.1:{port}\"\nops_listen = \"127.0.0.1:0\"\n\
             [store]\nurl = \"sqlite:{folder}/keywright.db\"\n\
             [keys]\nmaster = \"file:{folder}/master.key\"\n\
             [audit]\nissuance = \"{issuance}\"\n"
        );
        fs::write(&file, text)?;
        Ok(file)
    }

    pub(crate) fn add_resources(&self, config: &Path) -> anyhow::Result<()> {
        for (name, format, alg) in RESOURCES {
            let identifier = identifier(name);
            let arguments = ["resource", "create", "--identifier", &identifier, "--scope", name];
            let kind = ["--token-format", format, "--alg", alg, "--lifetime", "1h"];
            self.run(config, &[&arguments[..], &kind].concat(), "")?;
        }
        Ok(())
    }

    pub(crate) fn add_user(&self, config: &Path) -> anyhow::Result<()> {
        let arguments = ["user", "create", "--username", USERNAME, "--password-stdin"];
        self.run(config, &arguments, PASSWORD).map(drop)
    }

    /// A client that speaks for itself.
    pub(crate) fn add_machine(&self, config: &Path) -> anyhow::Result<Client> {
        let scopes = RESOURCES.map(|(name, ..)| name).join(" ");
        self.add_client(
            config,
            &json!({
                "client_name": "Machine",
                "grant_types": ["client_credentials"],
                "scope": scopes,
            }),
        )
    }

    /// A client that people use: with refresh tokens, without ID tokens, which would be a second
    /// signature.
    pub(crate) fn add_site(&self, config: &Path) -> anyhow::Result<Client> {
        self.add_client(
            config,
            &json!({
                "client_name": "Site",
                "grant_types": ["authorization_code", "refresh_token"],
                "redirect_uris": [REDIRECT_URI],
                "scope": "es256",
                "keywright_refresh": "always",
            }),
        )
    }

    /// A client that people use for ID tokens alone.
    pub(crate) fn add_app(&self, config: &Path) -> anyhow::Result<Client> {
        self.add_client(
            config,
            &json!({
                "client_name": "App",
                "grant_types": ["authorization_code"],
                "redirect_uris": [REDIRECT_URI],
                "scope": "openid es256",
                "id_token_signed_response_alg": "ES256",
            }),
        )
    }

    fn add_client(&self, config: &Path, metadata: &Value) -> anyhow::Result<Client> {
        let arguments = ["client", "create", "--metadata", "-", "--json"];
        let output = self.run(config, &arguments, &metadata.to_string())?;
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let member = |name| answer.get(name).and_then(Value::as_str).context("RFC 7591 §3.2.1");
        let (id, secret) = (member("client_id")?, member("client_secret")?);
        let encode =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
        let authorization = HeaderValue::from_str(&format!("Basic {pair}"))?;
        Ok(Client { id: id.to_owned(), authorization })
    }

    fn run(&self, config: &Path, arguments: &[&str], input: &str) -> anyhow::Result<Output> {
        let mut command = Command::new(self.program);
        command.args(arguments).arg("--config").arg(config).current_dir(self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        child.stdin.take().context("a pipe")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("{}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(output)
    }
}

pub(crate) fn identifier(resource: &str) -> String {
    format!("https://api.bench.test/{resource}")
}
