//! A server program of somebody else's on a port of loopback, and the requests that fill it.

use std::{
    io,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// It begins to listen within a moment.
const PAUSE: Duration = Duration::from_millis(20);

/// A running server; it ends with this.
#[derive(Debug)]
pub(crate) struct Program {
    process: Child,
    port: u16,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file below the cache, if it is there.
pub(crate) fn cached(path: &str) -> Option<PathBuf> {
    crate::cache::folder().map(|folder| folder.join(path)).filter(|it| it.is_file())
}

impl Program {
    /// Starts a server on a free port, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start, or no port can be bound.
    pub(crate) async fn start(command: impl FnOnce(u16) -> Command) -> io::Result<Self> {
        // The port is free again when the server binds it, unless somebody is very quick.
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let mut command = command(port);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { process, port };
        while server.ask(("GET", "/"), &[], &[]).await.is_err() {
            if let Some(status) = server.process.try_wait()? {
                let program = command.get_program().display().to_string();
                return Err(io::Error::other(format!("{program} ended: {status}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(server)
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a request that must succeed.
    ///
    /// # Errors
    /// When the server does not do it.
    pub(crate) async fn send(
        &self,
        request: (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let answer = self.ask(request, headers, body).await?;
        if answer.starts_with(b"HTTP/1.1 2") {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
    }

    /// The answer to a request by method and target.
    async fn ask(
        &self,
        (method, target): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Vec<u8>> {
        let mut stream = tokio::net::TcpStream::connect(self.host()).await?;
        let length = body.len().to_string();
        let host = self.host();
        let own = [("Host", &*host), ("Content-Length", &*length), ("Connection", "close")];
        let lines = own.iter().chain(headers).map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!("{method} {target} HTTP/1.1\r\n{}\r\n", lines.collect::<String>());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}
