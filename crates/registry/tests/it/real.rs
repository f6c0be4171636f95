//! The registry of the distribution project, as packaged by Debian.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use http_client::{Options as Http, Pool, Request, Roots};
use registry::{Access, Call, Credential, Repository};
use url::Url;
use world::registry::{Authority, MEDIA_TYPE_MANIFEST};

use crate::{basic, client, tags};

/// A running registry; it ends with this.
struct Real {
    process: Child,
    port: u16,
    base: Url,
    http: Http,
    authorization: Option<String>,
    _folder: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Setup<'a> {
    /// `user` with the password `pass` (bcrypt).
    auth: bool,
    tls: Option<&'a Authority>,
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// `user:pass`.
const HTPASSWD: &str = "user:$2y$05$S95FhCAMEICURvSL/WRfE.KG3hv9pxFg6N9ko/T5cAPLr0Ca89Oiq\n";

impl Real {
    /// Starts the registry, or says that it is not installed.
    async fn start(setup: Setup<'_>) -> Option<Self> {
        let found = Command::new("docker-registry").arg("--version").output();
        if !found.is_ok_and(|it| it.status.success()) {
            println!("skipped: docker-registry not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // The port is free again when the registry binds it, unless somebody is very quick.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = folder.path().join("config.yml");
        std::fs::write(&config, write_config(folder.path(), port, &setup)).unwrap();
        drop(listener);
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let scheme = if setup.tls.is_some() { "https" } else { "http" };
        let roots = setup.tls.map_or(Roots::System, |it| Roots::Added(it.pem().into()));
        let mut real = Self {
            process,
            port,
            base: Url::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap(),
            http: Http { roots, ..Http::default() },
            authorization: setup.auth.then(|| "Basic dXNlcjpwYXNz".to_owned()),
            _folder: folder,
        };
        while real.send(Method::GET, "/v2/", "", None).await.is_none() {
            let ended = real.process.try_wait().unwrap();
            assert!(ended.is_none(), "docker-registry ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(real)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Option<Vec<u8>>,
    ) -> Option<http_client::Response> {
        crate::options();
        let mut request = Request::new(method, self.base.join(path).unwrap());
        request.body = body.unwrap_or_default().into();
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request = request.header(CONTENT_TYPE, content_type);
        Pool::new("test").client(&self.http).unwrap().send(request).await.ok()
    }

    /// Pushes a small image and returns its digest.
    async fn push(&self, repository: &str, tag: &str) -> String {
        let config = format!("{{\"tag\":\"{tag}\"}}");
        let blob = sha256(config.as_bytes());
        let path = format!("/v2/{repository}/blobs/uploads/");
        let started = self.send(Method::POST, &path, "", None).await.unwrap();
        assert_eq!(started.status, StatusCode::ACCEPTED);
        let mut place = self.base.join(started.header("location").unwrap()).unwrap();
        place.query_pairs_mut().append_pair("digest", &blob);
        let body = Some(config.clone().into_bytes());
        let done = self.send(Method::PUT, place.as_str(), "application/octet-stream", body).await;
        assert_eq!(done.unwrap().status, StatusCode::CREATED);
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": blob,
                "size": config.len(),
            },
            "layers": [{"mediaType": LAYER, "digest": blob, "size": config.len()}],
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = sha256(&manifest);
        let path = format!("/v2/{repository}/manifests/{tag}");
        let done = self.send(Method::PUT, &path, MEDIA_TYPE_MANIFEST, Some(manifest)).await;
        assert_eq!(done.unwrap().status, StatusCode::CREATED);
        digest
    }

    fn repository(&self, path: &str) -> Repository {
        Repository::parse(&format!("127.0.0.1:{}/{path}", self.port), false).unwrap()
    }
}

fn write_config(folder: &Path, port: u16, setup: &Setup<'_>) -> String {
    let shown = folder.display();
    let mut config = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {shown}/data\n\
         http:\n  addr: 127.0.0.1:{port}\n"
    );
    if let Some(authority) = setup.tls {
        let identity = authority.server(&["127.0.0.1"]).unwrap();
        std::fs::write(folder.join("tls.crt"), identity.certificate).unwrap();
        std::fs::write(folder.join("tls.key"), identity.key).unwrap();
        let tls = format!("  tls:\n    certificate: {shown}/tls.crt\n    key: {shown}/tls.key\n");
        config.push_str(&tls);
    }
    if setup.auth {
        std::fs::write(folder.join("htpasswd"), HTPASSWD).unwrap();
        let auth = format!("auth:\n  htpasswd:\n    realm: r\n    path: {shown}/htpasswd\n");
        config.push_str(&auth);
    }
    config
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    let hex: Vec<String> = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

async fn lists(real: &Real, access: &Access) {
    let digest = real.push("team/app", "1.0.0").await;
    real.push("team/app", "1.1.0").await;
    let (client, repository) = (client(), real.repository("team/app"));
    assert_eq!(tags(&client, &repository, access).await.unwrap(), ["1.0.0", "1.1.0"]);
    let timeout = Duration::from_mins(1);
    let found = client.digest(&repository, "1.0.0", access, timeout).await;
    assert_eq!(found.unwrap(), digest);
    let call = Call { repository: &repository, access, timeout };
    let image = client.image(&call, &digest).await.unwrap();
    let layer = image.content.layers.first().unwrap();
    let bytes = client.small_blob(&call, layer, 1 << 10).await.unwrap();
    assert_eq!(bytes, r#"{"tag":"1.0.0"}"#);
    let referrers = client.referrers(&call, &image.digest, None).await.unwrap();
    assert!(referrers.is_empty());
    let missing = client.digest(&repository, "9", access, timeout).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    let error = tags(&client, &real.repository("nothing"), access).await.unwrap_err();
    let want = format!(
        "GET {}v2/nothing/tags/list?n=1000: \
         NAME_UNKNOWN: repository name not known to registry; map[name:nothing]",
        real.base
    );
    assert_eq!(error.to_string(), want);
    assert!(error.is_not_found());
}

#[tokio::test]
async fn an_open_registry_is_scanned() {
    let Some(real) = Real::start(Setup { auth: false, tls: None }).await else { return };
    lists(&real, &Access::default()).await;
}

#[tokio::test]
async fn a_registry_with_passwords_is_scanned() {
    let Some(real) = Real::start(Setup { auth: true, tls: None }).await else { return };
    lists(&real, &basic("user", "pass")).await;
    let repository = real.repository("team/app");
    for access in [basic("user", "wrong"), Access::default()] {
        let error = tags(&client(), &repository, &access).await.unwrap_err();
        assert!(error.is_denied(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(": UNAUTHORIZED: authentication required; [map[Action:pull "),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_registry_with_passwords_and_tls_is_scanned() {
    let authority = Authority::new("CA").unwrap();
    let setup = Setup { auth: true, tls: Some(&authority) };
    let Some(real) = Real::start(setup).await else { return };
    let credential = Credential::Basic { username: "user".into(), password: "pass".into() };
    let access = Access {
        tenant: String::new(),
        http: Arc::new(real.http.clone()),
        credential: Arc::new(credential),
    };
    lists(&real, &access).await;
}
