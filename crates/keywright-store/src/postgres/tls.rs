//! Encryption on the way to the database.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Who may answer as the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// Anybody: encrypted against those who only listen.
    Anybody,
    /// Whoever has a certificate of its name by an authority in this file.
    File(PathBuf),
    /// Whoever has a certificate of its name by a public authority.
    PublicAuthorities,
}

/// The client's side of the encryption.
pub(super) fn client(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match trust {
        Trust::Anybody => {
            let anybody = Arc::new(AcceptAnybody(provider));
            builder.dangerous().with_custom_certificate_verifier(anybody)
        }
        Trust::File(path) => builder.with_root_certificates(roots_in(path)?),
        Trust::PublicAuthorities => {
            let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
            builder.with_root_certificates(RootCertStore { roots })
        }
    };
    Ok(builder.with_no_client_auth())
}

fn roots_in(path: &PathBuf) -> Result<RootCertStore, String> {
    let told = |what: String| format!("sslrootcert {}: {what}", path.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| told(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| told(e.to_string()))?;
        roots.add(certificate).map_err(|e| told(e.to_string()))?;
    }
    if roots.is_empty() { Err(told("there is no certificate in it".to_owned())) } else { Ok(roots) }
}

/// What `sslmode=require` asks for, here as everywhere: the name of the answerer is not checked.
#[derive(Debug)]
struct AcceptAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
