//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{MethodRouter, get, post};
use vedette_contract::arguments::PathPrefix;

use super::acting::counted;
use super::limits::limited;
use super::page::{FILES, Tagged, file};
use super::problem::Problem;
use super::{Served, actions, answers, people, reports, simulations, stream, written};

/// All routes below a prefix.
pub(crate) fn router(prefix: &PathPrefix, served: Served) -> Router {
    let at = |path: &str| format!("{prefix}{path}");
    let hosts = Arc::clone(&served.hosts);
    let acts = |route: MethodRouter<Served>| route.route_layer(from_fn_with_state(served.clone(), counted));
    let api = Router::new()
        .route(&at("/api/v1/overview"), get(answers::overview))
        .route(&at("/api/v1/incidents"), get(answers::incidents))
        .route(&at("/api/v1/incidents/written"), get(written::incidents))
        .route(&at("/api/v1/incidents/{id}"), get(answers::incident))
        .route(&at("/api/v1/alerts"), get(answers::alerts))
        .route(&at("/api/v1/alerts/written"), get(written::alerts))
        .route(&at("/api/v1/alerts/{id}"), get(answers::alert))
        .route(&at("/api/v1/alerts/{id}/similar"), get(answers::similar))
        .route(&at("/api/v1/histogram"), get(answers::histogram))
        .route(&at("/api/v1/scores"), get(answers::scores))
        .route(&at("/api/v1/trainings"), get(answers::trainings))
        .route(&at("/api/v1/trainings/listed"), get(written::trainings))
        .route(&at("/api/v1/access"), get(people::access))
        .route(&at("/api/v1/silences"), get(people::silences).merge(acts(post(actions::add_silence))))
        .route(&at("/api/v1/silences/{id}/end"), acts(post(actions::end_silence)))
        .route(&at("/api/v1/verdicts"), acts(post(actions::give_verdict)))
        .route(&at("/api/v1/verdicts/written"), get(written::verdicts))
        .route(&at("/api/v1/simulations"), acts(post(simulations::send)))
        .route(&at("/api/v1/simulations/{id}"), get(simulations::one))
        .route(&at("/api/v1/changes"), get(stream::changes))
        .route(&at("/api/v1/openapi.json"), get(answers::openapi))
        .route(&at("/reports/{namespace}/{training}/{version}"), get(reports::report))
        .with_state(served);
    let page = FILES.into_iter().fold(Router::new(), |page, of_page| {
        page.merge(Router::new().route(&at(of_page.path), get(file)).with_state(Tagged::new(of_page)))
    });
    let routes = api.merge(page).fallback(async |uri: Uri| {
        Problem::not_found(format!("there is nothing at {:?}", uri.path().chars().take(200).collect::<String>()))
    });
    let routes = match prefix.as_str() {
        "" => routes,
        // Relative addresses in the page go by the slash.
        bare => {
            let whole = format!("{bare}/");
            routes.route(bare, get(async move || Redirect::permanent(&whole)))
        }
    };
    limited(routes, hosts)
}
