//! Clients, one for each set of options.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Client, Error, Guard, Options};

/// More sets of options than this are not kept; the one unused longest goes first. Each holds its
/// own copy of the system's certificate authorities.
const CAPACITY: usize = 128;

/// Hands out clients; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pool(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    user_agent: String,
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    by_options: HashMap<Options, (Client, u64)>,
    uses: u64,
}

impl Pool {
    /// A pool whose clients call themselves `user_agent`.
    pub fn new(user_agent: &str) -> Self {
        let user_agent = user_agent.to_owned();
        Self(Arc::new(Inner { user_agent, clients: Mutex::default() }))
    }

    /// The client for `options`, new or known.
    ///
    /// # Errors
    /// [`Error::Options`] when a PEM text, a key that does not fit its certificate or a proxy
    /// address cannot be used.
    pub fn client(&self, options: &Options) -> Result<Client, Error> {
        let mut clients = self.0.clients.lock();
        clients.uses += 1;
        let now = clients.uses;
        if let Some((client, used)) = clients.by_options.get_mut(options) {
            *used = now;
            return Ok(client.clone());
        }
        let client = Client::new(options, &self.0.user_agent)?;
        if clients.by_options.len() >= CAPACITY {
            let oldest = clients.by_options.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(options, _)| options.clone()) {
                clients.by_options.remove(&oldest);
            }
        }
        clients.by_options.insert(options.clone(), (client.clone(), now));
        Ok(client)
    }

    /// A client for requests that tenants word: `guard` decides where they may go, redirects included.
    /// It has connections of its own and asks servers directly, whatever proxy there is.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    pub fn guarded(&self, options: &Options, guard: &Guard) -> Result<Client, Error> {
        let options = Options { proxy: crate::Proxy::Direct, ..options.clone() };
        Client::guarded(&options, &self.0.user_agent, guard)
    }
}
