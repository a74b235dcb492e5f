//! Where the database is, and how far the way to it is trusted.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Trust};
use crate::StoreFault;

/// To open a connection to one address; a refusal is told at once.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// For everything after that, such as TLS and the password, on all addresses together.
const GREET_MAX: Duration = Duration::from_secs(2);
/// What was sent and is not acknowledged for so long is lost, and the connection with it.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(3);
/// Silence after which a connection is probed, and the time between probes.
const KEEPALIVE: Duration = Duration::from_secs(2);
/// Probes without answer after which a connection is lost.
const KEEPALIVE_TRIES: u32 = 2;

/// Where the database is. Its text may hold a password and is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    pub(super) config: Config,
    trust: Option<Trust>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Address {
    /// Host and database, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgreSQL at ")?;
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let comma = if at == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        match self.config.get_dbname() {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?PARAMETERS`.
    ///
    /// `sslmode` is `disable`, `require` (encrypted, whoever answers) or `verify-full`; without it
    /// connections within this machine are plain and all others `verify-full`. `sslrootcert` names
    /// a file of certificates to trust instead of the public authorities.
    ///
    /// # Errors
    /// What is wrong; the text is not repeated.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (url, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (mut sslmode, mut sslrootcert, mut rest) = (None, None, Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => sslmode = Some(mode),
                Some(("sslrootcert", path)) => sslrootcert = Some(PathBuf::from(percent(path)?)),
                _ => rest.push(parameter),
            }
        }
        let mut config: Config = format!("{url}?{}", rest.join("&"))
            .parse()
            // The driver's own text may repeat a part of the address.
            .map_err(|_| "the address or one of its parameters is not understood".to_owned())?;
        if config.get_hosts().is_empty() {
            return Err("the address names no host".to_owned());
        }
        // Where it leads would not be what the address shows, and what is trusted goes by that.
        if !config.get_hostaddrs().is_empty() {
            return Err("hostaddr is not taken: name the host where it is".to_owned());
        }
        if config.get_user().is_none() {
            return Err("the address names no user".to_owned());
        }
        let trust = match (sslmode, sslrootcert) {
            (Some("disable"), None) => None,
            (None, None) if config.get_hosts().iter().all(is_this_machine) => None,
            (Some("require"), None) => Some(Trust::Anybody),
            (Some("verify-full") | None, None) => Some(Trust::PublicAuthorities),
            (Some("require" | "verify-full") | None, Some(path)) => Some(Trust::File(path)),
            (Some("disable"), Some(_)) => {
                return Err("sslrootcert has no use with sslmode=disable".to_owned());
            }
            _ => return Err("sslmode is disable, require or verify-full".to_owned()),
        };
        config
            .ssl_mode(if trust.is_some() { SslMode::Require } else { SslMode::Disable })
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_MAX)
            .tcp_user_timeout(UNACKNOWLEDGED_MAX)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(KEEPALIVE_TRIES);
        if config.get_application_name().is_none() {
            config.application_name("keywright");
        }
        Ok(Self { config, trust })
    }

    /// How long connecting may take in all.
    pub(super) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        GREET_MAX + CONNECT_MAX.saturating_mul(hosts)
    }

    /// Whom connections are made with; reads the file of certificates.
    pub(super) fn connector(&self) -> Result<Option<Arc<MakeRustlsConnect>>, StoreFault> {
        let Some(trust) = &self.trust else { return Ok(None) };
        let client = tls::client(trust).map_err(StoreFault::Unavailable)?;
        Ok(Some(Arc::new(MakeRustlsConnect::new(client))))
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// Decodes `%XX`.
fn percent(raw: &str) -> Result<String, String> {
    let mut decoded = Vec::new();
    let mut rest = raw.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match byte.map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            Some(Err(_)) => return Err("a percent sign is followed by no byte".to_owned()),
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| "a path is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(url: &str) -> Option<Trust> {
        Address::parse(url).unwrap().trust
    }

    #[test]
    fn who_is_trusted() {
        let file = |path: &str| Some(Trust::File(path.into()));
        assert_eq!(trust("postgres://u:p@127.0.0.1/k"), None);
        assert_eq!(trust("postgresql://u@%2Frun%2Fpostgresql/k"), None);
        assert_eq!(trust("postgres://u:p@db.test/k"), Some(Trust::PublicAuthorities));
        assert_eq!(trust("postgres://u:p@localhost,db.test/k"), Some(Trust::PublicAuthorities));
        assert_eq!(trust("postgres://u:p@db.test/k?sslmode=disable"), None);
        assert_eq!(trust("postgres://u:p@db.test/k?sslmode=require"), Some(Trust::Anybody));
        assert_eq!(trust("postgres://u@localhost/k?sslrootcert=%2Fa%20b"), file("/a b"));
        let both = "postgres://u@db.test/k?sslmode=require&sslrootcert=/ca&application_name=x";
        assert_eq!(trust(both), file("/ca"), "a file is there to be used");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for url in [
            "postgres://u:secret@h/k?sslmode=prefer",
            "postgres://u:secret@h/k?sslmode=disable&sslrootcert=/ca",
            "postgres://u:secret@h:port/k",
            "postgres://u:secret@h/k?unknown=1",
            "postgres://u:secret@localhost/k?hostaddr=10.0.0.1",
            "postgres:///k",
            "postgres://h/k",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        let address = Address::parse("postgres://u:secret@db.test:5433,other/k").unwrap();
        let shown = format!("{address} {address:?}");
        assert!(shown.contains("db.test:5433") && !shown.contains("secret"), "{shown}");
    }
}
