//! TLS at both ends, with certificates made for one test.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{Stream, crypto};

use super::Response;
use super::http::{Request, parse};

/// A certificate authority and a certificate for 127.0.0.1 and localhost, as PEM files.
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    pub(crate) fn generate(folder: &Path) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let root = authority.self_signed(&authority_key).expect("signed");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = KeyPair::generate().expect("a key");
        let issuer = Issuer::new(authority, authority_key);
        let leaf = CertificateParams::new(names).expect("names").signed_by(&key, &issuer);
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        Self {
            authority: write("ca.pem", root.pem()),
            certificate: write("tls.pem", leaf.expect("signed").pem()),
            key: write("tls.key", key.serialize_pem()),
        }
    }
}

fn provider() -> Arc<crypto::CryptoProvider> {
    Arc::new(crypto::aws_lc_rs::default_provider())
}

/// One request over TLS to a server that the authority vouches for.
pub(crate) fn send(request: &Request, authority: &Path) -> std::io::Result<Response> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).expect("readable") {
        roots.add(certificate.expect("PEM")).expect("a certificate");
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut socket = TcpStream::connect(request.authority())?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut stream = Stream::new(&mut session, &mut socket);
    stream.write_all(&request.to_bytes())?;
    let mut bytes = Vec::new();
    // A peer that closes without a close_notify is judged by the length of the body.
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes)
}

/// A server of one document, which counts who asks.
pub(crate) struct Canary {
    pub(crate) address: String,
    hits: Arc<AtomicUsize>,
    stop: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Canary {
    /// Answers every request over TLS with these bytes.
    pub(crate) fn serve(certificates: &Certificates, answer: Vec<u8>) -> Self {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(&certificates.certificate)
                .expect("readable")
                .map(|certificate| certificate.expect("PEM"))
                .collect();
        let key = PrivateKeyDer::from_pem_file(&certificates.key).expect("a key");
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (hits, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (config, seen, ended) = (Arc::new(config), Arc::clone(&hits), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) > 0 {
                    return;
                }
                seen.fetch_add(1, Ordering::SeqCst);
                // A peer that hangs up early was counted all the same.
                let _ = respond(&config, socket, &answer);
            }
        });
        Self { address, hits, stop, thread: Some(thread) }
    }

    /// How many connections were opened.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.stop.store(1, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn respond(
    config: &Arc<ServerConfig>,
    mut socket: TcpStream,
    answer: &[u8],
) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut session = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = Stream::new(&mut session, &mut socket);
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..count]);
    }
    stream.write_all(answer)?;
    session.send_close_notify();
    session.complete_io(&mut socket).map(|_| ())
}
