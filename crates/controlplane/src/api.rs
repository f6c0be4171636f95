//! What all requests work on.

use crate::catalog::{Catalog, DEFINITIONS};
use crate::store::Store;

/// The store and what is served from it.
pub(crate) struct Api {
    /// All objects.
    pub(crate) store: Store,
    /// All resources.
    pub(crate) catalog: Catalog,
}

impl Api {
    /// Serves from `store`.
    pub(crate) fn new(store: Store) -> Self {
        let catalog = Catalog::new(&store);
        Self { store, catalog }
    }

    /// Follows up on a change of an object stored at `store`: changed definitions are served at once.
    pub(crate) fn after_write(&self, store: &str) {
        if store == DEFINITIONS {
            self.catalog.refresh(&self.store);
        }
    }
}
