//! One HTTP request handed to `git http-backend` as a CGI program, and its answer handed back.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, header, request::Parts};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};
use tokio_util::io::ReaderStream;

use super::{
    gate::{Fault, Gate},
    large,
    repository::plain_git_environment,
};

/// The largest request body taken, in bytes.
const BODY_LIMIT: usize = 1 << 30;

#[derive(Clone)]
struct Backend {
    root: PathBuf,
    gate: Arc<Gate>,
}

pub(super) fn router(root: PathBuf, gate: Arc<Gate>) -> Router {
    Router::new().fallback(answer).with_state(Backend { root, gate })
}

async fn answer(State(backend): State<Backend>, request: Request) -> Response {
    match backend.gate.fault() {
        Some(Fault::Status(code)) => {
            return StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY).into_response();
        }
        Some(Fault::Hang) => {
            backend.gate.hang();
            return std::future::pending().await;
        }
        Some(Fault::Html) => return axum::response::Html("<p>hello</p>").into_response(),
        Some(Fault::Truncate(_)) | None => {}
    }
    if let Err(status) = backend.gate.admit(request.headers()) {
        return (status, [(header::WWW_AUTHENTICATE, "Basic realm=\"world\"")]).into_response();
    }
    if let Some(base) = backend.gate.redirect() {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let place = format!("{base}{path}");
        return (StatusCode::FOUND, [(header::LOCATION, place)]).into_response();
    }
    match run(&backend, request).await {
        Ok(response) => response,
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why:#}\n")).into_response(),
    }
}

async fn run(backend: &Backend, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.context("cannot read the request")?;
    let body = plain(&parts.headers, body)?;
    backend.gate.count(parts.uri.path(), parts.uri.query().unwrap_or(""), &body);
    if let Some(answer) = large::answer(&backend.gate, &parts, &body) {
        return Ok(answer);
    }
    if let Some(name) = parts.uri.path().strip_suffix("/git-receive-pack")
        && let Some(hook) = backend.gate.before_push()
    {
        let name = name.trim_start_matches('/').to_owned();
        tokio::task::spawn_blocking(move || hook(&name)).await.context("the hook failed")?;
    }
    let mut child = command(&backend.root, &parts, body.len()).spawn().context("cannot run git")?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
    // git may answer before it has read everything, so both directions must move at once.
    tokio::spawn(async move {
        let _ = stdin.write_all(&body).await;
    });
    let head = read_head(&mut stdout).await?;
    let body = match backend.gate.cut() {
        None => stream(child, stdout),
        Some(bytes) => cut(child, stdout, bytes).await?,
    };
    Ok(head.body(body)?)
}

fn command(root: &Path, parts: &Parts, length: usize) -> Command {
    let text = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
    };
    let mut command = Command::new("git");
    plain_git_environment(&mut command);
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_HTTP_MAX_REQUEST_BUFFER", "100M")
        .env("REMOTE_USER", "world")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or(""))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", length.to_string())
        .env("GIT_PROTOCOL", text("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The body without its transfer compression.
fn plain(headers: &HeaderMap, body: Bytes) -> Result<Bytes> {
    if headers.get(header::CONTENT_ENCODING).is_none_or(|how| how.as_bytes() != b"gzip") {
        return Ok(body);
    }
    let mut out = Vec::new();
    let limit = u64::try_from(BODY_LIMIT)?;
    flate2::read::GzDecoder::new(&*body).take(limit).read_to_end(&mut out)?;
    Ok(out.into())
}

async fn read_head(stdout: &mut BufReader<ChildStdout>) -> Result<http::response::Builder> {
    let mut head = Response::builder();
    let mut line = String::new();
    let mut lines = 0;
    loop {
        line.clear();
        if stdout.read_line(&mut line).await? == 0 {
            bail!("git http-backend ended before its answer began");
        }
        let text = line.trim_end();
        match text.split_once(": ") {
            _ if text.is_empty() => break,
            Some((name, value)) if name.eq_ignore_ascii_case("status") => {
                head = head.status(value.get(..3).unwrap_or("500"));
            }
            Some((name, value)) => head = head.header(name, value),
            None => bail!("git http-backend answered {text:?}"),
        }
        lines += 1;
        if lines > 64 {
            bail!("git http-backend sent too many headers");
        }
    }
    Ok(head)
}

/// The rest of the program's output; the program lives as long as the body is wanted.
fn stream(child: Child, stdout: BufReader<ChildStdout>) -> Body {
    let bytes = ReaderStream::with_capacity(stdout, 64 * 1024);
    let end = futures::stream::once(async move {
        let mut child = child;
        child.wait().await.map(|_| Bytes::new())
    });
    Body::from_stream(bytes.chain(end))
}

/// The first bytes of the program's output, after it has done all its work.
async fn cut(mut child: Child, mut stdout: BufReader<ChildStdout>, bytes: usize) -> Result<Body> {
    let mut all = Vec::new();
    stdout.read_to_end(&mut all).await?;
    child.wait().await?;
    all.truncate(bytes);
    let parts = [Ok(Bytes::from(all)), Err(std::io::Error::other("cut short"))];
    Ok(Body::from_stream(futures::stream::iter(parts)))
}
