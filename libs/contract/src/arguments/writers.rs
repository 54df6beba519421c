//! Who may write through the console: whoever knows a token, and whom an authenticating proxy names.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use thiserror::Error;

/// Who may write. Nobody may where nothing is said.
#[derive(Debug, Clone, Default, Args)]
pub struct WriterArguments {
    /// File with the token by which people write silences and verdicts, as Vedette-Token: TOKEN or Authorization: Bearer TOKEN; read anew at each use
    #[arg(long, value_name = "FILE")]
    pub write_token_file: Option<PathBuf>,

    /// Header in which an authenticating proxy names who asks, such as X-Forwarded-User: whom it names may write
    #[arg(long, value_name = "NAME", requires = "proxy_addresses")]
    pub proxy_user_header: Option<UserHeader>,

    /// Addresses of that proxy, such as 10.1.2.0/24; may be repeated; of anybody else the header says nothing
    #[arg(long = "proxy-address", value_name = "CIDR", requires = "proxy_user_header")]
    pub proxy_addresses: Vec<Network>,
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

/// A text that names no addresses that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} names no addresses of a proxy: {mend}")]
pub struct NetworkError {
    /// What was given.
    pub text: String,
    /// What to do.
    pub mend: &'static str,
}

impl Network {
    /// Whether an address is one of them. One of IPv4 that is written as one of IPv6 is the former.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                leading(first.to_bits().into(), 32, self.bits) == leading(address.to_bits().into(), 32, self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                leading(first.to_bits(), 128, self.bits) == leading(address.to_bits(), 128, self.bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The first bits of an address of so many.
fn leading(address: u128, length: u32, bits: u32) -> u128 {
    address.checked_shr(length - bits).unwrap_or_default()
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.bits)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = |mend| NetworkError { text: text.to_owned(), mend };
        let written = "write 10.1.2.3, 10.1.2.0/24 or fd00:1:2::/48";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| wrong(written))?;
        if first.to_canonical() != first {
            return Err(wrong("write the address of IPv4 as such, as 10.1.2.0/24"));
        }
        let (length, value) = match first {
            IpAddr::V4(address) => (32, u128::from(address.to_bits())),
            IpAddr::V6(address) => (128, address.to_bits()),
        };
        let bits = bits.map_or(Some(length), |bits| bits.parse().ok().filter(|bits| *bits <= length));
        let bits = bits.ok_or_else(|| wrong(written))?;
        if bits == 0 {
            return Err(wrong("these are all there are, and whoever asks would be believed; name the proxy's"));
        }
        let rest = leading(value, length, bits).checked_shl(length - bits).unwrap_or_default();
        if rest != value {
            return Err(wrong("it has bits behind its prefix; write the first address, as 10.1.2.0/24"));
        }
        Ok(Self { first, bits })
    }
}

/// The name of a header in which a proxy says who asks, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserHeader(String);

/// A text that is no name of such a header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no header of a proxy that names who asks: write one that it sends of whoever is signed in and browsers do not send, such as X-Forwarded-User"
)]
pub struct UserHeaderError {
    /// What was given.
    pub text: String,
}

/// What browsers send themselves, and what a proxy says of everybody, signed in or not. The chart refuses the same.
pub const NO_USER_HEADERS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "user-agent",
    "vedette-token",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

impl UserHeader {
    /// Its name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserHeader {
    type Err = UserHeaderError;

    fn from_str(text: &str) -> Result<Self, UserHeaderError> {
        let name = text.to_ascii_lowercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_name = !name.is_empty() && name.len() <= 100 && name.bytes().all(allowed);
        if is_name && !name.starts_with("sec-") && !NO_USER_HEADERS.contains(&name.as_str()) {
            Ok(Self(name))
        } else {
            Err(UserHeaderError { text: text.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_what_begins_with_its_bits() {
        for (network, address, expected) in [
            ("10.1.2.0/24", "10.1.2.255", true),
            ("10.1.2.0/24", "10.1.3.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("128.0.0.0/1", "255.0.0.1", true),
            ("10.1.2.0/24", "::ffff:10.1.2.7", true),
            ("10.1.2.0/24", "::10.1.2.7", false),
            ("fd00:1:2::/48", "fd00:1:2:ffff::1", true),
            ("fd00:1:2::/48", "fd00:1:3::1", false),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(contains(network, address), expected, "{network} {address}");
        }
        assert_eq!("10.1.2.3".parse::<Network>().unwrap().to_string(), "10.1.2.3/32");
    }

    #[test]
    fn what_would_trust_everybody_or_says_two_things_is_refused() {
        for (text, mend) in [
            ("", "write 10.1.2.3"),
            ("proxy", "write 10.1.2.3"),
            ("10.1.2.0/33", "write 10.1.2.3"),
            ("10.1.2.0/-1", "write 10.1.2.3"),
            ("10.1.2.0/", "write 10.1.2.3"),
            ("0.0.0.0/0", "whoever asks would be believed"),
            ("::/0", "whoever asks would be believed"),
            ("10.1.2.3/24", "bits behind its prefix"),
            ("fd00::1/64", "bits behind its prefix"),
            ("::ffff:10.1.2.0/120", "of IPv4 as such"),
        ] {
            let refused = text.parse::<Network>().unwrap_err().to_string();
            assert!(refused.contains(mend), "{text}: {refused}");
        }
    }

    #[test]
    fn a_header_is_one_that_no_browser_sends_and_no_proxy_of_everybody() {
        assert_eq!("X-Forwarded-User".parse::<UserHeader>().unwrap().as_str(), "x-forwarded-user");
        let long = "a".repeat(101);
        let others = ["", "a b", "a:", "Authorization", "X-Forwarded-For", "Sec-Fetch-User", "ä", &long];
        for wrong in others.into_iter().chain(NO_USER_HEADERS) {
            assert!(wrong.parse::<UserHeader>().unwrap_err().to_string().contains("X-Forwarded-User"), "{wrong}");
        }
    }
}
