//! The ways out of this process: HTTP clients by certificates and proxy, SSH settings.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;

use crate::{Error, listing, listing::RemoteRef, remote::Remote, task};

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
    clients: Arc<Mutex<HashMap<http_client::Options, reqwest::Client>>>,
    /// For what is beside Git's own protocol.
    pool: http_client::Pool,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Network {
    /// The way out with these settings.
    pub fn new(options: Options) -> Self {
        let pool = http_client::Pool::new(&options.user_agent);
        Self { options: Arc::new(options), clients: Arc::default(), pool }
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

    pub(crate) fn pool(&self) -> &http_client::Pool {
        &self.pool
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The HTTP client for a remote. Clients are told apart by everything that is part of a
    /// connection, so no two parties share one that carries a certificate.
    pub(crate) fn http(&self, remote: &Remote) -> Result<reqwest::Client, Error> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(&remote.http) {
            return Ok(client.clone());
        }
        let builder = reqwest::Client::builder()
            .user_agent(&self.options.user_agent)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none());
        let builder = remote.http.configure(builder);
        let builder = builder.map_err(|why| Error::Config(why.to_string()))?;
        let client = builder.build().map_err(|_| {
            Error::Config("the client certificate and its key cannot be used".to_owned())
        })?;
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        clients.insert(remote.http.clone(), client.clone());
        Ok(client)
    }
}
