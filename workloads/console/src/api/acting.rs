//! A request that changes something, read: from this page or a program, as JSON, of somebody who may.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;
use vedette_contract::ByName;

use super::Served;
use super::origin;
use super::problem::Problem;
use super::writers::Writer;

/// The longest body: a match of 2000 and a reason of 1000 bytes, however they are escaped, or a record of 8 KiB whose quotes are.
pub(super) const LARGEST_BODY: usize = 20 << 10;

/// Who does it, and what is sent.
pub(super) struct Acting<T> {
    pub(super) writer: Writer,
    pub(super) sent: T,
}

impl<T: DeserializeOwned> FromRequest<Served> for Acting<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, served: &Served) -> Result<Self, Problem> {
        read(request, served).await
    }
}

/// Counts what is refused, for whatever reason.
pub(super) async fn counted(State(served): State<Served>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        served.metrics.refused_actions.inc();
    }
    response
}

async fn read<T: DeserializeOwned>(request: Request, served: &Served) -> Result<Acting<T>, Problem> {
    let (parts, body) = request.into_parts();
    origin::check(&parts.headers, &served.hosts)?;
    if !is_json(&parts.headers) {
        return Err(Problem::unsupported("what is sent must be JSON: say `Content-Type: application/json`"));
    }
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::parameter(
            "what stands behind the question mark",
            "what is sent stands in the body alone",
        ));
    }
    let writer = served.writers.sender(&parts).await?;
    let bytes = to_bytes(body, LARGEST_BODY).await.map_err(|_| Problem::body_too_large())?;
    let ByName(sent) = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::parameter("what was sent", &format!("{error}; openapi.json says what is taken")))?;
    Ok(Acting { writer, sent })
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next().and_then(|kind| kind.to_str().ok()), kinds.next()) else { return false };
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json && parts.all(|parameter| parameter.eq_ignore_ascii_case("charset=utf-8"))
}

impl Writer {
    /// In whose name it is done: whom the proxy names, or who is said with the token.
    pub(super) fn name(self, said: Option<String>) -> Result<Option<String>, Problem> {
        match (self, said) {
            (Self::Token, said) => Ok(said),
            (Self::Named(name), Some(said)) if said.trim() != name => Err(Problem::forbidden(format!(
                "you are signed in as {name:?}: leave `by` out, nobody acts for another"
            ))),
            (Self::Named(name), _) => Ok(Some(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_said_once_and_in_no_other_way() {
        for (kinds, expected) in [
            (&["application/json"][..], true),
            (&["Application/JSON; charset=UTF-8"], true),
            (&["text/plain"], false),
            (&["application/x-www-form-urlencoded"], false),
            (&["text/plain; application/json"], false),
            (&["application/json; boundary=x"], false),
            (&["application/json", "text/plain"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for kind in kinds {
                headers.append(CONTENT_TYPE, kind.parse().unwrap());
            }
            assert_eq!(is_json(&headers), expected, "{kinds:?}");
        }
    }

    #[test]
    fn nobody_acts_for_another() {
        let said = |name: &str| Some(name.to_owned());
        let ada = || Writer::Named("ada".to_owned());
        assert_eq!(ada().name(None).ok(), Some(said("ada")));
        assert_eq!(ada().name(said(" ada ")).ok(), Some(said("ada")));
        assert!(ada().name(said("eve")).is_err());
        assert_eq!(Writer::Token.name(said("eve")).ok(), Some(said("eve")));
        assert_eq!(Writer::Token.name(None).ok(), Some(None));
    }
}
