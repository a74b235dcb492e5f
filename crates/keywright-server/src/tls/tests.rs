//! Certificates on disk.

use std::fs;
use std::time::Duration;

use keywright_protocol::time::Timestamp;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_s(1_800_000_000);
const DAY: Duration = Duration::from_hours(24);

fn leaf(folder: &Path, host: &str, now: Timestamp) -> CertificateDer<'static> {
    development::ensure(folder, host, now).expect("made").chain.swap_remove(0)
}

#[test]
fn a_certificate_is_kept_until_it_is_no_longer_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("data/tls");
    let first = leaf(&folder, "id.example.test", NOW);
    let authority = fs::read(authority_file(&folder)).expect("published");
    let same = |host, days: u32| leaf(&folder, host, NOW.plus(DAY * days)) == first;
    assert!(same("id.example.test", 0), "another start");
    assert!(same("id.example.test", 82), "a week is left");
    let renewed = leaf(&folder, "id.example.test", NOW.plus(DAY * 84));
    assert_ne!(renewed, first, "less than a week is left");
    let moved = leaf(&folder, "other.example.test", NOW.plus(DAY * 84));
    assert_ne!(moved, renewed, "another name");
    assert_eq!(fs::read(authority_file(&folder)).expect("there"), authority, "trust stays");
}

#[test]
fn a_certificate_of_a_lost_authority_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = leaf(folder.path(), "localhost", NOW);
    fs::remove_file(folder.path().join("authority.pem")).expect("ours");
    let old = fs::read(authority_file(folder.path())).expect("published");
    assert_ne!(leaf(folder.path(), "localhost", NOW), first);
    let new = fs::read(authority_file(folder.path())).expect("published");
    assert!(new != old, "told anew");
}

#[cfg(unix)]
#[test]
fn keys_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    leaf(folder.path(), "localhost", NOW);
    for name in ["authority.pem", "server.pem"] {
        let path = folder.path().join(name);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let public = fs::read_to_string(authority_file(folder.path())).expect("published");
    assert!(public.starts_with("-----BEGIN CERTIFICATE-----") && !public.contains("PRIVATE"));
}

#[test]
fn files_are_read_or_named() {
    let folder = tempfile::tempdir().expect("a folder");
    leaf(folder.path(), "localhost", NOW);
    let (server, public) = (folder.path().join("server.pem"), authority_file(folder.path()));
    let files = |certificate: &Path, key: &Path| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        load(&TlsConfig::Files { certificate, key })
    };
    let config = files(&server, &server).expect("a pair");
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    let missing = folder.path().join("missing.pem");
    let garbage = folder.path().join("garbage.pem");
    fs::write(&garbage, "-----BEGIN NONSENSE-----\n").expect("written");
    for (certificate, key, want) in [
        (&missing, &server, "missing.pem"),
        (&server, &missing, "missing.pem"),
        (&garbage, &server, "garbage.pem"),
        (&server, &public, "ca.pem"),
        (&public, &server, "belong together"),
    ] {
        let error = files(certificate, key).expect_err(want).to_string();
        assert!(error.contains(want), "{error}");
    }
}
