//! Artifacts over HTTP, by their paths.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use tower_http::services::ServeDir;

use crate::{Store, place::FilePath, store::TEMPORARY};

impl Store {
    /// Serves the files of the store, with ranges and conditional requests; `GET /` answers 200 for
    /// readiness probes. Other folders are not listed: their names are other tenants' business.
    pub fn router(&self) -> Router {
        let files = ServeDir::new(&self.inner.root).append_index_html_on_directories(false);
        Router::new()
            .route("/", get(async || Html("<pre>\n</pre>\n")))
            .fallback_service(files)
            .layer(middleware::from_fn(guard))
    }
}

/// Lets only paths of artifacts through.
async fn guard(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/" && !is_artifact(path) {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let archive = path.ends_with("gz");
    let mut response: Response<Body> = next.run(request).await;
    if archive && response.status().is_success() {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/gzip"));
    }
    response
}

fn is_artifact(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    // Digests in names may come encoded.
    let path = path.replace("%3A", ":").replace("%3a", ":");
    let is_lock = |name: &str| name.rsplit_once('.').is_some_and(|(_, ending)| ending == "lock");
    let hidden = |name: &str| name.starts_with(TEMPORARY) || is_lock(name);
    path.parse::<FilePath>().is_ok() && !path.rsplit('/').next().is_none_or(hidden)
}
