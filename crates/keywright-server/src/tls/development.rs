//! A private certificate authority for development: nobody trusts it but who installs it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use keywright_protocol::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use zeroize::Zeroizing;

use super::{TlsError, provider};
use crate::config::secret_ref::{create_private, read_private};

/// The certificate that developers install; the authority's key is not in it.
const PUBLIC_FILE: &str = "ca.pem";
/// The authority's key and certificate.
const AUTHORITY_FILE: &str = "authority.pem";
/// The server's key and certificate.
const SERVER_FILE: &str = "server.pem";

const DAY: Duration = Duration::from_hours(24);
const AUTHORITY_LIFETIME: Duration = Duration::from_hours(24 * 3650);
const SERVER_LIFETIME: Duration = Duration::from_hours(24 * 90);
/// A certificate that would end sooner than this is made anew.
const RENEW_BEFORE: Duration = Duration::from_hours(24 * 7);
/// Where the certificate begins in a file that has a key in front of it.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
/// The names of this machine for itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate with its key.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The file with the authority's certificate, for those who want to trust it.
pub fn authority_file(folder: &Path) -> PathBuf {
    folder.join(PUBLIC_FILE)
}

/// The certificate for this host, made or renewed where needed.
pub(super) fn ensure(folder: &Path, host: &str, now: Timestamp) -> Result<Made, TlsError> {
    let names = names(host);
    let authority = match read(&folder.join(AUTHORITY_FILE)) {
        Ok(authority) => authority,
        Err(Unread::Missing) => make_authority(folder, now)?,
        Err(Unread::Refused(error)) => return Err(error),
    };
    publish(folder)?;
    match read(&folder.join(SERVER_FILE)) {
        Ok(made) if is_good(&authority, &made, &names, now.plus(RENEW_BEFORE)) => Ok(made),
        Ok(_) | Err(Unread::Missing) => make_server(folder, &authority, names, now),
        Err(Unread::Refused(error)) => Err(error),
    }
}

fn names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    names.extend(LOOPBACK.iter().filter(|name| **name != host).map(ToString::to_string));
    names
}

enum Unread {
    Missing,
    Refused(TlsError),
}

fn read(path: &Path) -> Result<Made, Unread> {
    if !path.exists() {
        return Err(Unread::Missing);
    }
    let text = read_private(path).map_err(|error| Unread::Refused(error.into()))?;
    let refuse = |what: String| Unread::Refused(TlsError::File { path: path.to_owned(), what });
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| refuse(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    Ok(Made { chain: found.map_err(|error| refuse(error.to_string()))?, key })
}

/// Whether a peer who trusts the authority would take this certificate for all names, then.
fn is_good(authority: &Made, made: &Made, names: &[String], then: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authority.chain.iter().cloned());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let (Ok(verifier), Some(leaf)) = (verifier, made.chain.first()) else { return false };
    let then = u64::try_from(then.as_unix_s()).unwrap_or_default();
    let then = UnixTime::since_unix_epoch(Duration::from_secs(then));
    names.iter().all(|name| {
        let name = ServerName::try_from(name.as_str());
        name.is_ok_and(|name| verifier.verify_server_cert(leaf, &[], &name, &[], then).is_ok())
    })
}

fn make_authority(folder: &Path, now: Timestamp) -> Result<Made, TlsError> {
    let key = KeyPair::generate().map_err(failed)?;
    let mut parameters = authority_parameters();
    limit(&mut parameters, now, AUTHORITY_LIFETIME);
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    store(&folder.join(AUTHORITY_FILE), &key, &certificate)
}

fn make_server(
    folder: &Path,
    authority: &Made,
    names: Vec<String>,
    now: Timestamp,
) -> Result<Made, TlsError> {
    let authority_key = KeyPair::try_from(&authority.key).map_err(failed)?;
    let issuer = Issuer::new(authority_parameters(), authority_key);
    let key = KeyPair::generate().map_err(failed)?;
    let mut parameters = CertificateParams::new(names).map_err(failed)?;
    parameters.distinguished_name.push(DnType::CommonName, "Keywright development server");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    limit(&mut parameters, now, SERVER_LIFETIME);
    let certificate = parameters.signed_by(&key, &issuer).map_err(failed)?;
    store(&folder.join(SERVER_FILE), &key, &certificate)
}

/// What the authority's certificate says, again and again the same: its name and key decide.
fn authority_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "Keywright development authority");
    parameters
}

/// From yesterday, because clocks differ, to the end of the lifetime.
fn limit(parameters: &mut CertificateParams, now: Timestamp, lifetime: Duration) {
    let at = |moment: Timestamp| {
        let since = Duration::from_secs(u64::try_from(moment.as_unix_s()).unwrap_or_default());
        SystemTime::UNIX_EPOCH + since
    };
    parameters.not_before = at(now.minus(DAY)).into();
    parameters.not_after = at(now.plus(lifetime)).into();
}

/// Key and certificate in one file, in one step, so that they always belong together.
fn store(path: &Path, key: &KeyPair, certificate: &rcgen::Certificate) -> Result<Made, TlsError> {
    let text = Zeroizing::new(key.serialize_pem() + &certificate.pem());
    let fresh = path.with_extension("new");
    remove(&fresh).map_err(failed)?;
    create_private(&fresh, text.as_bytes()).map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(failed)?;
    Ok(Made { chain: vec![certificate.der().clone()], key })
}

/// Puts the authority's certificate where everybody can read it; of the file only that part.
fn publish(folder: &Path) -> Result<(), TlsError> {
    let path = authority_file(folder);
    let text = Zeroizing::new(fs::read_to_string(folder.join(AUTHORITY_FILE)).map_err(failed)?);
    let start = text.find(CERTIFICATE).unwrap_or(text.len());
    let certificate = text.get(start..).unwrap_or_default();
    if fs::read_to_string(&path).is_ok_and(|published| published == certificate) {
        return Ok(());
    }
    fs::write(&path, certificate).map_err(failed)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(error: impl std::fmt::Display) -> TlsError {
    TlsError::Development(error.to_string())
}
