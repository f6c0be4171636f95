//! A process that dies between two writes.

use std::sync::{Arc, Mutex, PoisonError};

use kube::Client;

/// Lets the controllers write so often, and then nothing more comes through, as if they were gone.
#[derive(Debug, Clone, Default)]
pub struct Fault(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Which requests count: those whose path has this part.
    part: String,
    /// How many writes are left; all, without a number.
    left: Option<usize>,
    /// Whether the last one still comes through.
    lands: bool,
    struck: bool,
}

/// What becomes of a request.
enum Fate {
    Passes,
    /// It comes through, and its answer is lost.
    Lost,
    Refused,
}

impl Fault {
    /// From now on the `nth` write whose path has `part` is the last; whether it still comes through is
    /// up to `lands`, its answer never does.
    pub fn arm(&self, part: &str, nth: usize, lands: bool) {
        *self.state() = State { part: part.to_owned(), left: Some(nth), lands, struck: false };
    }

    /// From now on everything comes through. Whether it struck before.
    pub fn disarm(&self) -> bool {
        std::mem::take(&mut *self.state()).struck
    }

    /// Whether it struck.
    pub fn struck(&self) -> bool {
        self.state().struck
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, is_write: bool, path: &str) -> Fate {
        let mut state = self.state();
        if state.struck {
            return Fate::Refused;
        }
        let Some(left) = state.left.filter(|_| is_write && path.contains(&state.part)) else {
            return Fate::Passes;
        };
        state.left = Some(left.saturating_sub(1));
        if left > 1 {
            return Fate::Passes;
        }
        state.struck = true;
        if state.lands { Fate::Lost } else { Fate::Refused }
    }

    /// The same client, but for what does not come through.
    pub(crate) fn wrap(&self, client: Client) -> Client {
        let fault = self.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (client, fault) = (client.clone(), fault.clone());
            async move {
                let gone = || kube::Error::Service("the process is gone".into());
                let is_write = request.method() != http::Method::GET;
                match fault.fate(is_write, request.uri().path()) {
                    Fate::Passes => client.send(request).await,
                    Fate::Refused => Err(gone()),
                    Fate::Lost => {
                        client.send(request).await?;
                        Err(gone())
                    }
                }
            }
        });
        Client::new(service, "default")
    }
}
