//! Git over HTTP: the library's protocol on our own client.
//!
//! The library speaks Git and asks for a GET and POSTs; this module makes them. It adds credentials,
//! follows redirects and keeps the server's own words for what went wrong. Credentials are sent to the
//! host of the configured address only.

use std::{
    io::{self, BufRead, BufReader, Cursor, Read, Write},
    sync::Arc,
};

use base64::Engine as _;
use futures::{StreamExt as _, TryStreamExt as _};
use gix_protocol::transport::{
    Protocol,
    client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse, Transport},
};
use parking_lot::Mutex;
use reqwest::{
    Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

use crate::{
    Error,
    network::Network,
    remote::{Auth, Remote},
    task::Task,
    wording,
};

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// How much of an error page is read, in bytes.
const ERROR_BODY: usize = 64 * 1024;

/// The transport for a repository over HTTP.
pub(crate) fn connect(
    task: &Task,
    network: &Network,
    remote: &Remote,
    version: Protocol,
    limit: u64,
) -> Result<Transport<Wire>, Error> {
    let url = remote.address.url();
    let parsed = gix::Url::from_bytes(url.as_str().into())
        .map_err(|_| Error::Config("failed to parse URL".to_owned()))?;
    let mut stranger = remote.clone();
    stranger.http.identity = None;
    let wire = Wire {
        task: task.clone(),
        client: network.http(remote)?,
        stranger: network.http(&stranger)?,
        authorization: authorization(&remote.auth)?,
        home: url.clone(),
        moved: None,
        left: Arc::new(Mutex::new((limit, limit))),
    };
    Ok(Transport::new_http(wire, parsed, version, false))
}

fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, Error> {
    let text = match auth {
        Auth::None | Auth::Ssh(_) => return Ok(None),
        Auth::Basic { username, password } => {
            let pair = format!("{username}:{password}");
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        Auth::Bearer(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        Error::Config("the credentials hold characters that HTTP cannot carry".into())
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The part of the transport that makes requests.
pub(crate) struct Wire {
    task: Task,
    client: reqwest::Client,
    /// The client for other hosts: it shows no certificate.
    stranger: reqwest::Client,
    authorization: Option<HeaderValue>,
    /// The configured address, whose host alone gets the credentials.
    home: Url,
    /// Where the first request was redirected to: the base of all that follow.
    moved: Option<String>,
    /// Bytes that may still arrive, and how many it were at the start.
    left: Arc<Mutex<(u64, u64)>>,
}

impl Http for Wire {
    type Headers = Headers;
    type ResponseBody = BufReader<Body>;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<GetResponse<Self::Headers, Self::ResponseBody>, gix::Error> {
        let exchange = Exchange::new(
            self.request(Method::GET, url, base_url, headers).map_err(gix::Error::from_error)?,
        );
        let moved = exchange.lock().open().map_err(gix::Error::from_error)?.moved.take();
        if let Some(place) = moved {
            self.moved = Some(place);
        }
        Ok(GetResponse { headers: Headers::of(&exchange), body: BufReader::new(Body { exchange }) })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _kind: PostBodyDataKind,
    ) -> Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>, gix::Error> {
        let exchange = Exchange::new(
            self.request(Method::POST, url, base_url, headers).map_err(gix::Error::from_error)?,
        );
        Ok(PostResponse {
            post_body: Upload { exchange: Arc::clone(&exchange) },
            headers: Headers::of(&exchange),
            body: BufReader::with_capacity(64 * 1024, Body { exchange }),
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> Result<(), gix::Error> {
        Ok(())
    }
}

impl Wire {
    fn request(
        &self,
        method: Method,
        url: &str,
        base: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> io::Result<Request> {
        let tail = url.strip_prefix(base).unwrap_or_default();
        let text =
            self.moved.as_ref().map_or_else(|| url.to_owned(), |base| format!("{base}{tail}"));
        let url = Url::parse(&text).map_err(|_| {
            self.task.fail(Error::Protocol("the server redirects to no address".into()))
        })?;
        let mut map = HeaderMap::new();
        for line in headers {
            // Name and credentials are ours to give.
            if let Some((name, value)) = line.as_ref().split_once(':')
                && !name.eq_ignore_ascii_case("user-agent")
                && let (Ok(name), Ok(value)) =
                    (name.parse::<HeaderName>(), HeaderValue::from_str(value.trim()))
            {
                map.insert(name, value);
            }
        }
        Ok(Request {
            task: self.task.clone(),
            client: self.client.clone(),
            stranger: self.stranger.clone(),
            authorization: self.authorization.clone(),
            home: self.home.clone(),
            left: Arc::clone(&self.left),
            tail: tail.to_owned(),
            method,
            url,
            headers: map,
            body: Vec::new(),
        })
    }
}

/// A request that is made when its answer is first asked for.
struct Request {
    task: Task,
    client: reqwest::Client,
    stranger: reqwest::Client,
    authorization: Option<HeaderValue>,
    home: Url,
    left: Arc<Mutex<(u64, u64)>>,
    tail: String,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
}

struct Answer {
    headers: Vec<u8>,
    body: Box<dyn Read + Send>,
    moved: Option<String>,
}

impl Request {
    fn send(self) -> io::Result<Answer> {
        let task = self.task.clone();
        let start = self.url.clone();
        let (response, url) = self.follow().map_err(|why| task.fail(why))?;
        let moved = (url != start)
            .then(|| url.as_str().strip_suffix(self.tail.as_str()).map(str::to_owned))
            .flatten();
        let mut headers = Vec::new();
        for (name, value) in response.headers() {
            headers.extend_from_slice(name.as_str().as_bytes());
            headers.extend_from_slice(b": ");
            headers.extend_from_slice(value.as_bytes());
            headers.push(b'\n');
        }
        let stream = response
            .bytes_stream()
            .map_err(io::Error::other)
            .take_until(task.cancelled().cancelled_owned())
            .boxed();
        let body = SyncIoBridge::new_with_handle(StreamReader::new(stream), task.handle().clone());
        let body = Limited { inner: body, left: self.left, task };
        Ok(Answer { headers, body: Box::new(body), moved })
    }

    /// Sends the request, and again to where a first GET is redirected.
    fn follow(&self) -> Result<(Response, Url), Error> {
        let mut url = self.url.clone();
        for _ in 0..=REDIRECTS {
            let response = self.once(&url)?;
            let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
            match place.filter(|_| response.status().is_redirection()) {
                Some(place) => url = self.next(&url, place)?,
                None => return self.check(response, &url).map(|response| (response, url)),
            }
        }
        Err(Error::Protocol(format!("stopped after {REDIRECTS} redirects")))
    }

    fn next(&self, url: &Url, place: &str) -> Result<Url, Error> {
        let wrong = |why: &str| Error::Protocol(format!("the server redirects {why}"));
        // As git does by default, only the first request may be sent elsewhere.
        if self.method != Method::GET {
            return Err(wrong("a request that must not be repeated elsewhere"));
        }
        let next = url.join(place).map_err(|_| wrong("to no address"))?;
        match (url.scheme(), next.scheme()) {
            ("http", "http" | "https") | ("https", "https") => {}
            _ => return Err(wrong("to an unsafe address")),
        }
        if next.path().ends_with("/_signin") {
            // Azure DevOps, to those whose credentials it does not take.
            return Err(Error::Denied("authentication required: sign in".to_owned()));
        }
        if !next.as_str().ends_with(self.tail.as_str()) {
            return Err(wrong("to something that is not a Git repository"));
        }
        Ok(next)
    }

    fn once(&self, url: &Url) -> Result<Response, Error> {
        let home = same_host(url, &self.home);
        let client = if home { &self.client } else { &self.stranger };
        let mut request = client.request(self.method.clone(), url.clone());
        request = request.headers(self.headers.clone());
        if let Some(value) = self.authorization.as_ref().filter(|_| home) {
            request = request.header(AUTHORIZATION, value.clone());
        }
        if self.method == Method::POST {
            request = request.body(self.body.clone());
        }
        let sent = self.task.wait(request.send())?;
        let verb = if self.method == Method::GET { "Get" } else { "Post" };
        sent.map_err(|why| wording::unanswered(verb, url, &why))
    }

    fn check(&self, response: Response, url: &Url) -> Result<Response, Error> {
        let status = response.status();
        if status == StatusCode::NON_AUTHORITATIVE_INFORMATION {
            // Azure DevOps answers so with its sign-in page.
            return Err(Error::Denied("authentication required: sign in".to_owned()));
        }
        if !status.is_success() {
            let body = self.task.wait(error_body(response))?;
            return Err(wording::status(status.as_u16(), url, &body));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default();
        if kind.starts_with("application/x-git-") {
            return Ok(response);
        }
        let url = wording::shown(url);
        let why =
            format!("\"{url}\" is not served by a Git server: the answer is of type \"{kind}\"");
        Err(Error::Protocol(why))
    }
}

pub(crate) fn same_host(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

async fn error_body(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ERROR_BODY {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// One request and its answer, shared by the writer and the readers the library wants.
enum Exchange {
    Waiting(Box<Request>),
    Open(Answer),
    Failed,
}

type Shared = Arc<Mutex<Exchange>>;

impl Exchange {
    fn new(request: Request) -> Shared {
        Arc::new(Mutex::new(Self::Waiting(Box::new(request))))
    }

    fn open(&mut self) -> io::Result<&mut Answer> {
        if let Self::Waiting(_) = self {
            let Self::Waiting(request) = std::mem::replace(self, Self::Failed) else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            *self = Self::Open(request.send()?);
        }
        match self {
            Self::Open(answer) => Ok(answer),
            Self::Waiting(_) | Self::Failed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The body of a POST; kept in memory, since it is either a short question or a pack of our own.
pub(crate) struct Upload {
    exchange: Shared,
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.exchange.lock() {
            Exchange::Waiting(request) => request.body.extend_from_slice(bytes),
            Exchange::Open(_) | Exchange::Failed => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The headers of an answer, one a line.
pub(crate) struct Headers {
    exchange: Shared,
    text: Option<Cursor<Vec<u8>>>,
}

impl Headers {
    fn of(exchange: &Shared) -> Self {
        Self { exchange: Arc::clone(exchange), text: None }
    }

    fn text(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if self.text.is_none() {
            let headers = std::mem::take(&mut self.exchange.lock().open()?.headers);
            self.text = Some(Cursor::new(headers));
        }
        self.text.as_mut().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Read for Headers {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text()?.read(buffer)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.text()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(text) = &mut self.text {
            text.consume(amount);
        }
    }
}

/// The body of an answer.
pub(crate) struct Body {
    exchange: Shared,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.exchange.lock().open()?.body.read(buffer)
    }
}

/// A reader that ends with an error once more has arrived than may.
pub(crate) struct Limited<R> {
    pub(crate) inner: R,
    pub(crate) left: Arc<Mutex<(u64, u64)>>,
    pub(crate) task: Task,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer).map_err(|why| {
            self.task.fail(Error::Unreachable(format!("the connection broke off: {why}")))
        })?;
        let mut left = self.left.lock();
        match left.0.checked_sub(count as u64) {
            Some(rest) => left.0 = rest,
            None => return Err(self.task.fail(Error::TooLarge { limit: left.1 })),
        }
        Ok(count)
    }
}
