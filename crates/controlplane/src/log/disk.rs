//! The log as a redb database: one record per revision, trimmed like a multi-version store.
//!
//! A record is dropped when the event that superseded it is too old for a watch, so the file holds the
//! current objects plus exactly the history that watchers may ask for.

use std::io::ErrorKind::InvalidData;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
};

use super::Log;
use crate::Error;
use crate::store::{Event, Object, State, Trim};

/// revision → (resource, path, JSON); an empty JSON text records a deletion.
const RECORDS: TableDefinition<u64, (&str, &str, &[u8])> = TableDefinition::new("records");
/// resource → the newest revision whose event is forgotten.
const FLOORS: TableDefinition<&str, u64> = TableDefinition::new("floors");

/// How much of the file is kept in memory. Reads never go to the file, so little helps.
const CACHE_BYTES: usize = 4 << 20;

/// The size from which on the file is compacted at a start if most of it is free.
const COMPACT_FROM: u64 = 4 << 20;

/// A log in one file; the file is locked as long as this lives.
pub(crate) struct Disk {
    path: PathBuf,
    /// Absent after a failed write until it could be opened again.
    database: Option<Database>,
    /// What failed transactions should have forgotten.
    owed: Trim,
}

impl Disk {
    /// Opens or creates the log in `folder`.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::DataDir { path: folder.to_owned(), why: e.to_string() })?;
        let path = folder.join("state.redb");
        let database = guarded(&path, || {
            let mut database = open(&path)?;
            compact(&path, &mut database);
            Ok(database)
        })?;
        Ok(Self { path, database: Some(database), owed: Trim::default() })
    }

    fn database(&mut self) -> Result<&Database, Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        Ok(self.database.insert(database))
    }
}

impl Log for Disk {
    fn load(&mut self, state: &mut State) -> Result<(), Error> {
        let path = self.path.clone();
        let loaded = guarded(&path, || self.read(state));
        loaded.map_err(|error| match error {
            // What can be opened and not be read is damaged.
            Error::Log(why) => Error::Damaged { path, why },
            other => other,
        })
    }

    fn append(&mut self, events: &[Arc<Event>], trim: Trim) -> Result<(), Error> {
        self.owed.records.extend(trim.records);
        self.owed.floors.extend(trim.floors);
        let owed = std::mem::take(&mut self.owed);
        let written = self.database().and_then(|db| write(db, events, &owed).map_err(broken));
        if written.is_err() {
            // After an I/O error redb refuses further work until the file is opened again.
            self.database = None;
            self.owed = owed;
        }
        written
    }
}

impl Disk {
    fn read(&mut self, state: &mut State) -> Result<(), Error> {
        let database = self.database()?;
        let read = database.begin_read().map_err(broken)?;
        let Ok(records) = read.open_table(RECORDS) else { return Ok(()) };
        if let Ok(floors) = read.open_table(FLOORS) {
            for entry in floors.iter().map_err(broken)? {
                let (resource, floor) = entry.map_err(broken)?;
                state.forget(&Arc::from(resource.value()), floor.value());
            }
        }
        for entry in records.iter().map_err(broken)? {
            let (revision, record) = entry.map_err(broken)?;
            let (resource, path, json) = record.value();
            replay(state, revision.value(), (resource, path), json)?;
        }
        Ok(())
    }
}

/// Runs what reads a file that may be damaged in ways that redb does not expect.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Error::Damaged {
            path: path.to_owned(),
            why: "its parts do not fit together".to_owned(),
        })
    })
}

fn open(path: &Path) -> Result<Database, Error> {
    redb::Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(|error| {
        let (path, why) = (path.to_owned(), error.to_string());
        match error {
            DatabaseError::DatabaseAlreadyOpen => Error::DataDirInUse(path),
            DatabaseError::Storage(StorageError::Io(error)) if error.kind() != InvalidData => {
                Error::DataDir { path, why }
            }
            _ => Error::Damaged { path, why },
        }
    })
}

/// Gives back the space of what was forgotten, if it is much. That this does not work harms nothing.
fn compact(path: &Path, database: &mut Database) {
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    let used = database.begin_write().and_then(|transaction| Ok(transaction.stats()?));
    let used = used.map_or(size, |stats| stats.stored_bytes() + stats.metadata_bytes());
    if size > COMPACT_FROM && used < size / 2 {
        match database.compact() {
            Ok(_) => tracing::debug!(size, used, "the state log was compacted"),
            Err(error) => tracing::debug!(%error, "the state log could not be compacted"),
        }
    }
}

fn replay(
    state: &mut State,
    revision: u64,
    (resource, path): (&str, &str),
    json: &[u8],
) -> Result<(), Error> {
    let previous = state.get(resource, path).cloned();
    let deleted = json.is_empty();
    let object = if deleted {
        previous.as_ref().map(|p| Arc::new(p.at(revision)))
    } else {
        let object = Object::parse(json.to_vec().into(), revision)
            .ok_or_else(|| Error::Log(format!("record {revision} is not an object")))?;
        Some(Arc::new(object))
    };
    if let Some(object) = object {
        let (resource, path) = (resource.into(), path.into());
        state.apply(&Arc::new(Event { revision, resource, path, object, previous, deleted }));
    }
    Ok(())
}

fn write(database: &Database, events: &[Arc<Event>], trim: &Trim) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut records = transaction.open_table(RECORDS)?;
        for event in events {
            let json: &[u8] = if event.deleted { &[] } else { event.object.json() };
            records.insert(event.revision, (&*event.resource, &*event.path, json))?;
        }
        for revision in &trim.records {
            records.remove(revision)?;
        }
        if !trim.floors.is_empty() {
            let mut floors = transaction.open_table(FLOORS)?;
            for (resource, floor) in &trim.floors {
                floors.insert(&**resource, floor)?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn broken(error: impl Into<redb::Error>) -> Error {
    Error::Log(error.into().to_string())
}
