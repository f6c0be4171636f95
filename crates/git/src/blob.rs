//! Contents of a snapshot, read one after the other on a thread of one's own.

use gix::objs::Find as _;

use crate::{Error, Id, Snapshot};

/// Reads contents. Opening and reading wait for the disk.
pub struct Blobs {
    snapshot: Snapshot,
    repository: gix::Repository,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// A reader of its contents.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub fn blobs(&self) -> Result<Blobs, Error> {
        let mut repository = self.repository()?;
        // Nobody reads a content twice.
        repository.objects.unset_object_cache();
        Ok(Blobs { repository, snapshot: self.clone() })
    }
}

impl Blobs {
    pub(crate) fn repository(&self) -> &gix::Repository {
        &self.repository
    }

    /// The bytes of a content, however many the limits of the mirror admit.
    ///
    /// # Errors
    /// The mirror is damaged, or the object larger than an object may be.
    pub fn read(&self, id: Id) -> Result<Vec<u8>, Error> {
        let damaged = || self.snapshot.generation.damaged(id);
        let mut buffer = Vec::new();
        let found = self.repository.objects.try_find(&id.raw(), &mut buffer);
        found.map_err(|_| damaged())?.ok_or_else(damaged)?;
        Ok(buffer)
    }
}
