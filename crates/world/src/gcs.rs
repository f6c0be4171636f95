//! A server in memory that speaks as Google Cloud Storage does (fake-gcs-server), built from
//! `tests/tools/fakegcs`.

use std::{io, process::Command};

use crate::program::{Program, cached};

/// Where it is below the cache.
const PROGRAM: &str = "fakegcs-v1.52.2/fake-gcs-server";

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
    /// When it does not start, or does not make the bucket.
    pub async fn start(bucket: &str) -> io::Result<Option<Self>> {
        let Some(path) = cached(PROGRAM) else { return Ok(None) };
        let program = Program::start(|port| {
            let mut command = Command::new(path);
            command.args(["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory"]);
            let host = format!("127.0.0.1:{port}");
            command.args(["-port", &port.to_string(), "-public-host", &host]);
            // It would fill itself with what is in /data.
            command.args(["-data", ""]);
            command
        });
        let server = Self { program: program.await?, bucket: bucket.to_owned() };
        let body = format!(r#"{{"name": "{bucket}"}}"#);
        let json = [("Content-Type", "application/json")];
        server.program.send(("POST", "/storage/v1/b?project=p"), &json, body.as_bytes()).await?;
        Ok(Some(server))
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.program.host()
    }

    /// Puts an object whose key needs no escapes in a query.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        let target = format!("/upload/storage/v1/b/{}/o?uploadType=media&name={key}", self.bucket);
        self.program.send(("POST", &target), &[("Content-Type", "text/plain")], content).await
    }
}
