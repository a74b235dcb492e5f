//! What is around the store: the key's file, the disk, the certificate, the address.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keywright_server::Config;
use keywright_server::config::{SecretRef, StoreUrl, TlsConfig};

use super::super::{certificate, now};
use super::Finding;
use crate::cli::output::time;
use crate::peer::{Http, HttpError, Issuer, Metadata};

/// Below this a store that grows may stand still soon.
const DISK_FREE_MIN: u64 = 1 << 30;
/// A certificate that nobody has renewed by then is forgotten.
const CERTIFICATE_DUE: Duration = Duration::from_hours(24 * 14);

/// Whether the master key can be read, and by nobody else.
pub(super) fn master_key(config: &Config) -> Vec<Finding> {
    let source = &config.keys.master;
    let read = match config.keys.master_secret() {
        Err(_) if is_new(config) => {
            let what = format!("{source} is not there yet: the first `keywright serve` makes it");
            return vec![Finding::note("master key", what)];
        }
        Ok(_) => Finding::good("master key", format!("{source} can be read")),
        Err(error) => {
            let remedy = "put the key back from your copy: without it the store is worth nothing";
            return vec![Finding::problem("master key", error.to_string(), remedy)];
        }
    };
    let mut findings = vec![read];
    if let SecretRef::File(path) = source {
        findings.extend(private(path));
    }
    findings
}

/// Whether this is an installation before its first start.
fn is_new(config: &Config) -> bool {
    let no_key = matches!(&config.keys.master, SecretRef::File(path) if !path.exists());
    no_key && matches!(&config.store.url, StoreUrl::Sqlite(path) if !path.exists())
}

/// Others must not read it.
fn private(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    (mode & 0o077 != 0).then(|| {
        let what = format!("others may read {shown} (mode {mode:o})");
        Finding::problem("master key", what, format!("chmod 600 {shown}"))
    })
}

/// Whether there is room beside the store.
pub(super) fn disk(config: &Config) -> Option<Finding> {
    let StoreUrl::Sqlite(path) = &config.store.url else { return None };
    // The first start makes what is missing.
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir());
    let folder = folder.unwrap_or(Path::new("."));
    let Some(free) = free_bytes(folder) else {
        let what = format!("df does not say how much room {} has", folder.display());
        return Some(Finding::note("disk", what));
    };
    let what = format!("{} free at {}", megabytes(free), folder.display());
    Some(if free < DISK_FREE_MIN {
        Finding::problem("disk", what, "make room: a full disk stops every change")
    } else {
        Finding::good("disk", what)
    })
}

/// What `df`, in its POSIX format, says of a folder.
fn free_bytes(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    parse_df(&String::from_utf8_lossy(&output.stdout))
}

fn parse_df(text: &str) -> Option<u64> {
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    kib.checked_mul(1024)
}

pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// Whether the certificate is valid, and for how long.
pub(super) fn certificate(config: &Config) -> Option<Finding> {
    let path = match config.tls.as_ref()? {
        TlsConfig::Development { .. } => {
            return Some(Finding::note("certificate", "a development certificate"));
        }
        TlsConfig::Files { certificate, .. } => certificate,
    };
    let shown = path.display();
    let Some(validity) = certificate::validity(path) else {
        let what = format!("{shown} holds no certificate that can be read");
        return Some(Finding::problem("certificate", what, "name the PEM file in tls.certificate"));
    };
    let (from, until) = (time(validity.from), time(validity.until));
    let remedy = "renew it; the server reads the new one by itself";
    Some(if now() < validity.from {
        let what = format!("{shown} is not valid before {from}");
        Finding::problem("certificate", what, "is this machine's clock right?")
    } else if validity.until <= now() {
        Finding::problem("certificate", format!("{shown} ended at {until}"), remedy)
    } else if validity.until <= now().plus(CERTIFICATE_DUE) {
        Finding::problem("certificate", format!("{shown} ends at {until}"), remedy)
    } else {
        Finding::good("certificate", format!("{shown} is valid until {until}"))
    })
}

/// Whether somebody serves the issuer.
pub(super) async fn issuer(config: &Config) -> Finding {
    let shown = &config.issuer;
    let asked = async {
        let issuer = shown.parse::<Issuer>().map_err(HttpError::Unusable)?;
        let authority = config.development_authority();
        Metadata::load(&Http::new(authority.as_deref())?, &issuer).await
    };
    match asked.await {
        Ok(_) => Finding::good("issuer", format!("{shown} answers for itself")),
        Err(HttpError::Unreachable(why)) => {
            Finding::note("issuer", format!("{why}: no server runs there, or not for this machine"))
        }
        Err(HttpError::Unusable(why)) => {
            let remedy = "let the proxy in front pass the paths of the issuer unchanged";
            Finding::problem("issuer", why, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df_in_its_posix_format() {
        let text = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n\
                    /dev/vda1        103081248  50000000  53081248      49% /\n";
        assert_eq!(parse_df(text), Some(53_081_248 * 1024));
        assert_eq!(parse_df("df: nowhere: no such file"), None);
    }
}
