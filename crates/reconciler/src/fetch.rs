//! Artifacts of sources, for those who build from them: out of the store of this process, else from
//! where the status says that they are served.
//!
//! Upstream waits up to half a minute for a server that does not answer; here nothing waits in a
//! turn: what cannot be fetched now is tried again with the object's own growing delay.

use std::{
    io::{Read as _, Seek as _, Write as _},
    time::Duration,
};

use api::source::Artifact;
use artifact::{Health, Lease, Place, Store};
use http::StatusCode;
use http_client::{Incoming, Pool, Request};
use url::Url;

/// Time for one download.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Gets artifacts. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    store: Store,
    http: Pool,
    host: Option<String>,
}

/// Whose artifact it is.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// UID of the source.
    pub uid: &'a str,
    /// Where artifacts of the source are, if they are in this store; none for a kind that has none.
    pub place: Option<&'a Place>,
}

/// Why there is no artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfetched {
    /// Its server does not have it: the source makes it again.
    #[error("file not found")]
    NotFound,
    /// It could not be fetched, or is not what its digest says.
    #[error("{0}")]
    Failed(String),
}

impl Fetcher {
    /// Fetches into the trees of a store, and asks `host` (host and port) instead of the one in a
    /// URL, if given: `SOURCE_CONTROLLER_LOCALHOST`.
    pub fn new(store: Store, http: Pool, host: Option<String>) -> Self {
        Self { store, http, host }
    }

    /// The extracted artifact of a source.
    ///
    /// # Errors
    /// It is nowhere, is not what its digest says, or is no archive within the limits.
    pub async fn tree(&self, owner: Owner<'_>, it: &Artifact) -> Result<Lease, Unfetched> {
        let extract = |why: artifact::Error| failed("failed to extract archive", &why);
        if let Some(lease) = self.store.tree(owner.uid, &it.digest).await.map_err(extract)? {
            return Ok(lease);
        }
        if self.is_own(owner, it).await? {
            self.store.grant(owner.uid, &it.path, &it.digest).map_err(extract)?;
            if let Some(lease) = self.store.tree(owner.uid, &it.digest).await.map_err(extract)? {
                return Ok(lease);
            }
        }
        let file = self.download(it).await?;
        self.store.adopt(owner.uid, &it.digest, file).await.map_err(extract)
    }

    /// The bytes of an artifact that is no archive to be extracted, at most `limit`.
    ///
    /// # Errors
    /// It is nowhere, is not what its digest says, or is larger.
    pub async fn bytes(
        &self,
        owner: Owner<'_>,
        it: &Artifact,
        limit: u64,
    ) -> Result<Vec<u8>, Unfetched> {
        let wrong = |why: artifact::Error| failed("failed to verify archive", &why);
        let is_own = self.is_own(owner, it).await?;
        let file = if is_own { self.store.file(&it.path).await.map_err(wrong)? } else { None };
        let file = match file {
            Some(file) => file,
            None => self.download(it).await?,
        };
        let wanted: artifact::Digest = it.digest.parse().map_err(wrong)?;
        let read = move || {
            let mut bytes = Vec::new();
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        let read = tokio::task::spawn_blocking(read).await;
        let bytes = read.map_err(|why| failed("failed to read archive", &why))?;
        let bytes = bytes.map_err(|why| failed("failed to read archive", &why))?;
        if bytes.len() as u64 > limit {
            return Err(Unfetched::Failed(format!(
                "artifact is greater than the max download size of {limit} bytes"
            )));
        }
        if wanted.algorithm().digest(&bytes) != wanted {
            let why = format!("computed digest doesn't match provided '{wanted}'");
            return Err(failed("failed to verify archive", &why));
        }
        Ok(bytes)
    }

    /// Whether the artifact is in this store, where artifacts of that source are, and sound: a status
    /// that names the path of another source gets nothing.
    async fn is_own(&self, owner: Owner<'_>, it: &Artifact) -> Result<bool, Unfetched> {
        let Some(place) = owner.place else { return Ok(false) };
        if !it.path.starts_with(&format!("{place}/")) {
            return Ok(false);
        }
        let health = self.store.verify(&it.path, &it.digest).await;
        Ok(health.map_err(|why| failed("failed to verify archive", &why))? == Health::Sound)
    }

    /// The artifact as a file that nobody else sees. Its digest has not been compared yet.
    async fn download(&self, it: &Artifact) -> Result<std::fs::File, Unfetched> {
        let download = |why: &dyn std::fmt::Display| failed("failed to download archive", why);
        let mut url = Url::parse(&it.url).map_err(|why| download(&why))?;
        if let Some(host) = &self.host {
            let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
            url.set_host(Some(name)).map_err(|why| download(&why))?;
            // Without a port that is a number, it is that of the scheme.
            let _ = url.set_port(port.parse().ok());
        }
        let client = self.http.client(&http_client::Options::default());
        let client = client.map_err(|why| download(&why))?;
        let limit = self.store.options().limits.artifact_bytes;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let request = Request::get(url.clone()).timeout(TIMEOUT).limit(limit);
        let answer = client.open(request).await.map_err(|why| download(&why))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(Unfetched::NotFound),
            status => {
                let url = http_client::redact(&url);
                let why = format!("failed to download archive from {url} (status: {status})");
                return Err(Unfetched::Failed(why));
            }
        }
        let file = self.store.inbox().map_err(|why| download(&why))?;
        save(answer, file).await.map_err(|why| failed("failed to copy temp contents", &why))
    }
}

async fn save(mut answer: Incoming, mut file: std::fs::File) -> Result<std::fs::File, String> {
    while let Some(piece) = answer.chunk().await.map_err(|why| why.to_string())? {
        file.write_all(&piece).map_err(|why| why.to_string())?;
    }
    file.rewind().map_err(|why| why.to_string())?;
    Ok(file)
}

fn failed(what: &str, why: &(impl std::fmt::Display + ?Sized)) -> Unfetched {
    Unfetched::Failed(format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use artifact::{Kind, Options, tarball};

    use super::*;

    /// A server that answers each request with the same, and how to reach it.
    fn server(status: &'static str, body: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).unwrap();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&body).unwrap();
            }
        });
        address
    }

    fn archive(text: &str) -> Vec<u8> {
        let mut tarball = tarball::Tarball::new(Vec::new(), 10);
        let path = tarball::Path::parse("a.txt").unwrap();
        tarball.file(&path, false, text.as_bytes()).unwrap();
        tarball.finish().unwrap()
    }

    fn told(host: &str, of: &[u8]) -> Artifact {
        Artifact {
            path: "gitrepository/apps/x/1.tar.gz".into(),
            url: format!("http://{host}/gitrepository/apps/x/1.tar.gz"),
            revision: "main@sha1:1".into(),
            digest: artifact::Algorithm::Sha256.digest(of).to_string(),
            last_update_time: api::meta::Time(jiff::Timestamp::UNIX_EPOCH),
            size: None,
            metadata: None,
        }
    }

    /// A store without anything in it.
    fn fetcher(host: Option<String>) -> (tempfile::TempDir, Fetcher) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let store = Store::open(&root.join("store"), &root.join("trees"), Options::default());
        (folder, Fetcher::new(store.unwrap(), Pool::new("test"), host))
    }

    const OWNER: Owner<'static> = Owner { uid: "1", place: None };

    #[tokio::test]
    async fn what_is_elsewhere_comes_over_http_once() {
        let body = archive("hello");
        let host = server("200 OK", body.clone());
        let (_folder, fetcher) = fetcher(None);
        let it = told(&host, &body);
        let lease = fetcher.tree(OWNER, &it).await.unwrap();
        let text = std::fs::read_to_string(lease.path().join("a.txt")).unwrap();
        assert_eq!(text, "hello");
        let nowhere = Artifact { url: "http://127.0.0.1:1/x".into(), ..it.clone() };
        fetcher.tree(OWNER, &nowhere).await.expect("the tree is there already");
        let other = Owner { uid: "2", place: None };
        let why = fetcher.tree(other, &nowhere).await.expect_err("a digest is no credential");
        assert!(why.to_string().starts_with("failed to download archive: Get"), "{why}");
        assert_eq!(fetcher.bytes(OWNER, &it, 1 << 20).await.unwrap(), body);
        fetcher.bytes(OWNER, &it, 3).await.unwrap_err();
    }

    #[tokio::test]
    async fn what_is_not_what_its_digest_says_is_refused() {
        let host = server("200 OK", archive("something else"));
        let (_folder, fetcher) = fetcher(None);
        let it = told(&host, &archive("hello"));
        let why = fetcher.tree(OWNER, &it).await.unwrap_err().to_string();
        assert!(why.contains("computed digest doesn't match"), "{why}");
        let why = fetcher.bytes(OWNER, &it, 1 << 20).await.unwrap_err().to_string();
        assert!(why.contains("computed digest doesn't match"), "{why}");
        let empty = Artifact { digest: String::new(), ..it };
        fetcher.tree(OWNER, &empty).await.unwrap_err();
    }

    #[tokio::test]
    async fn refusals_are_told_and_the_host_can_be_another() {
        let it = told("192.0.2.1", b"x");
        let (_folder, gone) = fetcher(Some(server("404 Not Found", Vec::new())));
        assert_eq!(gone.tree(OWNER, &it).await.unwrap_err(), Unfetched::NotFound);
        let (_folder, broken) = fetcher(Some(server("503 Service Unavailable", Vec::new())));
        let why = broken.tree(OWNER, &it).await.unwrap_err().to_string();
        assert!(why.ends_with("(status: 503 Service Unavailable)"), "{why}");
    }

    #[tokio::test]
    async fn a_status_gets_only_what_is_its_own() {
        let (_folder, fetcher) = fetcher(None);
        let place = Place::new(Kind::GitRepository, "apps", "x").unwrap();
        let body = archive("secret");
        fetcher.store.put(&place, "1.tar.gz", body.clone()).await.unwrap();
        let it = told("127.0.0.1:1", &body);
        let thief = Place::new(Kind::GitRepository, "others", "x").unwrap();
        let thief = Owner { uid: "2", place: Some(&thief) };
        fetcher.tree(thief, &it).await.unwrap_err();
        fetcher.bytes(thief, &it, 1 << 20).await.unwrap_err();
        let owner = Owner { uid: "1", place: Some(&place) };
        fetcher.tree(owner, &it).await.unwrap();
        assert_eq!(fetcher.bytes(owner, &it, 1 << 20).await.unwrap(), body);
    }
}
