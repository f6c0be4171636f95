//! An action on its way: what is kept of it between two turns.

use std::collections::{BTreeMap, VecDeque};

use api::helm::Snapshot;
use apply::Entry;
use helm::release::Algorithm;
use jiff::Timestamp;

use self::Stage::{Apply, Crds, Established, Finish, Prepare, Settle};
use super::super::log::Log;
use super::super::spec::Deed;
use super::hook::Hooks;

/// What was asked for when an action began: another spec, chart or values supersede it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Basis {
    pub(in super::super) generation: Option<i64>,
    pub(in super::super) artifact: String,
    pub(in super::super) values: String,
}

/// A part of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Stage {
    /// The chart's CRDs are applied.
    Crds,
    /// They are served.
    Established,
    /// What shall be is found out, and recorded.
    Prepare,
    /// Hooks of an event run.
    Hooks(&'static str),
    /// The cluster is changed.
    Apply,
    /// The objects are ready, or gone.
    Settle,
    /// The end is recorded.
    Finish,
}

/// An action on its way.
#[derive(Debug, Clone)]
pub(in super::super) struct Work {
    pub(in super::super) deed: Deed,
    /// A failure is taken back by it.
    pub(in super::super) remedies: bool,
    pub(in super::super) basis: Basis,
    /// Name of the release, as Helm has it.
    pub(in super::super) name: String,
    pub(super) stages: VecDeque<Stage>,
    /// The revision it makes, or is about; 0 before there is one.
    pub(super) version: i64,
    /// The revision it starts from, or goes back to.
    pub(super) from: i64,
    pub(in super::super) target: i64,
    pub(in super::super) started: Timestamp,
    /// Since when the stage waits.
    pub(super) since: Option<Timestamp>,
    pub(super) hooks: Hooks,
    pub(super) created: Vec<Entry>,
    /// What the stage waits for.
    pub(super) waits: Vec<Entry>,
    /// Answers of the API server in a row that were none.
    pub(super) unanswered: u32,
    /// What went wrong, but did not end it.
    pub(super) problems: Vec<String>,
    pub(in super::super) log: Log,
    /// The revisions as they were recorded.
    pub(in super::super) observed: BTreeMap<i64, Snapshot>,
    /// The digests of the artifacts that revisions came as: the record does not say it.
    pub(super) digests: BTreeMap<i64, String>,
    /// How revisions are hashed.
    pub(super) algorithm: Algorithm,
    /// That of the revision to be made.
    pub(super) oci_digest: Option<String>,
}

/// What an action begins with.
pub(in super::super) struct Start<'a> {
    /// Name of the release, as Helm has it.
    pub(in super::super) name: String,
    pub(in super::super) basis: Basis,
    pub(in super::super) now: Timestamp,
    pub(in super::super) history: &'a [Snapshot],
    /// Digest of the artifact that the chart came as.
    pub(in super::super) oci_digest: Option<String>,
    /// How revisions are hashed.
    pub(in super::super) algorithm: Algorithm,
}

impl Work {
    /// An action that begins.
    pub(in super::super) fn begin(deed: Deed, start: Start<'_>) -> Self {
        let Start { name, basis, now, history, oci_digest, algorithm } = start;
        let digests = history.iter().filter_map(|it| Some((it.version, it.oci_digest.clone()?)));
        let around = |before, after| {
            [Prepare, Stage::Hooks(before), Apply, Settle, Stage::Hooks(after), Finish]
        };
        let stages: VecDeque<Stage> = match deed {
            Deed::Install => {
                let first = [Crds, Established].into_iter();
                first.chain(around("pre-install", "post-install")).collect()
            }
            Deed::Upgrade => {
                let first = [Crds, Established].into_iter();
                first.chain(around("pre-upgrade", "post-upgrade")).collect()
            }
            Deed::RollBack => around("pre-rollback", "post-rollback").into(),
            Deed::Uninstall => around("pre-delete", "post-delete").into(),
            Deed::Test => [Prepare, Stage::Hooks("test"), Finish].into(),
        };
        Self {
            deed,
            remedies: deed == Deed::RollBack,
            digests: digests.collect(),
            oci_digest,
            algorithm,
            basis,
            name,
            stages,
            version: 0,
            from: 0,
            target: 0,
            started: now,
            since: None,
            hooks: Hooks::default(),
            created: Vec::new(),
            waits: Vec::new(),
            unanswered: 0,
            problems: Vec::new(),
            log: Log::default(),
            observed: BTreeMap::new(),
        }
    }

    /// Whether it makes a revision of its own.
    pub(super) fn makes(&self) -> bool {
        matches!(self.deed, Deed::Install | Deed::Upgrade | Deed::RollBack)
    }

    /// Whether something of it is recorded.
    pub(in super::super) fn is_recorded(&self) -> bool {
        !self.observed.is_empty()
    }
}
