//! The distribution protocol over HTTP.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::auth::{self, Want};
use super::fault::{Misbehaviour, Request};
use super::reply::{
    bytes, created, digest_invalid, error, json_response, json_text, manifest_unknown,
    name_unknown, plain, unsupported, upload_unknown, with,
};
use super::store::{MEDIA_TYPE_INDEX, Manifest, digest};
use super::{Link, Shared};

/// Larger uploads are refused.
const MAX_BODY: usize = 64 << 20;

#[derive(Clone)]
struct Context {
    shared: Arc<Shared>,
    scheme: &'static str,
}

pub(super) fn router(shared: Arc<Shared>, tls: bool) -> Router {
    let context = Context { shared, scheme: if tls { "https" } else { "http" } };
    Router::new().fallback(handle).with_state(context)
}

/// Logs the request, misbehaves when told to, else answers.
async fn handle(State(context): State<Context>, request: HttpRequest) -> Response {
    let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let mut entry = Request {
        method: request.method().clone(),
        target: target.clone(),
        headers: request.headers().clone(),
        status: 0,
    };
    let at = {
        // Logged before it is answered, so that a request that hangs is seen as well.
        let mut log = context.shared.log.lock();
        log.push(entry.clone());
        log.len() - 1
    };
    let response = misbehave(&context, &target, request).await;
    entry.status = response.status().as_u16();
    if let Some(logged) = context.shared.log.lock().get_mut(at) {
        logged.status = entry.status;
    }
    response
}

async fn misbehave(context: &Context, target: &str, request: HttpRequest) -> Response {
    enum Plan {
        Normal,
        Instead(Box<Response>),
        Truncate(usize),
        Wait(Option<std::time::Duration>),
    }
    let plan = {
        let mut faults = context.shared.faults.lock();
        faults.iter_mut().find(|it| it.times > 0 && target.contains(&it.part)).map_or(
            Plan::Normal,
            |fault| {
                fault.times -= 1;
                match &fault.what {
                    Misbehaviour::Answer { status, headers, body } => {
                        Plan::Instead(Box::new(instead(*status, headers, body)))
                    }
                    Misbehaviour::Truncate(bytes) => Plan::Truncate(*bytes),
                    Misbehaviour::Delay(time) => Plan::Wait(Some(*time)),
                    Misbehaviour::Hang => Plan::Wait(None),
                    Misbehaviour::Change(change) => {
                        change(&context.shared.store);
                        Plan::Normal
                    }
                }
            },
        )
    };
    match plan {
        Plan::Normal => answer(context, request).await,
        Plan::Instead(response) => *response,
        Plan::Truncate(bytes) => truncate(answer(context, request).await, bytes).await,
        Plan::Wait(Some(time)) => {
            tokio::time::sleep(time).await;
            answer(context, request).await
        }
        Plan::Wait(None) => std::future::pending().await,
    }
}

fn instead(status: u16, headers: &[(&'static str, String)], body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if body.is_empty() && status == StatusCode::TOO_MANY_REQUESTS {
        error(status, "TOOMANYREQUESTS", "too many requests", &Value::Null)
    } else {
        let mut response = Response::new(Body::from(body.to_owned()));
        *response.status_mut() = status;
        response
    };
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

async fn truncate(response: Response, bytes: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let start = whole.slice(..bytes.min(whole.len()));
    let cut = stream::iter([Ok(start), Err(std::io::Error::other("cut"))]);
    // Without this pause both items would be polled at once and the start never be sent.
    let paced = cut.then(|item| async {
        tokio::task::yield_now().await;
        item
    });
    Response::from_parts(parts, Body::from_stream(paced))
}

/// What a path means.
enum Target<'a> {
    Base,
    Token,
    Tags(&'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Referrers(&'a str, &'a str),
    Uploads(&'a str),
    Upload(&'a str, u64),
}

fn parse(path: &str) -> Option<Target<'_>> {
    if path == "/token" {
        return Some(Target::Token);
    }
    let path = path.strip_prefix("/v2")?;
    if matches!(path, "" | "/") {
        return Some(Target::Base);
    }
    let path = path.strip_prefix('/')?;
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some(Target::Tags(name));
    }
    if let Some(name) = path.strip_suffix("/blobs/uploads/").or(path.strip_suffix("/blobs/uploads"))
    {
        return Some(Target::Uploads(name));
    }
    let (rest, last) = path.rsplit_once('/')?;
    if let Some(name) = rest.strip_suffix("/manifests") {
        return Some(Target::Manifest(name, last));
    }
    if let Some(name) = rest.strip_suffix("/referrers") {
        return Some(Target::Referrers(name, last));
    }
    if let Some(name) = rest.strip_suffix("/blobs/uploads") {
        return Some(Target::Upload(name, last.parse().ok()?));
    }
    rest.strip_suffix("/blobs").map(|name| Target::Blob(name, last))
}

async fn answer(context: &Context, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, MAX_BODY).collect().await;
    let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
        return error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            "body too large",
            &Value::Null,
        );
    };
    let host = parts.headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let host = host.or(parts.uri.host()).unwrap_or_default();
    let call = Call {
        shared: &context.shared,
        base: format!("{}://{host}", context.scheme),
        method: parts.method,
        headers: parts.headers,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    let Some(target) = parse(parts.uri.path()) else {
        return plain(StatusCode::NOT_FOUND, "404 page not found\n");
    };
    let mut response = call.dispatch(&target);
    response
        .headers_mut()
        .insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    response
}

struct Call<'a> {
    shared: &'a Shared,
    base: String,
    method: Method,
    headers: HeaderMap,
    query: String,
    body: Bytes,
}

impl Call<'_> {
    fn dispatch(&self, target: &Target<'_>) -> Response {
        let repository = match target {
            Target::Token => {
                let form =
                    if self.method == Method::POST { &self.body } else { self.query.as_bytes() };
                return auth::token(self.shared, &self.method, &self.headers, form);
            }
            Target::Base => None,
            Target::Tags(name)
            | Target::Manifest(name, _)
            | Target::Blob(name, _)
            | Target::Referrers(name, _)
            | Target::Uploads(name)
            | Target::Upload(name, _) => Some(*name),
        };
        let action = match self.method {
            Method::GET | Method::HEAD => "pull",
            Method::DELETE => "delete",
            _ => "pull,push",
        };
        let want = repository.map(|repository| Want { repository, action });
        if let Err(refusal) = auth::check(self.shared, &self.headers, &self.base, want) {
            return *refusal;
        }
        match target {
            Target::Base | Target::Token => json_response(StatusCode::OK, &json!({})),
            Target::Tags(name) => self.tags(name),
            Target::Manifest(name, reference) => self.manifest(name, reference),
            Target::Blob(name, digest) => self.blob(name, digest),
            Target::Referrers(name, digest) => {
                let index = self.shared.store.referrers(name, digest).to_string();
                bytes(MEDIA_TYPE_INDEX, index.into())
            }
            Target::Uploads(name) => self.begin_upload(name),
            Target::Upload(name, id) => self.upload(name, *id),
        }
    }

    fn query(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn tags(&self, name: &str) -> Response {
        let Some(all) = self.shared.store.tags(name) else {
            return name_unknown(name);
        };
        let paging = &self.shared.options.paging;
        let wish = self.query("n");
        let size = match wish.as_deref().map(str::parse::<usize>) {
            None => paging.cap,
            Some(Ok(wish)) if wish <= paging.cap || !paging.refuse_larger => wish.min(paging.cap),
            Some(_) => {
                return error(
                    StatusCode::BAD_REQUEST,
                    "PAGINATION_NUMBER_INVALID",
                    "invalid number of results requested",
                    &json!({"n": wish}),
                );
            }
        };
        let last = self.query("last").unwrap_or_default();
        let mut rest = all.into_iter().filter(|tag| *tag > last);
        let page: Vec<String> = rest.by_ref().take(size).collect();
        let more = rest.next().is_some();
        let body = json!({"name": name, "tags": page}).to_string();
        let etag = format!("\"{}\"", digest(body.as_bytes()));
        let known = self.headers.get(header::IF_NONE_MATCH).and_then(|it| it.to_str().ok());
        if self.shared.options.etags && known == Some(&etag) {
            return with(plain(StatusCode::NOT_MODIFIED, ""), "etag", &etag);
        }
        let mut response = json_text(StatusCode::OK, &body);
        if self.shared.options.etags {
            response = with(response, "etag", &etag);
        }
        match page.last() {
            Some(last) if more => with(response, "link", &self.next(name, size, last)),
            _ => response,
        }
    }

    fn next(&self, name: &str, size: usize, last: &str) -> String {
        let host = match &self.shared.options.paging.link {
            Link::Relative => "",
            Link::Absolute => &self.base,
            Link::Elsewhere(host) => host,
        };
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("last", last)
            .append_pair("n", &size.to_string())
            .finish();
        format!("<{host}/v2/{name}/tags/list?{query}>; rel=\"next\"")
    }

    fn manifest(&self, name: &str, reference: &str) -> Response {
        let store = &self.shared.store;
        match self.method {
            Method::GET | Method::HEAD => {
                let Some((digest, manifest)) = store.manifest(name, reference) else {
                    return manifest_unknown(name, reference);
                };
                let response = bytes(&manifest.media_type, manifest.body);
                with(
                    with(response, "docker-content-digest", &digest),
                    "etag",
                    &format!("\"{digest}\""),
                )
            }
            Method::PUT => {
                if serde_json::from_slice::<Value>(&self.body).is_err() {
                    let code = "MANIFEST_INVALID";
                    return error(StatusCode::BAD_REQUEST, code, "manifest invalid", &Value::Null);
                }
                if reference.starts_with("sha256:") && reference != digest(&self.body) {
                    return digest_invalid();
                }
                let media_type = self.headers.get(header::CONTENT_TYPE);
                let media_type = media_type.and_then(|it| it.to_str().ok()).unwrap_or_default();
                let manifest = Manifest { media_type: media_type.into(), body: self.body.clone() };
                let digest = store.put_manifest(name, reference, manifest);
                let location = format!("{}/v2/{name}/manifests/{digest}", self.base);
                created(&location, &digest)
            }
            Method::DELETE if store.delete_manifest(name, reference) => {
                plain(StatusCode::ACCEPTED, "")
            }
            Method::DELETE => manifest_unknown(name, reference),
            _ => unsupported(),
        }
    }

    fn blob(&self, name: &str, digest: &str) -> Response {
        let Some(blob) = self.shared.store.blob(name, digest) else {
            let detail = json!(digest);
            return error(
                StatusCode::NOT_FOUND,
                "BLOB_UNKNOWN",
                "blob unknown to registry",
                &detail,
            );
        };
        match self.method {
            Method::GET | Method::HEAD => {
                with(bytes("application/octet-stream", blob), "docker-content-digest", digest)
            }
            _ => unsupported(),
        }
    }

    fn begin_upload(&self, name: &str) -> Response {
        let store = &self.shared.store;
        if self.method != Method::POST {
            return unsupported();
        }
        if let (Some(digest), Some(from)) = (self.query("mount"), self.query("from"))
            && let Some(blob) = store.blob(&from, &digest)
        {
            store.put_blob(name, blob);
            return created(&format!("{}/v2/{name}/blobs/{digest}", self.base), &digest);
        }
        let id = store.begin_upload();
        if self.query("digest").is_some() {
            return self.finish_upload(name, id);
        }
        self.progress(name, id, 0)
    }

    fn upload(&self, name: &str, id: u64) -> Response {
        let store = &self.shared.store;
        match self.method {
            Method::PATCH => match store.append_upload(id, &self.body) {
                Some(size) => self.progress(name, id, size),
                None => upload_unknown(),
            },
            Method::PUT => self.finish_upload(name, id),
            Method::GET => match store.append_upload(id, &[]) {
                Some(size) => {
                    let mut response = self.progress(name, id, size);
                    *response.status_mut() = StatusCode::NO_CONTENT;
                    response
                }
                None => upload_unknown(),
            },
            Method::DELETE if store.end_upload(id).is_some() => plain(StatusCode::NO_CONTENT, ""),
            Method::DELETE => upload_unknown(),
            _ => unsupported(),
        }
    }

    fn progress(&self, name: &str, id: u64, size: usize) -> Response {
        let response = plain(StatusCode::ACCEPTED, "");
        let location = format!("{}/v2/{name}/blobs/uploads/{id}", self.base);
        let response = with(response, "location", &location);
        let response = with(response, "docker-upload-uuid", &id.to_string());
        with(response, "range", &format!("0-{}", size.saturating_sub(1)))
    }

    fn finish_upload(&self, name: &str, id: u64) -> Response {
        let store = &self.shared.store;
        if store.append_upload(id, &self.body).is_none() {
            return upload_unknown();
        }
        let content = store.end_upload(id).unwrap_or_default();
        let digest = digest(&content);
        if self.query("digest").as_ref() != Some(&digest) {
            return digest_invalid();
        }
        store.put_blob(name, content.into());
        created(&format!("{}/v2/{name}/blobs/{digest}", self.base), &digest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Auth, Fault, Misbehaviour, Options, Server};
    use super::*;
    use tower::ServiceExt as _;

    async fn send(server: &Server, method: &str, target: &str) -> (StatusCode, HeaderMap, String) {
        let request = HttpRequest::builder().method(method).uri(target).header("host", "world");
        let request = request.body(Body::empty()).unwrap();
        let response = router(Arc::clone(&server.shared), false).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn pages_are_linked() {
        let server = Server::start().await.unwrap();
        for tag in ["1", "2", "3"] {
            server.publish("a/b", tag);
        }
        let (_, headers, body) = send(&server, "GET", "/v2/a/b/tags/list?n=2").await;
        assert_eq!(body, r#"{"name":"a/b","tags":["1","2"]}"#);
        assert_eq!(headers["link"], "</v2/a/b/tags/list?last=2&n=2>; rel=\"next\"");
        let (_, headers, body) = send(&server, "GET", "/v2/a/b/tags/list?last=2&n=2").await;
        assert_eq!(body, r#"{"name":"a/b","tags":["3"]}"#);
        assert!(!headers.contains_key("link"));
    }

    #[tokio::test]
    async fn unknown_repositories_are_told_as_distribution_does() {
        let server = Server::start().await.unwrap();
        let (status, _, body) = send(&server, "GET", "/v2/no/thing/tags/list").await;
        assert_eq!(status, 404);
        let want = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"no/thing"}}]}"#;
        assert_eq!(body.trim_end(), want);
    }

    #[tokio::test]
    async fn every_publication_is_a_new_image() {
        let server = Server::start().await.unwrap();
        let first = server.publish("a", "1");
        let second = server.publish("a", "1");
        assert_ne!(first, second);
        let (_, headers, _) = send(&server, "HEAD", "/v2/a/manifests/1").await;
        assert_eq!(headers["docker-content-digest"], *second);
        assert_eq!(server.retag("a", "1", "2"), Some(second));
        assert!(server.delete("a", "1"));
        assert_eq!(server.store().tags("a"), Some(vec!["2".to_owned()]));
    }

    #[tokio::test]
    async fn tokens_are_good_for_their_scope_only() {
        let auth = Auth::Token {
            username: "user".into(),
            password: "pass".into(),
            anonymous_pull: true,
            expires_in: std::time::Duration::from_mins(1),
        };
        let server = Server::with(Options { auth, ..Options::default() }).await.unwrap();
        server.publish("a", "1");
        let (status, headers, _) = send(&server, "GET", "/v2/a/tags/list").await;
        assert_eq!(status, 401);
        assert_eq!(
            headers["www-authenticate"],
            "Bearer realm=\"http://world/token\",service=\"world\",scope=\"repository:a:pull\""
        );
        let (_, _, body) = send(&server, "GET", "/token?scope=repository:b:pull").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        let bearer = format!("Bearer {}", body["token"].as_str().unwrap());
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer.parse().unwrap())]);
        let check = |repository| {
            let want = Want { repository, action: "pull" };
            auth::check(&server.shared, &headers, "", Some(want)).is_ok()
        };
        assert!(check("b"));
        assert!(!check("a"));
        let (status, ..) = send(&server, "GET", "/token?scope=repository:b:pull,push").await;
        assert_eq!(status, 401);
    }

    #[tokio::test]
    async fn faults_end_after_their_count() {
        let server = Server::start().await.unwrap();
        server.publish("a", "1");
        let headers = vec![("retry-after", "7".to_owned())];
        let what = Misbehaviour::Answer { status: 429, headers, body: String::new() };
        server.inject(Fault::new("/tags/", 1, what));
        let (status, headers, body) = send(&server, "GET", "/v2/a/tags/list").await;
        assert_eq!(
            (status.as_u16(), &headers["retry-after"]),
            (429, &HeaderValue::from_static("7"))
        );
        assert!(body.contains("TOOMANYREQUESTS"), "{body}");
        assert_eq!(send(&server, "GET", "/v2/a/tags/list").await.0, 200);
        assert_eq!(server.count("/tags/list"), 2);
    }
}
