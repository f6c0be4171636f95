//! Where changes are kept so that they outlive the process.

mod disk;

use std::sync::Arc;

pub(crate) use disk::Disk;

use crate::Error;
use crate::store::{Event, State, Trim};

/// An append-only record of events that can be trimmed.
pub(crate) trait Log: Send {
    /// Replays everything that was appended into `state`.
    fn load(&mut self, state: &mut State) -> Result<(), Error>;

    /// Keeps `events`, in order, and forgets what `trim` names: all of it or nothing. When this
    /// returns without an error the events survive a crash of the machine.
    fn append(&mut self, events: &[Arc<Event>], trim: Trim) -> Result<(), Error>;
}
