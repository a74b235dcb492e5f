//! TLS on the listener, with certificates of the development authority.

use std::path::Path;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::config::TlsConfig;
use crate::tls;

struct Secured {
    folder: TempDir,
    slot: Arc<ArcSwapOption<rustls::ServerConfig>>,
    server: Server,
}

fn development(folder: &Path) -> Arc<rustls::ServerConfig> {
    let (folder, host) = (folder.to_owned(), "id.example.test".to_owned());
    tls::load(&TlsConfig::Development { folder, host }).expect("made")
}

async fn start() -> Secured {
    let folder = tempfile::tempdir().expect("a folder");
    let slot = Arc::new(ArcSwapOption::from(Some(development(folder.path()))));
    let server = Server::start_with(LIMITS, Some(Arc::clone(&slot))).await;
    Secured { folder, slot, server }
}

impl Secured {
    /// Shakes hands as a peer that trusts the authority in `trusted`.
    async fn shake(
        &self,
        trusted: &Path,
        host: &str,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in tls::read_chain(&tls::authority_file(trusted)).expect("published") {
            roots.add(certificate).expect("an authority");
        }
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, self.server.connect().await).await
    }
}

#[tokio::test]
async fn who_trusts_the_authority_is_served() {
    let secured = start().await;
    let trusted = secured.folder.path();
    for host in ["id.example.test", "localhost", "127.0.0.1", "::1"] {
        let mut stream = secured.shake(trusted, host, &[b"http/1.1"]).await.expect(host);
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
        let request = b"GET /peer HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("a clean end");
        assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    }
    let stream = secured.shake(trusted, "localhost", &[b"h2", b"http/1.1"]).await.expect("served");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()), "the better one");
    drop(stream);
    secured.server.end().await;
}

#[tokio::test]
async fn nobody_else_is() {
    let secured = start().await;
    let trusted = secured.folder.path();
    secured.shake(trusted, "other.example.test", &[]).await.expect_err("another name");
    let stranger = tempfile::tempdir().expect("a folder");
    development(stranger.path());
    secured.shake(stranger.path(), "localhost", &[]).await.expect_err("another authority");
    secured.shake(trusted, "localhost", &[b"spdy/3"]).await.expect_err("another protocol");
    let mut plain = secured.server.connect().await;
    plain.write_all(b"GET /peer HTTP/1.1\r\nHost: a.test\r\n\r\n").await.expect("open");
    let mut answer = Vec::new();
    _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "nothing in the clear");
    secured.server.end().await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut() {
    let secured = start().await;
    let mut stream = secured.server.connect().await;
    stream.write_all(&[0x16, 0x03, 0x01]).await.expect("the start of a record");
    assert_eq!(read_to_end(&mut stream).await, 0);
    secured.server.end().await;
}

#[tokio::test]
async fn a_reload_changes_what_new_connections_see() {
    let secured = start().await;
    let renewed = tempfile::tempdir().expect("a folder");
    let old = secured.shake(secured.folder.path(), "localhost", &[]).await.expect("served");
    secured.slot.store(Some(development(renewed.path())));
    secured.shake(secured.folder.path(), "localhost", &[]).await.expect_err("the old authority");
    secured.shake(renewed.path(), "localhost", &[]).await.expect("the new one");
    drop(old);
    secured.slot.store(None);
    secured.server.ask().await;
    secured.server.end().await;
}
