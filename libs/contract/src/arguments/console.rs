//! The command line of the console.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::Parser;
use thiserror::Error;

use super::{BucketArguments, KafkaArguments, PageHost, ServiceArguments, WriterArguments};
use crate::Name;

/// Environment variable of [`ConsoleArguments::page_address`].
pub const PAGE_ADDRESS_ENV: &str = "PAGE_ADDRESS";

/// Shows the pipelines of all sites: what the bucket has of them, and what its own site's Kafka has at once. Who may writes silences and
/// verdicts.
#[derive(Debug, Clone, Parser)]
#[command(name = "vedette-console", version)]
pub struct ConsoleArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kafka: KafkaArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub service: ServiceArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: BucketArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub writers: WriterArguments,

    /// Site where this process runs: of its pipelines alerts and incidents are read from Kafka
    #[arg(long)]
    pub site: Name,

    /// Namespace whose pipelines are shown; may be repeated; all of the bucket where omitted
    #[arg(long = "namespace")]
    pub namespaces: Vec<Name>,

    /// Where the page and its API are served
    #[arg(long, env = PAGE_ADDRESS_ENV, default_value = "[::]:8081")]
    pub page_address: SocketAddr,

    /// Host under which people ask for the page, as it stands in its address, such as vedette.example.org; may be repeated. Others are
    /// refused then, but for localhost and numbers; without it any is taken, unless the page is on loopback
    #[arg(long = "page-host", value_name = "HOST")]
    pub page_hosts: Vec<PageHost>,

    /// Path below which a proxy shows the page, such as /vedette; it passes the path on as it is
    #[arg(long, value_name = "PATH", default_value = "")]
    pub path_prefix: PathPrefix,

    /// Requests to the bucket within an hour at most, however many sites there are: with more of them what is shown is older
    #[arg(long, default_value_t = 36_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub bucket_requests_per_hour: u64,

    /// Who may write may also send records that they make up to the input topics of this site: they are scored, and count for nothing else
    #[arg(long)]
    pub allow_simulation: bool,
}

/// What stands before all paths of the page: nothing, or `/a` or `/a/b`, without a slash at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathPrefix(String);

/// A text that is no path prefix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no path prefix: write /vedette or /tools/vedette, of letters, digits, '.', '_' and '-', or nothing"
)]
pub struct PathPrefixError {
    /// What was given.
    pub text: String,
}

impl PathPrefix {
    /// As it stands before a path, which begins with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for PathPrefix {
    type Err = PathPrefixError;

    fn from_str(text: &str) -> Result<Self, PathPrefixError> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
        let is_valid = path.is_empty() || path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment));
        if is_valid && path.len() <= 200 {
            Ok(Self(path.to_owned()))
        } else {
            Err(PathPrefixError { text: text.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_believed_of_named_addresses_alone() {
        let parsed = |more: &[&str]| {
            let words = ["vedette-console", "--bootstrap-servers=k:1", "--pod-name=c", "--bucket=b", "--site=east"];
            ConsoleArguments::try_parse_from([&words[..], more].concat()).map(|arguments| arguments.writers)
        };
        let header = "--proxy-user-header=X-Forwarded-User";
        let writers = parsed(&[header, "--proxy-address=10.1.2.0/24", "--proxy-address=::1"]).unwrap();
        assert_eq!(writers.proxy_addresses.len(), 2);
        assert!(parsed(&[]).unwrap().write_token_file.is_none());
        for wrong in [&[header][..], &["--proxy-address=::1"], &[header, "--proxy-address=::/0"]] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_prefix_is_a_path_without_a_slash_at_its_end() {
        for (text, prefix) in [("", ""), ("/", ""), ("/vedette", "/vedette"), ("/a/b-1/", "/a/b-1")] {
            assert_eq!(text.parse::<PathPrefix>().unwrap().as_str(), prefix, "{text}");
        }
        for text in ["vedette", "//", "/a//b", "/a/../b", "/{a}", "/a b", "/*", "/ä", &format!("/{}", "a".repeat(200))]
        {
            let error = text.parse::<PathPrefix>().unwrap_err();
            assert!(error.to_string().contains("/vedette"), "{text}: {error}");
        }
    }
}
