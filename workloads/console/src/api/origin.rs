//! Whether a request that changes something comes from this page, or from no browser at all: no other page acts in somebody's name, be
//! he signed in at the proxy before this one.

use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderValue, ORIGIN};

use super::problem::Problem;

/// Lets a request of this page pass, and of a program.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "same-origin") {
        return Err(refused());
    }
    // Where the browser says that it is this page's own, a proxy may have put another host there.
    let is_told = headers.contains_key("sec-fetch-site");
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if is_told && origin != "null" => Ok(()),
        (Some(origin), None) if is_of(origin, headers.get(HOST)) => Ok(()),
        (Some(_), _) => Err(refused()),
    }
}

fn is_of(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let authority = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
    let host = host.and_then(|host| host.to_str().ok());
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

fn refused() -> Problem {
    Problem::forbidden(
        "another page asks for this: what changes something is taken of the console's own page, and of programs that send neither \
         Origin nor Sec-Fetch-Site",
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn passes(pairs: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        check(&headers).is_ok()
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
            (&[host, ("origin", "http://console:8090"), ("origin", "http://evil")], false),
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "https://vedette.example.org")], true),
            (&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")], false),
            (&[host, ("sec-fetch-site", "cross-site"), ("origin", "http://console:8090")], false),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "none")], false),
            (&[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(passes(pairs), expected, "{pairs:?}");
        }
    }
}
