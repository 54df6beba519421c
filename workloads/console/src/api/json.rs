//! An answer as JSON, or what is wrong.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::problem::Problem;

/// An answer as JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Problem::failed().into_response()
            }
        }
    }
}

pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// What looks through thousands of texts holds up no other answer.
pub(super) async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    match spawn_blocking(work).await {
        Ok(answer) => Ok(Json(answer)),
        Err(error) => {
            tracing::error!(%error, "an answer could not be made");
            Err(Problem::failed())
        }
    }
}
