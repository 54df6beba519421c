//! Under which hosts the page is asked for. Whoever has a name of his own lead to this server makes a browser take his page for this one:
//! by numbers and by localhost he cannot.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{HOST, HeaderMap};
use axum::http::uri::Authority;
use axum::http::{Request, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use vedette_contract::arguments::PageHost;

use super::problem::Problem;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    named: Vec<PageHost>,
    is_loopback: bool,
}

impl Hosts {
    /// Those that are named; any where none is, unless the page is served on loopback.
    pub(crate) fn new(named: Vec<PageHost>, page: IpAddr) -> Self {
        Self { named, is_loopback: page.to_canonical().is_loopback() }
    }

    /// Whether this stands in the address of the page, as whoever runs it says.
    pub(super) fn are_named(&self, authority: &str) -> bool {
        self.named.iter().any(|host| host.as_str().eq_ignore_ascii_case(authority))
    }

    fn take(&self, authority: &str) -> bool {
        let name = name_of(authority);
        let is_nobodys = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok();
        let is_named = self.named.iter().any(|host| host.name().eq_ignore_ascii_case(name));
        is_nobodys || is_named || (self.named.is_empty() && !self.is_loopback)
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let said = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
        match said.chain(uri.authority().map(Authority::as_str)).find(|host| !self.take(host)) {
            None => Ok(()),
            Some(host) => Err(Problem::misdirected(format!(
                "this page is not shown under the host {:?}: ask for localhost or a number, or let whoever runs it name the host with \
                 --page-host (in the chart console.hosts)",
                host.chars().take(260).collect::<String>()
            ))),
        }
    }
}

/// Refuses what is asked under another host.
pub(super) async fn known(State(hosts): State<Arc<Hosts>>, request: Request<Body>, next: Next) -> Response {
    match hosts.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Without its port, and without the brackets of an address of IPv6.
fn name_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(address) => address.split_once(']').map_or(address, |(address, _)| address),
        None => authority.split_once(':').map_or(authority, |(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_leads_here_is_not_this_page() {
        let open = || Hosts::new(Vec::new(), "::".parse().unwrap());
        let loopback = || Hosts::new(Vec::new(), "127.0.0.1".parse().unwrap());
        let named = || Hosts::new(vec!["vedette.corp".parse().unwrap()], "::".parse().unwrap());
        let both = || Hosts { is_loopback: true, ..named() };
        for (hosts, host, expected) in [
            (open(), "anything.example", true),
            (loopback(), "evil.example:8090", false),
            (loopback(), "localhost:8090", true),
            (loopback(), "LOCALHOST", true),
            (loopback(), "127.0.0.1:8090", true),
            (loopback(), "[::1]:8090", true),
            (loopback(), "localhost.evil.example", false),
            (loopback(), "127.0.0.1.evil.example", false),
            (loopback(), "", false),
            (named(), "Vedette.corp", true),
            (named(), "vedette.corp:8443", true),
            (named(), "10.1.2.3:8081", true),
            (named(), "localhost:8090", true),
            (named(), "vedette.corp.evil.example", false),
            (both(), "vedette.corp", true),
            (both(), "evil.example", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(HOST, host.parse().unwrap());
            assert_eq!(hosts.check(&Uri::from_static("/"), &headers).is_ok(), expected, "{hosts:?} {host}");
        }
        let mut headers = HeaderMap::new();
        for host in ["localhost", "evil.example"] {
            headers.append(HOST, host.parse().unwrap());
        }
        assert!(loopback().check(&Uri::from_static("/"), &headers).is_err());
        assert!(loopback().check(&Uri::from_static("http://evil.example/"), &HeaderMap::new()).is_err());
        assert!(loopback().check(&Uri::from_static("/"), &HeaderMap::new()).is_ok(), "no browser asks so");
    }
}
