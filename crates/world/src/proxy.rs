//! Forward proxies on loopback: HTTP (absolute URLs and `CONNECT`) and SOCKS5, with credentials.
//!
//! Both connect every host name to 127.0.0.1, so that tests can use any name they like.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A request head or a SOCKS message larger than this is no honest one.
const MAX_HEAD: usize = 64 << 10;

/// Which language the proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HTTP/1.1: absolute URLs for plain requests, `CONNECT` for tunnels.
    Http,
    /// SOCKS5 (RFC 1928) with user name and password (RFC 1929).
    Socks5,
}

/// A running proxy; dropping it closes the port and all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<usize>>,
    _stop: DropGuard,
}

#[derive(Debug, Clone)]
struct Context {
    kind: Kind,
    credentials: Option<(String, String)>,
    targets: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<usize>>,
}

impl Proxy {
    /// Starts a proxy that asks for `credentials` (user name, password) if there are any.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(kind: Kind, credentials: Option<(&str, &str)>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let credentials = credentials.map(|(user, pass)| (user.to_owned(), pass.to_owned()));
        let context =
            Context { kind, credentials, targets: Arc::default(), refused: Arc::default() };
        let (targets, refused) = (Arc::clone(&context.targets), Arc::clone(&context.refused));
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, context, stop.clone()));
        Ok(Self { address, targets, refused, _stop: stop.drop_guard() })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The `host:port` of each connection made for a client, in order.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().clone()
    }

    /// How many clients had wrong or no credentials.
    pub fn refused(&self) -> usize {
        *self.refused.lock()
    }
}

async fn accept(listener: TcpListener, context: Context, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (context, stop) = (context.clone(), stop.clone());
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            // A connection that breaks is the client's to notice.
            let _ = match context.kind {
                Kind::Http => http(stream, &context).await,
                Kind::Socks5 => socks5(stream, &context).await,
            };
        }));
    }
}

impl Context {
    async fn connect(&self, target: &str) -> std::io::Result<TcpStream> {
        self.targets.lock().push(target.to_owned());
        let port = target.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.ok_or_else(|| std::io::Error::other("no port"))?;
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
    }
}

/// One request per connection: the head is read and changed, all else is copied through.
async fn http(stream: TcpStream, context: &Context) -> std::io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let before = head.len();
        client.read_until(b'\n', &mut head).await?;
        if head.len() == before || head.len() > MAX_HEAD {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines().filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let headers: Vec<&str> = lines.collect();
    if let Some((user, pass)) = &context.credentials {
        let want = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{pass}")));
        let shown = headers.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("proxy-authorization").then_some(value.trim())
        });
        if shown != Some(&want) {
            *context.refused.lock() += 1;
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                          Proxy-Authenticate: Basic realm=\"proxy\"\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "CONNECT" {
        let mut server = context.connect(target).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let url = url::Url::parse(target).map_err(std::io::Error::other)?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let mut server = context.connect(&format!("{host}:{port}")).await?;
    let mut forwarded = format!("{method} {} HTTP/1.1\r\n", &url[url::Position::BeforePath..]);
    for line in headers {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if !name.starts_with("proxy-") && name != "connection" {
            forwarded.push_str(line);
            forwarded.push_str("\r\n");
        }
    }
    // The next request may be for another host, so the connection serves this one only.
    forwarded.push_str("Connection: close\r\n\r\n");
    server.write_all(forwarded.as_bytes()).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

async fn socks5(mut client: TcpStream, context: &Context) -> std::io::Result<()> {
    let methods = {
        let mut head = [0; 2];
        client.read_exact(&mut head).await?;
        read_vec(&mut client, head[1]).await?
    };
    let wanted = if context.credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        *context.refused.lock() += 1;
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, wanted]).await?;
    if let Some((user, pass)) = &context.credentials {
        let mut head = [0; 2];
        client.read_exact(&mut head).await?;
        let shown_user = read_vec(&mut client, head[1]).await?;
        let length = client.read_u8().await?;
        let shown_pass = read_vec(&mut client, length).await?;
        if shown_user != user.as_bytes() || shown_pass != pass.as_bytes() {
            *context.refused.lock() += 1;
            return client.write_all(&[1, 1]).await;
        }
        client.write_all(&[1, 0]).await?;
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => {
            let mut octets = [0; 4];
            client.read_exact(&mut octets).await?;
            Ipv4Addr::from(octets).to_string()
        }
        3 => {
            let length = client.read_u8().await?;
            String::from_utf8_lossy(&read_vec(&mut client, length).await?).into_owned()
        }
        _ => return client.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]).await,
    };
    let port = client.read_u16().await?;
    let Ok(mut server) = context.connect(&format!("{host}:{port}")).await else {
        return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    };
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

async fn read_vec(stream: &mut TcpStream, length: u8) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
