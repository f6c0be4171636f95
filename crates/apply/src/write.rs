//! Writing what a comparison found.

use crate::compare::Step;
use crate::error::Attempt;
use crate::{Action, Change, Cluster, Comparison, Error, Id};

/// What was written of a stage.
#[derive(Debug, Default)]
pub struct Written {
    /// What was done, object by object, up to the error.
    pub changes: Vec<Change>,
    /// An object that was deleted and must be gone before it can be created anew: the stage is to
    /// be compared again then.
    pub going: Option<Id>,
    /// Why it ended early.
    pub error: Option<Error>,
}

impl Cluster {
    /// Writes what differs, one object after the other, and stops at the first that fails.
    pub async fn write(&self, comparison: Comparison) -> Written {
        let mut written = Written::default();
        for step in comparison.steps {
            match self.take(&step).await {
                Ok(true) => written.changes.push(step.change),
                Ok(false) => {
                    written.going.get_or_insert(step.change.entry.id);
                }
                Err(error) => {
                    written.error = Some(error);
                    break;
                }
            }
        }
        written
    }

    /// Takes a step; says whether it is done.
    async fn take(&self, step: &Step) -> Result<bool, Error> {
        let entry = &step.change.entry;
        let failed = |attempt| move |why| Error::refused(attempt, &entry.id, why);
        if step.recreate {
            let uid = step.live.as_ref().and_then(|live| live["metadata"]["uid"].as_str());
            self.delete(entry, uid).await.map_err(failed(Attempt::Recreate))?;
            if !matches!(self.get(entry).await, Ok(None)) {
                return Ok(false);
            }
        }
        if let Some(patch) = &step.cleanup {
            self.edit(entry, patch).await.map_err(failed(Attempt::Cleanup))?;
        }
        if matches!(step.change.action, Action::Created | Action::Configured) {
            self.patch(&step.object, false).await.map_err(failed(Attempt::Apply))?;
        }
        Ok(true)
    }
}
