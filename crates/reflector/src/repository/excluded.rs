//! Compiled exclusion lists: most objects have the same one, and use it once a minute.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use policy::Exclusions;

/// How many lists are kept; when there are more, all are compiled anew.
const KEPT: usize = 64;

/// The lists that were compiled before.
#[derive(Default)]
pub(super) struct Excluded {
    lists: Mutex<HashMap<Vec<String>, Arc<Exclusions>>>,
}

impl Excluded {
    /// The exclusions by these patterns.
    pub(super) fn by(&self, patterns: &[String]) -> Result<Arc<Exclusions>, policy::Error> {
        if let Some(known) = self.lists.lock().get(patterns) {
            return Ok(Arc::clone(known));
        }
        let compiled = Arc::new(Exclusions::new(patterns)?);
        let mut lists = self.lists.lock();
        if lists.len() >= KEPT {
            lists.clear();
        }
        lists.insert(patterns.to_vec(), Arc::clone(&compiled));
        Ok(compiled)
    }
}
