//! What the file server gives, and what not.

use artifact::Options;
use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::store::{open, place};

async fn ask(
    router: &axum::Router,
    method: &str,
    path: &str,
    range: Option<&str>,
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(range) = range {
        request = request.header("range", range);
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn artifacts_are_served_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, Options::default());
    let stored = store.put(&place("fleet"), "sha256:1.tar.gz", b"content".to_vec()).await.unwrap();
    let link = store.link(&stored.path, "latest.tar.gz").await.unwrap();
    assert_eq!(link, "http://localhost:9090/gitrepository/apps/fleet/latest.tar.gz");
    for (path, text) in [("git/secret", "x"), ("gitrepository/apps/fleet/a.lock", "x")] {
        let at = folder.path().join("data").join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, text).unwrap();
    }
    let router = store.router();
    let base = "/gitrepository/apps/fleet";
    for path in
        ["/gitrepository/apps/fleet/sha256:1.tar.gz", "/gitrepository/apps/fleet/latest.tar.gz"]
    {
        let response = ask(&router, "GET", path, None).await;
        assert_eq!(response.headers()["content-type"], "application/gzip");
        assert!(response.headers().contains_key("last-modified"));
        assert_eq!(text(response).await, "content");
    }
    let encoded = ask(&router, "GET", &format!("{base}/sha256%3A1.tar.gz"), None).await;
    assert_eq!(encoded.status(), StatusCode::OK);
    let head = ask(&router, "HEAD", &format!("{base}/latest.tar.gz"), None).await;
    assert_eq!(head.headers()["content-length"], "7");
    let part = ask(&router, "GET", &format!("{base}/latest.tar.gz"), Some("bytes=3-")).await;
    assert_eq!((part.status(), text(part).await), (StatusCode::PARTIAL_CONTENT, "tent".into()));
    assert_eq!(ask(&router, "GET", "/", None).await.status(), StatusCode::OK);
    for hidden in [
        "/git/secret",
        "/gitrepository",
        "/gitrepository/apps/fleet/",
        "/gitrepository/apps/fleet",
        "/gitrepository/apps/fleet/a.lock",
        "/gitrepository/apps/../../../git/secret",
        "/gitrepository/apps/fleet/..%2f..%2f..%2fgit/secret",
        "/gitrepository/apps/fleet/nope",
    ] {
        let status = ask(&router, "GET", hidden, None).await.status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{hidden}");
    }
    let posted = ask(&router, "POST", &format!("{base}/latest.tar.gz"), None).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
}
