//! The connection to an SSH server, straight or through a proxy.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_client::Proxy;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use crate::{
    Error,
    remote::{Remote, percent_decode},
    wording,
};

/// The longest answer of an HTTP proxy, in bytes.
const ANSWER: usize = 16 * 1024;

pub(super) async fn dial(remote: &Remote) -> Result<TcpStream, Error> {
    let host = remote.address.host().trim_matches(['[', ']']);
    let port = remote.address.port();
    // Variables of the environment are not for SSH, as in OpenSSH.
    let Proxy::Url(url) = &remote.http.proxy else {
        let stream = TcpStream::connect((host, port)).await;
        return prompt(stream.map_err(|why| wording::undialled(remote.address.url(), &why))?);
    };
    let wrong = || Error::Config("the proxy's address cannot be used".to_owned());
    let (usual, socks) = match url.scheme() {
        "http" => (80, false),
        "socks5" | "socks5h" => (1080, true),
        _ => return Err(Error::Config("SSH goes through socks5 and http proxies only".into())),
    };
    let name = url.host_str().ok_or_else(wrong)?.trim_matches(['[', ']']);
    let stream = TcpStream::connect((name, url.port().unwrap_or(usual))).await;
    let stream = stream.map_err(|why| wording::undialled(&wording::shown(url), &why))?;
    let mut stream = prompt(stream)?;
    let credentials = credentials(url);
    let credentials = credentials.as_ref().map(|(user, password)| (&**user, &**password));
    let target = Target { host, port, credentials };
    let talk = if socks { target.socks(&mut stream).await } else { target.http(&mut stream).await };
    talk.map(|()| stream)
}

fn prompt(stream: TcpStream) -> Result<TcpStream, Error> {
    // Git's conversation is many small packets, each waited for.
    stream.set_nodelay(true).map_err(|why| broken(&why))?;
    Ok(stream)
}

fn credentials(proxy: &Url) -> Option<(String, String)> {
    let username = Some(proxy.username()).filter(|name| !name.is_empty())?;
    Some((percent_decode(username), percent_decode(proxy.password().unwrap_or_default())))
}

fn broken(why: &std::io::Error) -> Error {
    Error::Unreachable(format!("the proxy broke off: {why}"))
}

struct Target<'a> {
    host: &'a str,
    port: u16,
    credentials: Option<(&'a str, &'a str)>,
}

impl Target<'_> {
    /// SOCKS5 (RFC 1928) with user and password (RFC 1929); the proxy looks the name up.
    async fn socks(&self, stream: &mut TcpStream) -> Result<(), Error> {
        const USER: u8 = 2;
        let refused = || Error::Denied("the socks5 proxy refuses to connect us".to_owned());
        let long = |_| Error::Config("too long a name for a socks5 proxy".to_owned());
        let methods: &[u8] = if self.credentials.is_some() { &[5, 2, 0, USER] } else { &[5, 1, 0] };
        send(stream, methods).await?;
        match (read::<2>(stream).await?, self.credentials) {
            ([5, 0], _) => {}
            ([5, USER], Some((user, password))) => {
                let mut login = vec![1];
                for part in [user, password] {
                    login.push(u8::try_from(part.len()).map_err(long)?);
                    login.extend_from_slice(part.as_bytes());
                }
                send(stream, &login).await?;
                if read::<2>(stream).await?[1] != 0 {
                    return Err(refused());
                }
            }
            _ => return Err(refused()),
        }
        let mut request = vec![5, 1, 0, 3, u8::try_from(self.host.len()).map_err(long)?];
        request.extend_from_slice(self.host.as_bytes());
        request.extend_from_slice(&self.port.to_be_bytes());
        send(stream, &request).await?;
        let [_, status, _, kind] = read::<4>(stream).await?;
        if status != 0 {
            let why = format!("the socks5 proxy cannot connect to {}: code {status}", self.host);
            return Err(Error::Unreachable(why));
        }
        let length = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(read::<1>(stream).await?[0]),
            _ => return Err(refused()),
        };
        let mut bound = vec![0; length + 2];
        stream.read_exact(&mut bound).await.map_err(|why| broken(&why))?;
        Ok(())
    }

    /// HTTP `CONNECT` (RFC 9110, section 9.3.6).
    async fn http(&self, stream: &mut TcpStream) -> Result<(), Error> {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() };
        let place = format!("{host}:{}", self.port);
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some((user, password)) = self.credentials {
            let pair = STANDARD.encode(format!("{user}:{password}"));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&pair);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        send(stream, request.as_bytes()).await?;
        // Byte by byte: what follows the head belongs to SSH.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(read::<1>(stream).await?[0]);
            if head.len() > ANSWER {
                return Err(Error::Protocol("the proxy's answer is too long".to_owned()));
            }
        }
        let head = String::from_utf8_lossy(&head);
        let code = head.split_whitespace().nth(1).unwrap_or_default();
        match code {
            "200" => Ok(()),
            "401" | "403" | "407" => {
                Err(Error::Denied(format!("the http proxy refuses to connect us: status {code}")))
            }
            _ => Err(Error::Unreachable(format!(
                "the http proxy cannot connect to {place}: status {code}"
            ))),
        }
    }
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), Error> {
    stream.write_all(bytes).await.map_err(|why| broken(&why))
}

async fn read<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(|why| broken(&why))?;
    Ok(bytes)
}
