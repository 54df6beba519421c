//! Whether a request that changes something comes from this page, or from no browser at all: no other page acts in somebody's name, be
//! he signed in at the proxy before this one.

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderValue, ORIGIN};

use super::hosts::Hosts;
use super::problem::Problem;

/// Lets a request of this page pass, and of a program.
pub(super) fn check(headers: &HeaderMap, hosts: &Hosts) -> Result<(), Problem> {
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "same-origin") {
        return Err(refused("its browser says so"));
    }
    // Where the browser says that it is this page's own, a proxy may have put another host there.
    let is_told = headers.contains_key("sec-fetch-site");
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if is_told && origin != "null" => Ok(()),
        (Some(origin), None) => check_origin(origin, headers.get(HOST), hosts),
        (Some(_), Some(_)) => Err(refused("it comes of two origins")),
    }
}

fn check_origin(origin: &HeaderValue, host: Option<&HeaderValue>, hosts: &Hosts) -> Result<(), Problem> {
    let origin = origin.to_str().unwrap_or_default();
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if let Some((scheme, authority)) = origin.split_once("://") {
        let (own, asked) = (bare(scheme, authority), bare(scheme, host));
        if (!own.is_empty() && own.eq_ignore_ascii_case(asked)) || hosts.are_named(own) {
            return Ok(());
        }
    }
    let short = |text: &str| text.chars().take(260).collect::<String>();
    Err(refused(&format!(
        "its origin is {:?}, and the host that was asked is {:?}; where that is this page behind a proxy, let the proxy pass Host on as \
         it came, or name both hosts with --page-host (in the chart console.hosts)",
        short(origin),
        short(host)
    )))
}

/// Without the port that the scheme has anyway: browsers leave it out, and some proxies put it there.
fn bare<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

fn refused(why: &str) -> Problem {
    Problem::forbidden(format!(
        "another page asks for this: {why}. What changes something is taken of the console's own page, and of programs that send neither \
         Origin nor Sec-Fetch-Site"
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn checked(pairs: &[(&str, &str)], hosts: &Hosts) -> Result<(), Problem> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        check(&headers, hosts)
    }

    #[test]
    fn its_own_page_and_programs_pass_and_other_pages_do_not() {
        let host = ("host", "console:8090");
        for (pairs, expected) in [
            (&[host][..], true),
            (&[host, ("origin", "http://console:8090")], true),
            (&[host, ("origin", "https://CONSOLE:8090")], true),
            (&[host, ("origin", "http://console:8091")], false),
            (&[host, ("origin", "http://evil")], false),
            (&[host, ("origin", "null")], false),
            (&[("origin", "http://console:8090")], false),
            (&[("origin", "://")], false),
            (&[host, ("origin", "http://console:8090"), ("origin", "http://evil")], false),
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "https://vedette.example.org")], true),
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")], false),
            (&[host, ("sec-fetch-site", "cross-site"), ("origin", "http://console:8090")], false),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "none")], false),
            (&[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
            // The port of the scheme is said by some proxies and by no browser.
            (&[("host", "vedette.corp:443"), ("origin", "https://vedette.corp")], true),
            (&[("host", "vedette.corp:80"), ("origin", "http://vedette.corp")], true),
            (&[("host", "vedette.corp:443"), ("origin", "http://vedette.corp")], false),
            (&[("host", "vedette.corp"), ("origin", "https://vedette.corp:8443")], false),
        ] {
            assert_eq!(checked(pairs, &Hosts::default()).is_ok(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn behind_a_proxy_that_asks_in_its_own_name_the_page_is_known_by_the_host_that_it_is_given() {
        let named = ["vedette.corp", "other.corp:8443"].map(|host| host.parse().unwrap()).to_vec();
        let hosts = Hosts::new(named, "::".parse().unwrap());
        let of = |origin: &'static str| [("host", "console:8081"), ("origin", origin)];
        for own in ["http://vedette.corp", "https://vedette.corp", "https://other.corp:8443"] {
            assert!(checked(&of(own), &hosts).is_ok(), "{own}");
            let refused = serde_json::to_string(&checked(&of(own), &Hosts::default()).unwrap_err()).unwrap();
            assert!(
                refused.contains("console:8081") && refused.contains("name both hosts with --page-host"),
                "{refused}"
            );
        }
        for other in ["http://vedette.corp:8080", "https://other.corp", "http://console"] {
            assert!(checked(&of(other), &hosts).is_err(), "{other}");
        }
    }
}
