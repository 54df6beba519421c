//! A connection to one broker: opened, let in, and asked one thing after the other.

use std::io;
use std::sync::Arc;

use rdkafka::ClientConfig as Properties;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vedette_contract::arguments::SecretText;

use super::codec::{Answer, BrokenAnswer, Request};
use super::tls::client_config;

/// Longer answers are not read: the configuration of a few topics has some kB.
const LONGEST_ANSWER: usize = 16 << 20;
const MECHANISM: &str = "OAUTHBEARER";

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum WireError {
    /// The broker is away.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// It does not let us in.
    #[error("{0}")]
    Refused(String),
    /// It is no Kafka, or another one.
    #[error(transparent)]
    Broken(#[from] BrokenAnswer),
}

/// What is asked, by its number and the version in which it is asked. Each is of Kafka 2.4 and later, 4 included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) version: i16,
}

const SASL_HANDSHAKE: Api = Api { key: 17, version: 1 };
const SASL_AUTHENTICATE: Api = Api { key: 36, version: 0 };

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that the broker has let in.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    client_id: String,
    asked: i32,
}

impl Connection {
    /// Opens one to `host:port`, by these properties and as whoever the token is of.
    pub(super) async fn open(
        broker: &str,
        properties: &Properties,
        token: Option<&SecretText>,
    ) -> Result<Self, WireError> {
        let protocol = properties.get("security.protocol").unwrap_or("PLAINTEXT").to_ascii_uppercase();
        let tcp = TcpStream::connect(broker).await?;
        let stream: Box<dyn Stream> = if protocol.ends_with("SSL") {
            let name = broker.rsplit_once(':').map_or(broker, |(host, _)| host).trim_matches(['[', ']']);
            let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
            let connector = TlsConnector::from(Arc::new(client_config(properties)?));
            Box::new(connector.connect(name, tcp).await.map_err(refused_or_away)?)
        } else {
            Box::new(tcp)
        };
        let client_id = properties.get("client.id").unwrap_or_default().to_owned();
        let mut connection = Self { stream, client_id, asked: 0 };
        if let Some(token) = token.filter(|_| protocol.starts_with("SASL")) {
            connection.authenticate(token).await?;
        }
        Ok(connection)
    }

    /// Asks, and returns the answer without its header.
    pub(super) async fn ask(&mut self, api: Api, body: Request) -> Result<Vec<u8>, WireError> {
        self.asked += 1;
        let header = Request::default().int16(api.key).int16(api.version).int32(self.asked).text(&self.client_id);
        let request = [header.into_bytes(), body.into_bytes()].concat();
        self.stream.write_all(&Request::default().bytes(&request).into_bytes()).await?;
        self.stream.flush().await?;
        let length = self.stream.read_i32().await?;
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_ANSWER).ok_or(BrokenAnswer)?;
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await?;
        let mut answer = Answer(&bytes);
        if answer.int32()? != self.asked {
            return Err(BrokenAnswer.into());
        }
        Ok(answer.0.to_vec())
    }

    /// RFC 7628: a broker that refuses a token says why in its first answer, and with a code in the next.
    async fn authenticate(&mut self, token: &SecretText) -> Result<(), WireError> {
        let handshake = self.ask(SASL_HANDSHAKE, Request::default().text(MECHANISM)).await?;
        let mut answer = Answer(&handshake);
        if answer.int16()? != 0 {
            let known: Vec<String> = answer.list(Answer::text)?.into_iter().flatten().collect();
            return Err(WireError::Refused(format!("it knows no {MECHANISM}, but {}", known.join(", "))));
        }
        let first = format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", token.reveal());
        let said = self.ask(SASL_AUTHENTICATE, Request::default().bytes(first.as_bytes())).await?;
        let mut answer = Answer(&said);
        let (code, message) = (answer.int16()?, answer.text()?);
        let why = answer.bytes()?;
        if code == 0 && why.is_empty() {
            return Ok(());
        }
        let why = message.unwrap_or_else(|| String::from_utf8_lossy(why).into_owned());
        Err(WireError::Refused(format!("it refuses the token: {why}")))
    }
}

/// A certificate that is not trusted does not come to be so by itself.
fn refused_or_away(error: io::Error) -> WireError {
    let is_of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
    if is_of_tls { WireError::Refused(error.to_string()) } else { WireError::Connection(error) }
}
