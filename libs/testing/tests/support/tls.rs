//! TLS in front of a server, with a certificate of an authority that nobody knows.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    /// What clients sent.
    pub(crate) sent: Arc<Mutex<String>>,
}

static CERTIFICATES: LazyLock<TempDir> = LazyLock::new(issued);

/// `ca.crt`, or `server.crt` for 127.0.0.1, which it signs, with `server.key`; or `next.crt` of another authority: of this run only.
pub(crate) fn certificate(name: &str) -> PathBuf {
    CERTIFICATES.path().join(name)
}

fn issued() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let issue = |name: &str, extensions: &[&str], signer: &[&str]| {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ]);
        openssl.args(["-subj", &format!("/CN={name}"), "-keyout", &key, "-out", &certificate]);
        openssl.args(extensions.iter().flat_map(|extension| ["-addext", extension])).args(signer);
        let output = openssl.current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for authority in ["ca", "next"] {
        issue(authority, &["keyUsage=critical,keyCertSign"], &[]);
    }
    let server = ["subjectAltName=IP:127.0.0.1", "basicConstraints=critical,CA:FALSE"];
    issue("server", &server, &["-CA", "ca.crt", "-CAkey", "ca.key"]);
    directory
}

pub(crate) async fn tls_in_front_of(server: SocketAddr) -> TlsFront {
    let acceptor = TlsAcceptor::from(Arc::new(settings()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = TlsFront { address: listener.local_addr().unwrap(), sent: Arc::default() };
    let sent = Arc::clone(&front.sent);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, sent) = (acceptor.clone(), Arc::clone(&sent));
            tokio::spawn(async move {
                // A client that does not trust it goes away.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let (mut client, mut to_client) = split(stream);
                let (mut answers, mut requests) = TcpStream::connect(server).await.unwrap().into_split();
                tokio::spawn(async move { copy(&mut answers, &mut to_client).await });
                let mut part = [0; 4096];
                while let Ok(length @ 1..) = client.read(&mut part).await {
                    sent.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
                    requests.write_all(&part[..length]).await.unwrap();
                }
            });
        }
    });
    front
}

fn settings() -> ServerConfig {
    let certificate_chain = vec![CertificateDer::from_pem_file(certificate("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    versions.with_no_client_auth().with_single_cert(certificate_chain, key).unwrap()
}
