//! What revisions that failed have left in the cluster.

use helm::release::{Record, Status};

use super::super::object::{self, Object};
use super::{Bench, Work};

impl Bench<'_> {
    /// Objects that only failed revisions newer than `since` have, that exist and are the release's
    /// own. Helm forgets them when the next revision has none of their names.
    pub(super) async fn left_behind(
        &self,
        work: &Work,
        since: i64,
        known: [&[Object]; 2],
    ) -> Result<Vec<Object>, String> {
        let mut left: Vec<Object> = Vec::new();
        for version in self.storage.with_status(&work.name, Status::Failed).await? {
            let is_other = version > since && version != work.version && version != work.from;
            if !is_other {
                continue;
            }
            let Some(stored) = self.storage.get(&work.name, version).await? else { continue };
            for object in self.own(&stored.record).await? {
                let lists = known.into_iter().chain([&*left]);
                if !lists.flatten().any(|it| it.entry == object.entry) {
                    left.push(object);
                }
            }
        }
        Ok(left)
    }

    /// The objects of a revision that exist and belong to its release.
    async fn own(&self, record: &Record) -> Result<Vec<Object>, String> {
        // A kind that is gone has no objects.
        let built = self.build(record).await.unwrap_or_default();
        let mut own = Vec::new();
        for object in built {
            let live = self.cluster().get(&object.entry).await.map_err(|why| why.to_string())?;
            let is_own = |live| object::ownership(&live, &record.name, &record.namespace).is_ok();
            if live.is_some_and(is_own) {
                own.push(object);
            }
        }
        Ok(own)
    }
}
