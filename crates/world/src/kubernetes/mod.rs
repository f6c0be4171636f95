//! A real API server: `etcd`, `kube-apiserver` and, if wanted, `kube-controller-manager`.
//!
//! ```text
//! Server::start ──> etcd ──> kube-apiserver ──> kube-controller-manager (optional)
//!                   all on loopback, state in a temporary folder, killed on drop
//! ```
//!
//! The programs come from `$KUBEBUILDER_ASSETS` or from the cache that the test set-up fills;
//! [`missing`] says what is not there, so that a test can report itself skipped by name.

mod process;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;

use self::process::Process;
use crate::tls::Authority;

/// The version that the cache holds.
pub const VERSION: &str = "v1.34.2";
/// The version of etcd that the cache holds.
pub const ETCD_VERSION: &str = "v3.6.6";

/// The bearer token of an administrator (group `system:masters`).
const ADMIN_TOKEN: &str = "world-admin";

/// How the server runs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether garbage collection, namespace deletion and the workload controllers run as well.
    pub controller_manager: bool,
    /// The controllers that run then; all if none is named.
    pub controllers: Vec<&'static str>,
    /// Further users: token, name and groups.
    pub users: Vec<(String, String, Vec<String>)>,
}

/// A running API server; dropping it ends its processes.
#[derive(Debug)]
#[expect(dead_code, reason = "processes are held so that dropping the server ends them")]
pub struct Server {
    url: String,
    authority: String,
    folder: TempDir,
    // Ended in this order.
    controller_manager: Option<Process>,
    apiserver: Process,
    etcd: Process,
}

/// The programs that a server needs and that are not there, or `None` when all are.
pub fn missing() -> Option<String> {
    let absent: Vec<&str> = ["etcd", "kube-apiserver", "kube-controller-manager"]
        .into_iter()
        .filter(|name| program(name).is_none())
        .collect();
    (!absent.is_empty()).then(|| absent.join(", "))
}

/// The path of one of the programs, or of `kubectl`.
pub fn program(name: &str) -> Option<PathBuf> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let path = Path::new(&assets).join(name);
        if path.exists() {
            return Some(path);
        }
    }
    let folder = if name == "etcd" {
        format!("etcd-{ETCD_VERSION}")
    } else {
        format!("kubernetes-{VERSION}")
    };
    let cached = crate::cache::folder()?.join(folder).join(name);
    cached.exists().then_some(cached)
}

impl Server {
    /// Starts the processes and waits until the API server is ready.
    ///
    /// # Errors
    /// When a program is missing, or does not become ready within a minute; the end of its log is
    /// part of the message.
    pub async fn start(options: Options) -> Result<Self> {
        // A provider that is there already is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let etcd = etcd(folder.path()).await?;
        let authority = Authority::new("world kubernetes")?;
        write_pki(folder.path(), &authority, &options)?;
        let (apiserver, port) = apiserver(folder.path(), &etcd.1).await?;
        let url = format!("https://127.0.0.1:{port}");
        let mut server = Self {
            url,
            authority: authority.pem().to_owned(),
            folder,
            controller_manager: None,
            apiserver,
            etcd: etcd.0,
        };
        std::fs::write(server.kubeconfig_path(), server.kubeconfig(ADMIN_TOKEN))?;
        if options.controller_manager {
            server.controller_manager = Some(controller_manager(&server, &options.controllers)?);
        }
        Ok(server)
    }

    /// The address of the API server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of its authority (PEM).
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A kubeconfig (JSON) for the bearer of `token`.
    pub fn kubeconfig(&self, token: &str) -> String {
        use base64::Engine as _;
        let authority = base64::engine::general_purpose::STANDARD.encode(&self.authority);
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "world",
            "clusters": [{"name": "world", "cluster": {
                "server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": "world", "user": {"token": token}}],
            "contexts": [{"name": "world", "context": {
                "cluster": "world", "user": "world", "namespace": "default"}}],
        })
        .to_string()
    }

    /// A file with the administrator's kubeconfig.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }
}

async fn etcd(folder: &Path) -> Result<(Process, String)> {
    let (client, peer) = (free_port()?, free_port()?);
    let url = format!("http://127.0.0.1:{client}");
    let peer = format!("http://127.0.0.1:{peer}");
    let process = Process::start(
        &required("etcd")?,
        &folder.join("etcd.log"),
        &[
            format!("--data-dir={}", folder.join("etcd").display()),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // A test's objects need not survive the machine.
            "--unsafe-no-fsync".to_owned(),
        ],
    )?;
    process.wait_until_ready(&format!("{url}/health"), None).await?;
    Ok((process, url))
}

fn write_pki(folder: &Path, authority: &Authority, options: &Options) -> Result<()> {
    let identity = authority.server(&["localhost", "127.0.0.1", "kubernetes.default.svc"])?;
    std::fs::write(folder.join("tls.crt"), &identity.certificate)?;
    std::fs::write(folder.join("tls.key"), &identity.key)?;
    std::fs::write(folder.join("ca.crt"), authority.pem())?;
    let accounts = rcgen::KeyPair::generate()?;
    std::fs::write(folder.join("accounts.key"), accounts.serialize_pem())?;
    std::fs::write(folder.join("accounts.pub"), accounts.public_key_pem())?;
    let admin = (ADMIN_TOKEN.to_owned(), "admin".to_owned(), vec!["system:masters".to_owned()]);
    let rows: Vec<String> = std::iter::once(&admin)
        .chain(&options.users)
        .map(|(token, user, groups)| format!("{token},{user},{user},\"{}\"\n", groups.join(",")))
        .collect();
    std::fs::write(folder.join("tokens.csv"), rows.concat())?;
    Ok(())
}

async fn apiserver(folder: &Path, etcd: &str) -> Result<(Process, u16)> {
    let port = free_port()?;
    let file = |name: &str| folder.join(name).display().to_string();
    let process = Process::start(
        &required("kube-apiserver")?,
        &folder.join("kube-apiserver.log"),
        &[
            format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("tls.crt")),
            format!("--tls-private-key-file={}", file("tls.key")),
            format!("--token-auth-file={}", file("tokens.csv")),
            format!("--service-account-key-file={}", file("accounts.pub")),
            format!("--service-account-signing-key-file={}", file("accounts.key")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            // No pod runs here, so none needs a token mounted.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ],
    )?;
    let url = format!("https://127.0.0.1:{port}/readyz");
    process.wait_until_ready(&url, Some(ADMIN_TOKEN)).await?;
    Ok((process, port))
}

fn controller_manager(server: &Server, controllers: &[&str]) -> Result<Process> {
    let folder = server.folder.path();
    let controllers = if controllers.is_empty() { "*".to_owned() } else { controllers.join(",") };
    Process::start(
        &required("kube-controller-manager")?,
        &folder.join("kube-controller-manager.log"),
        &[
            format!("--kubeconfig={}", server.kubeconfig_path().display()),
            format!("--service-account-private-key-file={}", folder.join("accounts.key").display()),
            format!("--root-ca-file={}", folder.join("ca.crt").display()),
            format!("--controllers={controllers}"),
            "--leader-elect=false".to_owned(),
            format!("--secure-port={}", free_port()?),
            format!("--cert-dir={}", folder.join("controller-manager").display()),
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
            "--concurrent-deployment-syncs=20".to_owned(),
        ],
    )
}

fn required(name: &str) -> Result<PathBuf> {
    program(name).with_context(|| {
        format!("{name} is not there; `cargo xtask setup` builds it, or set KUBEBUILDER_ASSETS")
    })
}

/// How long a process may take to become ready.
const STARTING: Duration = Duration::from_mins(1);

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[allow(clippy::print_stdout, reason = "a skipped test says so")]
    async fn serves_kubernetes() {
        if let Some(missing) = missing() {
            println!("kubernetes: skipped: {missing} not built (cargo xtask setup)");
            return;
        }
        let server = Server::start(Options::default()).await.unwrap();
        let authority = reqwest::Certificate::from_pem(server.authority().as_bytes()).unwrap();
        let client = reqwest::Client::builder().add_root_certificate(authority).build().unwrap();
        let get =
            |path: &str| client.get(format!("{}{path}", server.url())).bearer_auth("world-admin");
        let version: serde_json::Value =
            get("/version").send().await.unwrap().json().await.unwrap();
        assert_eq!(version["gitVersion"], VERSION);
        let stranger = client.get(format!("{}/api/v1/secrets", server.url())).send().await.unwrap();
        assert_eq!(stranger.status(), 403);
    }
}
