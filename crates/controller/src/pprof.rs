//! `/debug/pprof/`: where Go's controllers show what they are busy with.
//!
//! Profiles are read out of Go's runtime, which is not here. Who asks for one is told so, instead of
//! getting a file that no tool can read.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

/// What upstream serves there, beside the index and the command line.
const PROFILES: [&str; 8] =
    ["block", "goroutine", "heap", "mutex", "profile", "symbol", "threadcreate", "trace"];

/// The index, the command line, and an answer of 501 for each profile.
///
/// `arguments` is the command line with the program's name. Source of the paths:
/// `runtime/pprof` of fluxcd/pkg.
pub fn pprof(arguments: &[String]) -> Router {
    let cmdline: Arc<str> = arguments.join("\0").into();
    let cmdline = async move || -> Response {
        let kind = "text/plain; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], cmdline.to_string()).into_response()
    };
    Router::new()
        .route("/debug/pprof/", get(index))
        .route("/debug/pprof/cmdline", get(cmdline))
        .route("/debug/pprof/{profile}", get(profile))
}

async fn index() -> Html<String> {
    let items: Vec<String> =
        PROFILES.iter().map(|name| format!("<li>{name}: not here</li>\n")).collect();
    let items = items.concat();
    Html(format!(
        "<html><head><title>/debug/pprof/</title></head><body>\n\
         <ul>\n<li><a href=\"cmdline\">cmdline</a></li>\n{items}</ul>\n\
         <p>{WAY_OUT}</p>\n</body></html>\n"
    ))
}

const WAY_OUT: &str = "Profiles are those of Go's runtime. This process is not written in Go: look \
                       at it with the tools of the system, such as `perf record -g -p PID`.";

async fn profile(Path(name): Path<String>) -> Response {
    if !PROFILES.contains(&name.as_str()) {
        return (StatusCode::NOT_FOUND, format!("unknown profile {name:?}\n")).into_response();
    }
    (StatusCode::NOT_IMPLEMENTED, format!("There is no profile {name}. {WAY_OUT}\n"))
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str) -> (u16, String) {
        let router = pprof(&["sluice".to_owned(), "run".to_owned()]);
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        let code = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn profiles_are_refused_with_a_way_out() {
        assert_eq!(ask("/debug/pprof/cmdline").await, (200, "sluice\0run".to_owned()));
        let (code, index) = ask("/debug/pprof/").await;
        assert_eq!(code, 200);
        for name in PROFILES {
            assert!(index.contains(name), "{index}");
            let (code, text) = ask(&format!("/debug/pprof/{name}?seconds=5")).await;
            assert_eq!(code, 501, "{name}");
            assert!(text.starts_with(&format!("There is no profile {name}.")), "{text}");
            assert!(text.contains("perf record"), "{text}");
        }
        assert_eq!(ask("/debug/pprof/nothing").await.0, 404);
    }
}
