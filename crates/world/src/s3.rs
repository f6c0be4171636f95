//! An S3 server in memory (gofakes3), built from `tests/tools/gofakes3`.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Where it is below the cache.
const PROGRAM: &str = "gofakes3-v1.2.0/gofakes3";
/// It begins to listen within a moment.
const PAUSE: Duration = Duration::from_millis(20);

/// A running server with one bucket; it ends with this.
#[derive(Debug)]
pub struct Server {
    process: Child,
    port: u16,
    bucket: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts a server with an empty bucket; nothing if the server is not built.
    ///
    /// # Errors
    /// When it does not start, or no port can be bound.
    pub async fn start(bucket: &str) -> io::Result<Option<Self>> {
        let program = crate::cache::folder().map(|folder| folder.join(PROGRAM));
        let Some(program) = program.filter(|it| it.is_file()) else { return Ok(None) };
        // The port is free again when the server binds it, unless somebody is very quick.
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let process = Command::new(program)
            .args(["-backend", "memory", "-initialbucket", bucket, "-host"])
            .arg(format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { process, port, bucket: bucket.to_owned() };
        while server.send("GET", "/", &[]).await.is_err() {
            if let Some(status) = server.process.try_wait()? {
                return Err(io::Error::other(format!("gofakes3 ended: {status}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Some(server))
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Puts an object.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        self.send("PUT", &format!("/{}/{key}", self.bucket), content).await
    }

    /// Removes an object.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn delete(&self, key: &str) -> io::Result<()> {
        self.send("DELETE", &format!("/{}/{key}", self.bucket), &[]).await
    }

    async fn send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<()> {
        let mut stream = tokio::net::TcpStream::connect(self.host()).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.host(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        if answer.starts_with(b"HTTP/1.1 2") {
            return Ok(());
        }
        let line = answer.split(|it| *it == b'\r').next().unwrap_or_default();
        Err(io::Error::other(String::from_utf8_lossy(line).into_owned()))
    }
}
