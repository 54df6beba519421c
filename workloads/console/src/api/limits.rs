//! How much may be asked at once, and what every answer says to browsers.

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{Method, Request, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::limit::RateLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::acting::LARGEST_BODY;
use super::hosts::{Hosts, known};
use super::problem::{PROBLEM, Problem};

/// Requests of all browsers within a second; beyond them so many wait.
const REQUESTS_PER_SECOND: u64 = 200;
const WAITING: usize = 400;
/// A path with what is asked behind it.
const LONGEST_URI: usize = 8_192;

/// Only what this server sends is run, shown or asked for, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Puts the limits and headers around all routes, which are asked for under these hosts.
pub(super) fn limited(routes: Router, hosts: Arc<Hosts>) -> Router {
    let shed = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: tower::BoxError| Problem::too_many()))
        .layer(LoadShedLayer::new())
        .layer(BufferLayer::new(WAITING))
        .layer(RateLimitLayer::new(REQUESTS_PER_SECOND, Duration::from_secs(1)));
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let routes = routes
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(middleware::from_fn(plain_words))
        .layer(middleware::from_fn_with_state(hosts, known));
    // As the one service of a router: a layer would count each route by itself.
    Router::new()
        .fallback_service(shed.service(routes))
        .layer(CompressionLayer::new())
        .layer(fixed(CONTENT_SECURITY_POLICY, POLICY))
        .layer(fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(X_FRAME_OPTIONS, "DENY"))
        .layer(fixed(REFERRER_POLICY, "no-referrer"))
        .layer(fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(fixed(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(fixed(CACHE_CONTROL, "no-store"))
}

/// What axum itself refuses is a problem like any other.
async fn plain_words(request: Request<axum::body::Body>, next: Next) -> Response {
    if request.uri().to_string().len() > LONGEST_URI {
        return Problem::parameter("the address", "it is longer than 8 KiB").into_response();
    }
    let length = request.headers().get("content-length").map(|length| length.to_str().ok()?.parse::<u64>().ok());
    // A length that is none is the server's to refuse.
    let length = length.flatten().unwrap_or(0);
    if *request.method() == Method::POST {
        if length > u64::try_from(LARGEST_BODY).unwrap_or(u64::MAX) {
            return Problem::body_too_large().into_response();
        }
    } else if length > 0 {
        return Problem::too_large().into_response();
    }
    let response = next.run(request).await;
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => Problem::method().into_response(),
        // What we refuse ourselves says why.
        StatusCode::BAD_REQUEST if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != PROBLEM) => {
            Problem::parameter("the address", "a part of its path is not UTF-8").into_response()
        }
        _ => response,
    }
}
