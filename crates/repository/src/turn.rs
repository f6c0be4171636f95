//! Whose turn it is to write to a branch.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// Turns for writing to a branch, by repository and branch. Cheap to clone; clones share the turns.
#[derive(Debug, Clone, Default)]
pub struct Writers(Arc<Mutex<HashMap<(String, String), Turn>>>);

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Writers {
    /// Waits for the branch; it is free again when the answer is dropped.
    pub async fn turn(&self, repository: String, branch: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock();
            // Those that nobody holds or waits for are made anew when needed.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry((repository, branch.to_owned())).or_default())
        };
        turn.lock_owned().await
    }
}
