//! Deleting what is no longer wanted.

use crate::error::Attempt;
use crate::metadata::texts;
use crate::order::rank;
use crate::{Action, Change, Cluster, Entry, Error, Owner, Refusal, control};

impl Cluster {
    /// Deletes objects that carry the owner's labels, in the reverse of the order in which they
    /// are applied. What is already gone counts as deleted, what belongs to somebody else or must
    /// be kept as skipped.
    ///
    /// Every object is tried. What could not be deleted is not among the changes, so that it stays
    /// in the inventory (upstream forgets it: kustomize-controller#1664).
    pub async fn prune(
        &self,
        mut stale: Vec<Entry>,
        owner: &Owner,
    ) -> (Vec<Change>, Option<Error>) {
        stale.sort_by_cached_key(|entry| rank(&entry.id));
        let (mut changes, mut errors) = (Vec::new(), Vec::new());
        for entry in stale.into_iter().rev() {
            match self.remove(&entry, owner).await {
                Ok(action) => changes.push(Change { entry, action }),
                Err(error) => errors.push(error),
            }
        }
        let error = (!errors.is_empty()).then_some(Error::Prune(errors));
        (changes, error)
    }

    async fn remove(&self, entry: &Entry, owner: &Owner) -> Result<Action, Error> {
        let failed = |attempt| move |why| Error::refused(attempt, &entry.id, why);
        let live = self.get_served(entry).await.map_err(failed(Attempt::Query))?;
        let Some((served, live)) = live else { return Ok(Action::Deleted) };
        let labels = texts(&live, "labels");
        let is_owned = owner.labels().iter().all(|(key, value)| labels.get(key) == Some(value));
        if !is_owned || control::is_kept(&live, &owner.group) {
            return Ok(Action::Skipped);
        }
        let uid = live["metadata"]["uid"].as_str();
        self.delete(&served, uid).await.map_err(failed(Attempt::Delete))?;
        Ok(Action::Deleted)
    }

    /// An object in the version it was applied in or, if that is no longer served, in the one its
    /// group prefers; nothing if it or its kind is gone.
    async fn get_served(
        &self,
        entry: &Entry,
    ) -> Result<Option<(Entry, serde_json::Value)>, Refusal> {
        let found = match self.get(entry).await {
            // No such version or kind: the API server was asked, and does not serve it.
            Err(refusal) if refusal.is_no_match() => {
                let Ok(entry) = self.in_preferred_version(entry.id.clone()).await else {
                    return Ok(None);
                };
                match self.get(&entry).await {
                    Err(refusal) if refusal.is_no_match() => return Ok(None),
                    found => found?.map(|live| (entry, live)),
                }
            }
            found => found?.map(|live| (entry.clone(), live)),
        };
        Ok(found)
    }
}
