//! Under which host people ask for the console's page.

use std::str::FromStr;

use thiserror::Error;

/// A host as it stands in an address, in lower case: `vedette.example.org`, with a port where it has one of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageHost(String);

/// A text that is no host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no host of a page: write it as it stands in the address, such as vedette.example.org or vedette.example.org:8443"
)]
pub struct PageHostError {
    /// What was given.
    pub text: String,
}

impl PageHost {
    /// With its port, where it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without its port.
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(name, _)| name)
    }
}

impl FromStr for PageHost {
    type Err = PageHostError;

    fn from_str(text: &str) -> Result<Self, PageHostError> {
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(allowed);
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let is_port = |port: &str| matches!(port.len(), 1..=5) && !port.starts_with('0') && port.bytes().all(is_digit);
        if name.len() <= 253 && name.split('.').all(is_part) && port.is_none_or(is_port) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(PageHostError { text: text.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_what_stands_in_an_address() {
        let host = |text: &str| text.parse::<PageHost>().map(|host| (host.as_str().to_owned(), host.name().to_owned()));
        let both = |whole: &str, name: &str| Ok((whole.to_owned(), name.to_owned()));
        assert_eq!(host("Vedette.Corp"), both("vedette.corp", "vedette.corp"));
        assert_eq!(host("vedette.corp:8443"), both("vedette.corp:8443", "vedette.corp"));
        for wrong in
            ["", "https://vedette.corp", "vedette.corp/", "a..b", "a b", "*.corp", "a:", "a:0", "a:123456", "[::1]"]
        {
            assert!(host(wrong).unwrap_err().to_string().contains("vedette.example.org"), "{wrong}");
        }
    }
}
