//! A server in memory that speaks as Azure Blob Storage does (Azurite), installed from
//! `tests/tools/azurite`.

use std::{io, process::Command};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{Timestamp, tz::TimeZone};

use crate::program::{Program, cached};

/// Where it is below the cache.
const PROGRAM: &str = "azurite-v3.35.0/node_modules/azurite/dist/src/blob/main.js";
/// The account that it has.
pub const ACCOUNT: &str = "devstoreaccount1";
/// The key of the account, which its page tells everybody.
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The version of the protocol that requests are signed for.
const VERSION: &str = "2021-08-06";

/// A running server with one container; it ends with this.
#[derive(Debug)]
pub struct Server {
    program: Program,
    container: String,
}

impl Server {
    /// Starts a server with an empty container; nothing if the server is not installed.
    ///
    /// # Errors
    /// When it does not start, or does not make the container.
    pub async fn start(container: &str) -> io::Result<Option<Self>> {
        let Some(path) = cached(PROGRAM) else { return Ok(None) };
        let program = Program::start(|port| {
            let mut command = Command::new("node");
            command.arg(path).args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
            command.args(["--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]);
            command
        });
        let server = Self { program: program.await?, container: container.to_owned() };
        server.signed("", "restype:container", &[]).await?;
        Ok(Some(server))
    }

    /// Where the account is.
    pub fn endpoint(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.program.host())
    }

    /// Puts a blob.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn put(&self, key: &str, content: &[u8]) -> io::Result<()> {
        self.signed(&format!("/{key}"), "", content).await
    }

    /// Sends a `PUT` with one parameter at most, signed (Microsoft: Authorize with Shared Key).
    async fn signed(&self, path: &str, parameter: &str, body: &[u8]) -> io::Result<()> {
        let path = format!("/{ACCOUNT}/{}{path}", self.container);
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let length = if body.is_empty() { String::new() } else { body.len().to_string() };
        let own = format!("x-ms-blob-type:BlockBlob\nx-ms-date:{date}\nx-ms-version:{VERSION}\n");
        let resource = format!("/{ACCOUNT}{path}");
        let query = if parameter.is_empty() { String::new() } else { format!("\n{parameter}") };
        let text = format!("PUT\n\n\n{length}\n\n\n\n\n\n\n\n\n{own}{resource}{query}");
        let key = BASE64_STANDARD.decode(KEY).map_err(io::Error::other)?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
        let signature = format!("SharedKey {ACCOUNT}:{}", BASE64_STANDARD.encode(tag));
        let headers = [
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-date", &*date),
            ("x-ms-version", VERSION),
            ("Authorization", &*signature),
        ];
        let target = match parameter.split_once(':') {
            Some((name, value)) => format!("{path}?{name}={value}"),
            None => path,
        };
        self.program.send(("PUT", &target), &headers, body).await
    }
}
