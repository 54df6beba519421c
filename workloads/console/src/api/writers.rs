//! Who may write: whoever knows the token, and whom a proxy names that is known by its address. Who asks in any other way is told how.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use axum::http::request::Parts;
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest, Sha256};
use vedette_contract::arguments::{Network, UserHeader, WriterArguments};
use vedette_contract::author;

use super::problem::Problem;

/// A shorter token could be found by trying.
const SHORTEST_TOKEN: usize = 16;
/// A longer one is a file by mistake.
const LONGEST_TOKEN: usize = 4_096;
/// In which the page sends the token: what stands in `Authorization` may be the browser's own, or a proxy's.
const TOKEN: &str = "vedette-token";

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    token_file: Option<PathBuf>,
    is_unusable: AtomicBool,
    wrong_tokens: Counter,
    proxy: Option<Proxy>,
}

#[derive(Debug)]
struct Proxy {
    header: HeaderName,
    addresses: Vec<Network>,
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Writer {
    /// One who knows the token, and says himself who he is.
    Token,
    /// One whom the proxy names.
    Named(String),
}

/// Why somebody may not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody may.
    ReadOnly,
    /// Nobody whom this console knows asks.
    Unknown {
        /// Whether a token would do.
        takes_token: bool,
    },
    /// The token is another.
    WrongToken,
    /// There is to be a token, and none can be read.
    NoToken,
    /// The proxy names him by what can stand in nothing that is written.
    StrangeName,
}

impl Refusal {
    /// What to do.
    pub(super) fn mend(self) -> &'static str {
        match self {
            Self::ReadOnly => {
                "this console only reads: whoever runs it may let people write, with --write-token-file, or --proxy-user-header and \
                 --proxy-address (in the chart console.token, console.trustedProxy); the command line writes without it"
            }
            Self::Unknown { takes_token: true } => {
                "nobody has said who asks: send the console's token as `Vedette-Token: TOKEN` or `Authorization: Bearer TOKEN`"
            }
            Self::Unknown { takes_token: false } => {
                "nobody has said who asks: come by the proxy that this console trusts, and sign in there"
            }
            Self::WrongToken => "the token is none of this console: ask whoever runs it for the one in use",
            Self::NoToken => {
                "the console has no token that can be used: whoever runs it has to put one line of at least 16 letters, digits or any of \
                 -._~ into the file of --write-token-file (in the chart the Secret of console.token)"
            }
            Self::StrangeName => {
                "the proxy names you by what is no line of 1 to 100 bytes of UTF-8: whoever runs it has to let it send another field"
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ReadOnly | Refusal::NoToken | Refusal::StrangeName => Self::forbidden(refusal.mend()),
            Refusal::Unknown { .. } | Refusal::WrongToken => Self::unauthorized(refusal.mend()),
        }
    }
}

impl Writers {
    /// Those of the arguments; it counts tokens that are tried in vain.
    pub(crate) fn new(arguments: WriterArguments, wrong_tokens: Counter) -> Self {
        let WriterArguments { write_token_file, proxy_user_header, proxy_addresses } = arguments;
        let header = proxy_user_header.as_ref().map(UserHeader::as_str);
        // A name that is none of HTTP is nobody's.
        let header = header.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        let proxy = header.map(|header| Proxy { header, addresses: proxy_addresses });
        Self { token_file: write_token_file, is_unusable: AtomicBool::default(), wrong_tokens, proxy }
    }

    /// Whether a token would do.
    pub(super) fn takes_token(&self) -> bool {
        self.token_file.is_some()
    }

    /// Who sends this request.
    pub(super) async fn sender(&self, request: &Parts) -> Result<Writer, Refusal> {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        self.who(peer, &request.headers).await
    }

    /// Who it is that asks, from this address and with these headers.
    async fn who(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Writer, Refusal> {
        if let Some(proxy) = &self.proxy
            && let Some(name) = proxy.name(peer, headers)?
        {
            return Ok(Writer::Named(name));
        }
        let Some(file) = &self.token_file else {
            return Err(if self.proxy.is_some() { Refusal::Unknown { takes_token: false } } else { Refusal::ReadOnly });
        };
        let Some(given) = given(headers) else { return Err(Refusal::Unknown { takes_token: true }) };
        let token = self.token(file).await.ok_or(Refusal::NoToken)?;
        if is_same(given.as_bytes(), &token) {
            return Ok(Writer::Token);
        }
        self.wrong_tokens.inc();
        Err(Refusal::WrongToken)
    }

    /// Says in the log what is wrong with the token before anybody needs it.
    pub(crate) async fn look(&self) {
        if let Some(file) = &self.token_file {
            self.token(file).await;
        }
    }

    /// The token of the file, as it is now: whoever changes it starts nothing anew. That it cannot be used is said once, whoever asks.
    async fn token(&self, file: &Path) -> Option<Vec<u8>> {
        let read = read_token(file).await;
        let is_news = self.is_news(read.is_ok());
        match &read {
            Err(error) if is_news => tracing::error!(
                file = %file.display(),
                error = error.as_str(),
                "the token for writing cannot be used, so nobody can write by it; put one line of at least 16 letters there"
            ),
            Ok(_) if is_news => tracing::info!(file = %file.display(), "the token for writing can be used again"),
            Ok(_) | Err(_) => {}
        }
        read.ok()
    }

    fn is_news(&self, is_usable: bool) -> bool {
        self.is_unusable.swap(!is_usable, Ordering::Relaxed) == is_usable
    }
}

impl Proxy {
    /// Whom it names; nobody where it is not the proxy that asks, or where the header stands there twice.
    fn name(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
        if !self.addresses.iter().any(|network| peer.is_some_and(|peer| network.contains(peer))) {
            return Ok(None);
        }
        let mut values = headers.get_all(&self.header).iter();
        let (Some(only), None) = (values.next(), values.next()) else { return Ok(None) };
        let name = std::str::from_utf8(only.as_bytes()).map_err(|_| Refusal::StrangeName)?.trim();
        if name.is_empty() {
            return Ok(None);
        }
        author(Some(name.to_owned())).map(Some).map_err(|_| Refusal::StrangeName)
    }
}

/// The token that somebody sends.
fn given(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TOKEN).iter();
    match (values.next(), values.next()) {
        (None, _) => bearer(headers),
        (Some(only), None) => only.to_str().ok().map(str::trim),
        (Some(_), Some(_)) => None,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (only, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn read_token(file: &Path) -> Result<Vec<u8>, String> {
    let bytes = tokio::fs::read(file).await.map_err(|error| error.to_string())?;
    usable(&bytes).ok_or_else(|| "it has no line of 16 to 4096 letters, digits or any of -._~".to_owned())
}

/// What stands in an address as it is: a token is given to the page by one.
fn usable(bytes: &[u8]) -> Option<Vec<u8>> {
    let token = bytes.trim_ascii();
    let is_unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let is_usable = (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&token.len()) && token.iter().all(is_unreserved);
    is_usable.then(|| token.to_vec())
}

/// In a time that tells nothing of either: their hashes are compared, and all of these.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    let differs = one.iter().zip(other.iter()).fold(0, |differs, (one, other)| differs | (one ^ other));
    std::hint::black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const OWN: &str = "0123456789abcdef";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn proxied(token_file: Option<&Path>) -> Writers {
        let arguments = WriterArguments {
            write_token_file: token_file.map(Path::to_owned),
            proxy_user_header: Some("X-Forwarded-User".parse().unwrap()),
            proxy_addresses: vec!["10.1.2.0/24".parse().unwrap()],
        };
        Writers::new(arguments, Counter::default())
    }

    async fn who(writers: &Writers, peer: &str, pairs: &[(&str, &str)]) -> Result<Writer, Refusal> {
        writers.who(Some(peer.parse().unwrap()), &headers(pairs)).await
    }

    #[tokio::test]
    async fn nobody_writes_where_nothing_is_said() {
        let none = Writers::default();
        let pairs = [("authorization", "Bearer 0123456789abcdef"), ("x-forwarded-user", "ada")];
        assert_eq!(who(&none, "127.0.0.1", &pairs).await, Err(Refusal::ReadOnly));
        assert!(!none.takes_token());
    }

    #[tokio::test]
    async fn a_proxy_is_believed_for_its_address_and_for_one_name() {
        let writers = proxied(None);
        let named = |name: &str| Ok(Writer::Named(name.to_owned()));
        let unknown = Err(Refusal::Unknown { takes_token: false });
        let (longest, long) = ("a".repeat(100), "a".repeat(101));
        for (peer, pairs, expected) in [
            ("10.1.2.9", &[("x-forwarded-user", "ada")][..], named("ada")),
            ("::ffff:10.1.2.9", &[("X-Forwarded-User", " Zoë ")], named("Zoë")),
            ("10.1.2.9", &[("authorization", "Bearer of the proxy"), ("x-forwarded-user", "ada")], named("ada")),
            ("10.1.3.9", &[("x-forwarded-user", "ada")], unknown.clone()),
            ("127.0.0.1", &[("x-forwarded-user", "ada"), ("x-forwarded-for", "10.1.2.9")], unknown.clone()),
            ("10.1.2.9", &[("x-forwarded-user", "ada"), ("x-forwarded-user", "eve")], unknown.clone()),
            ("10.1.2.9", &[("x-forwarded-user", " ")], unknown.clone()),
            ("10.1.2.9", &[("x-forwarded-email", "ada")], unknown.clone()),
            ("10.1.2.9", &[("x-forwarded-user", longest.as_str())], named(&longest)),
            ("10.1.2.9", &[("x-forwarded-user", long.as_str())], Err(Refusal::StrangeName)),
            ("10.1.3.9", &[("x-forwarded-user", long.as_str())], unknown.clone()),
        ] {
            assert_eq!(who(&writers, peer, pairs).await, expected, "{peer} {pairs:?}");
        }
        assert_eq!(writers.who(None, &headers(&[("x-forwarded-user", "ada")])).await, unknown);
        let mut latin = HeaderMap::new();
        latin.append("x-forwarded-user", HeaderValue::from_bytes(b"Zo\xeb").unwrap());
        let proxy = Some("10.1.2.9".parse().unwrap());
        assert_eq!(writers.who(proxy, &latin).await, Err(Refusal::StrangeName));
    }

    #[tokio::test]
    async fn a_token_is_compared_whole_and_read_anew() {
        let file = std::env::temp_dir().join(format!("vedette-token-{}", std::process::id()));
        std::fs::write(&file, format!("{OWN}\n")).unwrap();
        let writers = proxied(Some(&file));
        let by = |token: &str| [("authorization", format!("Bearer {token}"))];
        let asked = async |token: &str| {
            let [(name, value)] = by(token);
            who(&writers, "127.0.0.1", &[(name, value.as_str())]).await
        };
        assert_eq!(asked(OWN).await, Ok(Writer::Token));
        for wrong in ["0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", "x"] {
            assert_eq!(asked(wrong).await, Err(Refusal::WrongToken), "{wrong}");
        }
        assert_eq!(writers.wrong_tokens.get(), 4);
        // A browser's own credentials, or a proxy's, stand beside the token of the page.
        for other in ["Basic YWRhOmFkYQ==", "Bearer of-the-proxy-0123456789"] {
            let pairs = [("authorization", other), ("vedette-token", OWN)];
            assert_eq!(who(&writers, "127.0.0.1", &pairs).await, Ok(Writer::Token), "{other}");
        }
        let none = Err(Refusal::Unknown { takes_token: true });
        for pairs in [
            &[][..],
            &[("authorization", "Basic 0123456789abcdef")],
            &[("authorization", "0123456789abcdef")],
            &[("vedette-token", "0123456789abcdef"), ("vedette-token", "0123456789abcdef")],
            &[("authorization", "Bearer 0123456789abcdef"), ("authorization", "Bearer 0123456789abcdef")],
        ] {
            assert_eq!(who(&writers, "127.0.0.1", pairs).await, none, "{pairs:?}");
        }
        std::fs::write(&file, "another-token-of-24-bytes").unwrap();
        assert_eq!(asked("another-token-of-24-bytes").await, Ok(Writer::Token));
        for unusable in ["", "short", "two words of sixteen", "with+a&sign#in%it", &"a".repeat(5_000)] {
            std::fs::write(&file, unusable).unwrap();
            assert_eq!(asked(unusable).await.unwrap_err(), Refusal::NoToken, "{unusable}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(asked(OWN).await, Err(Refusal::NoToken));
    }

    #[test]
    fn that_the_token_cannot_be_used_is_said_once_and_that_it_can_again_once() {
        let writers = Writers::default();
        let told = [true, false, false, true, true, false].map(|is_usable| writers.is_news(is_usable));
        assert_eq!(told, [false, true, false, true, false, true]);
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let unknown = [true, false].map(|takes_token| Refusal::Unknown { takes_token });
        for refusal in
            [Refusal::ReadOnly, Refusal::WrongToken, Refusal::NoToken, Refusal::StrangeName].into_iter().chain(unknown)
        {
            assert!(refusal.mend().contains(':'), "{refusal:?}");
        }
    }
}
