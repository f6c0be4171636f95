//! What all requests work on.

use std::sync::{Arc, Weak};

use crate::access::Access;
use crate::account::{self, Key};
use crate::admission::{Admission, Webhooks};
use crate::catalog::{Catalog, DEFINITIONS};
use crate::store::Store;
use crate::user::{Logins, User};

/// The store and what is served from it.
pub(crate) struct Api {
    /// All objects.
    pub(crate) store: Store,
    /// All resources.
    pub(crate) catalog: Catalog,
    /// Who may do what.
    pub(crate) access: Access,
    /// What else is asked about writes.
    pub(crate) admission: Admission,
    /// Who else changes and judges writes.
    pub(crate) webhooks: Webhooks,
    /// Who has which token.
    pub(crate) logins: Logins,
    /// What signs tokens of `ServiceAccounts`.
    pub(crate) key: Key,
    me: Weak<Self>,
}

impl Api {
    /// Serves from `store`.
    pub(crate) fn new(store: Store, logins: Logins, key: Key) -> Arc<Self> {
        let catalog = Catalog::new(&store);
        let api = Arc::new_cyclic(|me| Self {
            store,
            catalog,
            access: Access::new(),
            admission: Admission::new(),
            webhooks: Webhooks::new(),
            logins,
            key,
            me: me.clone(),
        });
        let me = api.me();
        api.store.follow(move |store| {
            if let Some(api) = me.upgrade() {
                api.follow_up(store);
            }
        });
        api
    }

    /// Itself, for what outlives a request.
    pub(crate) fn me(&self) -> Weak<Self> {
        self.me.clone()
    }

    /// Who bears `token`, and for which of `audiences` it is good.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(crate) fn bearer(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<(User, Vec<String>), String> {
        let unknown = "invalid bearer token";
        if let Some(user) = self.logins.find(token) {
            let ours =
                audiences.iter().filter(|a| *a == account::AUDIENCE).cloned().collect::<Vec<_>>();
            return if ours.is_empty() { Err(unknown.to_owned()) } else { Ok((user, ours)) };
        }
        account::review(&self.store, &self.key, token, audiences).map_err(|why| match why {
            None => unknown.to_owned(),
            Some(why) => format!("[{unknown}, {why}]"),
        })
    }

    /// Follows up on a change of an object stored at `store`: changed definitions are served, and
    /// changed rights hold, at once.
    fn follow_up(&self, store: &str) {
        self.access.hear(store);
        self.admission.hear(store);
        self.webhooks.hear(store);
        if store == DEFINITIONS {
            self.catalog.refresh(&self.store);
        }
    }
}
