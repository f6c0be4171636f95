//! Git LFS: files that a repository only points to.
//!
//! Servers are asked by the batch interface with the transfer `basic` (git-lfs, docs/api/batch.md).
//! What `.lfsconfig` says is not followed: the repository's own server alone is asked.

use std::path::Path;

use base64::Engine as _;
use gix::odb::HeaderExt as _;
use http_client::{Client, Request};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::{Blobs, Error, Id, Network, Remote, Scheme, http::same_host, remote::Auth, wording};

/// A longer file is no pointer (git-lfs, docs/spec.md).
const POINTER: usize = 1024;
/// How many objects are asked for at a time.
const BATCH: usize = 100;
/// The longest answer to one question, in bytes.
const ANSWER: usize = 4 << 20;
const MEDIA_TYPE: &str = "application/vnd.git-lfs+json";

/// What stands in the place of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    /// The SHA-256 of the file, in hex.
    pub oid: String,
    /// How many bytes it has.
    pub size: u64,
}

impl Pointer {
    /// Reads a pointer; `None` for every other content.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok().filter(|it| it.len() < POINTER)?;
        let mut lines = text.lines();
        lines.next().filter(|line| *line == "version https://git-lfs.github.com/spec/v1")?;
        let (mut oid, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", value) => oid = value.strip_prefix("sha256:"),
                ("size", value) => size = value.parse().ok(),
                _ => {}
            }
        }
        let is_hex = |it: &u8| it.is_ascii_digit() || (b'a'..=b'f').contains(it);
        let oid = oid.filter(|oid| oid.len() == 64 && oid.bytes().all(|it| is_hex(&it)))?;
        Some(Self { oid: oid.to_owned(), size: size? })
    }
}

impl Blobs {
    /// The pointer that a content is, if it is one.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub fn pointer(&self, id: Id) -> Result<Option<Pointer>, Error> {
        let header = self.repository().objects.header(id.raw());
        if header.is_ok_and(|header| header.size() >= POINTER as u64) {
            return Ok(None);
        }
        Ok(Pointer::parse(&self.read(id)?))
    }
}

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Actions,
    error: Option<Refusal>,
}

#[derive(Deserialize, Default)]
struct Actions {
    download: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

impl Network {
    /// Fetches files into `folder`, each under its `oid`, and checks that they are what their
    /// pointers say. The timeout of the remote is for all of it.
    ///
    /// # Errors
    /// The repository is reached by SSH, the server has no Git LFS, refuses or lacks a file, or sends
    /// another one.
    pub async fn large_files(
        &self,
        remote: &Remote,
        wanted: &[Pointer],
        folder: &Path,
    ) -> Result<(), Error> {
        let work = async {
            let session = Session::new(self, remote)?;
            for wanted in wanted.chunks(BATCH) {
                session.fetch(wanted, folder).await?;
            }
            Ok(())
        };
        tokio::time::timeout(remote.timeout, work).await.unwrap_or(Err(Error::Timeout))
    }
}

struct Session<'a> {
    remote: &'a Remote,
    /// For the repository's own host.
    client: Client,
    /// For other hosts: it shows no certificate.
    stranger: Client,
    endpoint: Url,
    authorization: Option<String>,
}

impl<'a> Session<'a> {
    fn new(network: &Network, remote: &'a Remote) -> Result<Self, Error> {
        let mut endpoint = remote.address.url().clone();
        if remote.address.scheme() == Scheme::Ssh {
            let why = "files of Git LFS are fetched over http and https only";
            return Err(Error::Config(why.to_owned()));
        }
        let path = endpoint.path().trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let path = format!("{path}.git/info/lfs/objects/batch");
        endpoint.set_path(&path);
        let authorization = match &remote.auth {
            Auth::None | Auth::Ssh(_) => None,
            Auth::Basic { username, password } => {
                let pair = format!("{username}:{password}");
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                Some(format!("Basic {pair}"))
            }
            Auth::Bearer(token) => Some(format!("Bearer {token}")),
        };
        let unusable = |why: http_client::Error| Error::Config(why.to_string());
        let client = network.pool().client(&remote.http).map_err(unusable)?;
        let bare = http_client::Options { identity: None, ..remote.http.clone() };
        let stranger = network.pool().client(&bare).map_err(unusable)?;
        Ok(Self { remote, client, stranger, endpoint, authorization })
    }

    async fn fetch(&self, wanted: &[Pointer], folder: &Path) -> Result<(), Error> {
        let found = self.ask(wanted).await?;
        for pointer in wanted {
            let missing =
                |why: &str| Error::NotFound(format!("file '{}' of Git LFS: {why}", pointer.oid));
            let object = found.iter().find(|it| it.oid == pointer.oid);
            let object = object.ok_or_else(|| missing("the server does not tell of it"))?;
            if let Some(refusal) = &object.error {
                return Err(missing(&refusal.message));
            }
            let action = object.actions.download.as_ref();
            let action = action.ok_or_else(|| missing("the server does not offer it"))?;
            self.download(pointer, action, &folder.join(&pointer.oid)).await?;
        }
        Ok(())
    }

    /// Where the files are.
    async fn ask(&self, wanted: &[Pointer]) -> Result<Vec<Object>, Error> {
        let objects: Vec<_> =
            wanted.iter().map(|it| json!({"oid": it.oid, "size": it.size})).collect();
        let question = json!({"operation": "download", "transfers": ["basic"], "objects": objects});
        let request = Request::post(self.endpoint.clone(), question.to_string())
            .timeout(self.remote.timeout)
            .limit(ANSWER)
            .header(ACCEPT, MEDIA_TYPE)
            .header(CONTENT_TYPE, MEDIA_TYPE);
        let answer = self.client.send(self.authorized(request)).await.map_err(unreachable)?;
        if !answer.status.is_success() {
            let body = String::from_utf8_lossy(&answer.body);
            return Err(wording::status(answer.status.as_u16(), &self.endpoint, &body));
        }
        let batch = serde_json::from_slice::<Batch>(&answer.body);
        let batch = batch.map_err(|why| {
            Error::Protocol(format!("the server's answer about Git LFS cannot be read: {why}"))
        })?;
        Ok(batch.objects)
    }

    fn authorized(&self, request: Request) -> Request {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    async fn download(&self, pointer: &Pointer, action: &Action, to: &Path) -> Result<(), Error> {
        let href = Url::parse(&action.href).map_err(|_| {
            Error::Protocol("the server sends us for a file of Git LFS to no address".to_owned())
        })?;
        let home = same_host(&href, &self.endpoint);
        if self.endpoint.scheme() == "https" && href.scheme() != "https" {
            let why = "the server sends us for a file of Git LFS to an unsafe address";
            return Err(Error::Protocol(why.to_owned()));
        }
        let limit = usize::try_from(pointer.size).unwrap_or(usize::MAX);
        let mut request = Request::get(href.clone()).timeout(self.remote.timeout).limit(limit);
        let mut named = false;
        for (name, value) in &action.header {
            if let Ok(name) = name.parse::<HeaderName>() {
                named |= name == AUTHORIZATION;
                request = request.header(name, value);
            }
        }
        // The repository's credentials are for its own host.
        if home && !named {
            request = self.authorized(request);
        }
        let client = if home { &self.client } else { &self.stranger };
        let mut answer = client.open(request).await.map_err(unreachable)?;
        if !answer.status().is_success() {
            return Err(wording::status(answer.status().as_u16(), &href, ""));
        }
        let local = |why: std::io::Error| Error::Local(format!("cannot keep a file: {why}"));
        let mut file = tokio::fs::File::create(to).await.map_err(local)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            hash.update(&piece);
            size += piece.len() as u64;
            file.write_all(&piece).await.map_err(local)?;
        }
        file.flush().await.map_err(local)?;
        let oid =
            hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        if oid != pointer.oid || size != pointer.size {
            let why = format!("file '{}' of Git LFS is not what its pointer says", pointer.oid);
            return Err(Error::Protocol(why));
        }
        Ok(())
    }
}

fn unreachable(why: http_client::Error) -> Error {
    match why {
        http_client::Error::TooLarge { .. } => Error::Protocol(why.to_string()),
        why => Error::Unreachable(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    #[test]
    fn pointers_are_told_from_other_files() {
        let text = |version: &str, oid: &str, size: &str| {
            let version = format!("version https://git-lfs.github.com/spec/{version}");
            Pointer::parse(format!("{version}\noid sha256:{oid}\nsize {size}\n").as_bytes())
        };
        assert_eq!(text("v1", OID, "12345"), Some(Pointer { oid: OID.into(), size: 12345 }));
        assert_eq!(text("v2", OID, "12345"), None);
        assert_eq!(text("v1", "../../etc/passwd", "1"), None);
        assert_eq!(text("v1", &OID.to_uppercase(), "1"), None);
        assert_eq!(text("v1", OID, "-1"), None);
        assert_eq!(Pointer::parse(b"kind: ConfigMap\n"), None);
        assert_eq!(Pointer::parse(b"\xff\xfe"), None);
    }
}
