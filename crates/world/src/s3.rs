//! An S3 server in memory (gofakes3), built from `tests/tools/gofakes3`.

use std::{io, process::Command};

use crate::program::{Program, cached};

/// Where it is below the cache.
const PROGRAM: &str = "gofakes3-v1.2.0/gofakes3";

/// A running server with one bucket; it ends with this.
#[derive(Debug)]
pub struct Server {
    program: Program,
    bucket: String,
}

impl Server {
    /// Starts a server with an empty bucket; nothing if the server is not built.
    ///
    /// # Errors
    /// When it does not start, or no port can be bound.
    pub async fn start(bucket: &str) -> io::Result<Option<Self>> {
        let Some(path) = cached(PROGRAM) else { return Ok(None) };
        let program = Program::start(|port| {
            let mut command = Command::new(path);
            command.args(["-backend", "memory", "-initialbucket", bucket, "-host"]);
            command.arg(format!("127.0.0.1:{port}"));
            command
        });
        Ok(Some(Self { program: program.await?, bucket: bucket.to_owned() }))
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.program.host()
    }

    /// Puts an object.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        self.program.send(("PUT", &format!("/{}/{key}", self.bucket)), &[], content).await
    }

    /// Removes an object.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn delete(&self, key: &str) -> io::Result<()> {
        self.program.send(("DELETE", &format!("/{}/{key}", self.bucket)), &[], &[]).await
    }
}
