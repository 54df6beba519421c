//! A bucket that is reached without TLS by the network: said once a process, as whoever listens there reads all that is archived, and
//! the models can be others.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

use crate::http::is_of_this_machine;

static SAID: AtomicBool = AtomicBool::new(false);

/// Warns of such an endpoint, the first time.
pub(super) fn warn_once(endpoint: &str) {
    if is_news(endpoint, &SAID) {
        warn!(
            endpoint,
            "the bucket is reached over plain http: what goes there can be read and changed on its way; use https"
        );
    }
}

fn is_news(endpoint: &str, said: &AtomicBool) -> bool {
    is_plain(endpoint) && !said.swap(true, Ordering::Relaxed)
}

fn is_plain(endpoint: &str) -> bool {
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) && !is_of_this_machine(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_news_once_and_only_on_a_network() {
        let said = AtomicBool::new(false);
        for silent in [
            "http://127.0.0.1:8333",
            "http://127.8.9.1",
            "http://[::1]:8333/x",
            "http://localhost:9000",
            "HTTP://bucket.LOCALHOST",
            "http://user@127.0.0.1:1",
            "https://s3.example.org",
            "Amazon S3 eu-central-1",
        ] {
            assert!(!is_news(silent, &said), "{silent}");
        }
        for plain in ["http://seaweedfs:8333", "HTTP://10.0.0.7", "http://localhost.example.org", "http://[fd00::1]:1"]
        {
            assert!(is_plain(plain), "{plain}");
        }
        assert!(is_news("http://seaweedfs:8333", &said) && !is_news("http://minio:9000", &said));
    }
}
