//! The page: three files that are built from `web/` and committed, so that building this program needs no Node.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    pub(super) path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

pub(super) const FILES: [File; 4] = [
    File { path: "/", kind: "text/html; charset=utf-8", bytes: include_bytes!("../../web/dist/index.html") },
    File { path: "/app.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("../../web/dist/app.js") },
    File { path: "/app.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("../../web/dist/app.css") },
    File {
        path: "/licenses.md",
        kind: "text/plain; charset=utf-8",
        bytes: include_bytes!("../../web/dist/licenses.md"),
    },
];

/// A file and what tells it from the one of another version.
#[derive(Debug, Clone)]
pub(super) struct Tagged {
    file: File,
    tag: String,
}

impl Tagged {
    pub(super) fn new(file: File) -> Self {
        // Weak, as it may be sent compressed.
        Self { file, tag: format!("W/\"{}\"", &hex::encode(Sha256::digest(file.bytes))[..32]) }
    }
}

pub(super) async fn file(State(Tagged { file, tag }): State<Tagged>, headers: HeaderMap) -> Response {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known
        .flat_map(|value| value.split(','))
        .any(|value| matches!(value.trim(), known if known == tag || known == "*"));
    let cache = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(CONTENT_TYPE, file.kind)], file.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_has_no_script_or_style_that_the_policy_refuses() {
        let bytes: usize = FILES.iter().map(|file| file.bytes.len()).sum();
        assert!((50_000..140_000).contains(&bytes), "{bytes} bytes before they are compressed");
        let page = std::str::from_utf8(FILES[0].bytes).unwrap();
        assert!(page.contains("src=\"./app.js\"") && page.contains("href=\"./app.css\""), "{page}");
        assert_eq!((page.matches("<script").count(), page.matches("<style").count()), (1, 0), "{page}");
        assert!(!page.contains(" style=") && !page.contains("://"), "{page}");
    }
}
