//! The ways out of this process: HTTP clients by certificates and proxy, SSH settings.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::{
    Error, listing,
    listing::RemoteRef,
    remote::{Remote, Tls},
    task,
};

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(20);
/// How many HTTP clients are kept; each holds its connections open for the next operation.
const CLIENTS: usize = 64;

/// Settings of the process for all repositories.
#[derive(Clone, Debug)]
pub struct Options {
    /// What servers are told we are; some ask for a name that begins with `git/`.
    pub user_agent: String,
    /// Key exchange algorithms offered over SSH, best first; empty for the library's own.
    pub kex_algorithms: Vec<String>,
    /// Host key algorithms offered over SSH, best first; empty to follow `known_hosts`.
    pub host_key_algorithms: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: "git/sluice".to_owned(),
            kex_algorithms: Vec::new(),
            host_key_algorithms: Vec::new(),
        }
    }
}

/// Connections to Git servers; clones share them.
#[derive(Clone)]
pub struct Network {
    options: Arc<Options>,
    clients: Arc<Mutex<HashMap<[u8; 32], reqwest::Client>>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Network {
    /// The way out with these settings.
    pub fn new(options: Options) -> Self {
        Self { options: Arc::new(options), clients: Arc::default() }
    }

    /// Lists the references whose full names start with one of `prefixes` (all when empty), without
    /// fetching anything. An empty repository has an empty list.
    ///
    /// # Errors
    /// As for every operation; wrapped in [`Error::List`].
    pub async fn ls_remote(
        &self,
        remote: &Remote,
        prefixes: &[&str],
    ) -> Result<Vec<RemoteRef>, Error> {
        let (network, remote) = (self.clone(), remote.shared());
        let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        let url = remote.address.to_string();
        task::run(remote.timeout, move |task| listing::list(task, &network, &remote, &prefixes))
            .await
            .map_err(|cause| Error::List { url, cause: Box::new(cause) })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The HTTP client for a remote. Clients are told apart by everything that is part of a
    /// connection, so no two parties share one that carries a certificate.
    pub(crate) fn http(&self, remote: &Remote) -> Result<reqwest::Client, Error> {
        let key = fingerprint(remote);
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = configure(remote, &self.options.user_agent)?;
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }
}

fn fingerprint(remote: &Remote) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |part: Option<&[u8]>| {
        let part = part.unwrap_or_default();
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(remote.tls.ca.as_deref());
    add(remote.tls.client.as_ref().map(|(certificate, _)| certificate.as_slice()));
    add(remote.tls.client.as_ref().map(|(_, key)| key.as_slice()));
    let proxy = remote.proxy.as_ref();
    add(proxy.map(|proxy| proxy.address.as_bytes()));
    add(proxy.and_then(|proxy| proxy.username.as_deref()).map(str::as_bytes));
    add(proxy.and_then(|proxy| proxy.password.as_deref()).map(str::as_bytes));
    hash.finalize().into()
}

fn configure(remote: &Remote, user_agent: &str) -> Result<reqwest::Client, Error> {
    let authorities = authorities(&remote.tls)?;
    let mut builder = plain(remote, user_agent)?;
    if !authorities.is_empty() {
        builder = builder.tls_certs_merge(authorities.clone());
    }
    builder.build().or_else(|_| {
        // A bare container has no system roots; it can still speak plain HTTP, and HTTPS with servers
        // whose authority is given.
        let builder = plain(remote, user_agent)?.tls_certs_only(authorities);
        let wrong = |_| Error::Config("the HTTP client cannot be set up".to_owned());
        builder.build().map_err(wrong)
    })
}

fn authorities(tls: &Tls) -> Result<Vec<reqwest::Certificate>, Error> {
    let Some(pem) = &tls.ca else { return Ok(Vec::new()) };
    let wrong = || Error::Config("the certificate authority is not a PEM certificate".to_owned());
    let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| wrong())?;
    if found.is_empty() { Err(wrong()) } else { Ok(found) }
}

/// Everything but authorities.
fn plain(remote: &Remote, user_agent: &str) -> Result<reqwest::ClientBuilder, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none());
    if let Some((certificate, key)) = &remote.tls.client {
        let pem = [certificate.as_slice(), b"\n", key.as_slice()].concat();
        let wrong = |_| Error::Config("the client certificate and its key cannot be used".into());
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(wrong)?);
    }
    if let Some(proxy) = &remote.proxy {
        let wrong = || Error::Config("the proxy's address cannot be used".to_owned());
        let scheme = proxy.address.split_once("://").map_or("", |(scheme, _)| scheme);
        if !matches!(scheme, "http" | "https" | "socks5" | "socks5h") {
            return Err(wrong());
        }
        // Names are resolved by the SOCKS server, as in Go.
        let address = match proxy.address.strip_prefix("socks5://") {
            Some(rest) => format!("socks5h://{rest}"),
            None => proxy.address.clone(),
        };
        let mut way = reqwest::Proxy::all(&address).map_err(|_| wrong())?;
        if let Some(username) = &proxy.username {
            way = way.basic_auth(username, proxy.password.as_deref().unwrap_or_default());
        }
        builder = builder.proxy(way);
    }
    Ok(builder)
}
