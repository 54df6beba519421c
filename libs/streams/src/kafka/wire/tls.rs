//! TLS to a broker by the very properties that librdkafka has it by.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rdkafka::ClientConfig as Properties;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::certificates;

/// Settings of all connections of a client.
///
/// # Errors
/// When a certificate or a key cannot be read.
pub(super) fn client_config(properties: &Properties) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let verifier = Verifier::new(properties, provider)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    match (properties.get("ssl.certificate.location"), properties.get("ssl.key.location")) {
        (Some(certificate), Some(key)) => {
            let chain = certificates_of(&certificates::read(Path::new(certificate))?)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain, key).map_err(io::Error::other)
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// Verifies as far as the properties want it: who signed the certificate, and whether it has the server's name.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    by_signer: bool,
    by_name: bool,
}

impl Verifier {
    fn new(properties: &Properties, provider: Arc<CryptoProvider>) -> io::Result<Self> {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted(properties)?), provider);
        let is_off = |name: &str, off: &str| properties.get(name).is_some_and(|value| value.eq_ignore_ascii_case(off));
        Ok(Self {
            inner: inner.build().map_err(io::Error::other)?,
            by_signer: !is_off("enable.ssl.certificate.verification", "false"),
            by_name: !is_off("ssl.endpoint.identification.algorithm", "none"),
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.by_signer {
            return Ok(ServerCertVerified::assertion());
        }
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is the last thing that is looked at.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.by_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Authorities of the site, or else the public ones.
fn trusted(properties: &Properties) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let given = match (properties.get("ssl.ca.pem"), properties.get("ssl.ca.location")) {
        (Some(pem), _) => Some(pem.as_bytes().to_vec()),
        (None, Some(path)) if path != "probe" => Some(certificates::read(Path::new(path))?),
        (None, _) => None,
    };
    match given {
        Some(pem) => {
            for certificate in certificates_of(&pem)? {
                roots.add(certificate).map_err(io::Error::other)?;
            }
        }
        None => _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
    }
    Ok(roots)
}

fn certificates_of(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(io::Error::other("there is no PEM certificate in the file")),
        Err(error) => Err(io::Error::other(error)),
    }
}
