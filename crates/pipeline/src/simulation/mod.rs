//! What would happen: stages are decided on again and again, with a clock that jumps from change to
//! change.
//!
//! Deployments and gates that ask the outside take the time they are given and go well, unless an event
//! says otherwise.

mod play;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    bundle::Bundle,
    choice::Wants,
    freeze::Freeze,
    gate::Gate,
    promotion::Phase,
    stage::{Drift, OnFailure},
    value::Part,
};

pub use play::play;

/// A stage and its rules.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Name of its pipeline.
    pub pipeline: String,
    /// What it takes; its name is in it, and what it runs at the start.
    pub wants: Wants,
    /// Whether promotions start without a person.
    pub auto: bool,
    /// Whether a newer bundle takes the place of one that waits.
    pub replaces: bool,
    /// What happens after a failure.
    pub on_failure: OnFailure,
    /// What a person's commit means.
    pub drift: Drift,
    /// What must pass before something is written.
    pub gates: Vec<Gate>,
    /// What must pass after it is deployed.
    pub verify: Vec<Gate>,
    /// How long it must stay healthy.
    pub bake: SignedDuration,
    /// How long a deployment may take.
    pub timeout: SignedDuration,
    /// The brakes that select it.
    pub freezes: Vec<Freeze>,
    /// Its labels, which expressions see.
    pub labels: BTreeMap<String, String>,
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The stages.
    pub stages: Vec<Stage>,
    /// The bundles that are there at the start, with their pipeline.
    pub bundles: Vec<(String, Bundle)>,
    /// The values of bundles, which expressions see.
    pub parts: BTreeMap<String, Vec<Part>>,
    /// What happens, in any order.
    pub events: Vec<Event>,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// How long it takes until a commit runs.
    pub deploy: SignedDuration,
    /// How long a gate that asks the outside takes.
    pub outside: SignedDuration,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// New values make a bundle of a pipeline.
    Bundle {
        /// Name of the pipeline.
        pipeline: String,
        /// Name of the bundle.
        name: String,
        /// Its version.
        version: String,
    },
    /// Somebody asks for a promotion.
    Promote {
        /// Name of the stage.
        stage: String,
        /// Name or version of the bundle; the candidate if absent.
        bundle: Option<String>,
        /// Who.
        by: String,
    },
    /// Somebody approves what waits in a stage.
    Approve {
        /// Name of the stage.
        stage: String,
        /// Who.
        by: String,
        /// In the name of which group.
        group: Option<String>,
    },
    /// Somebody rejects what waits in a stage.
    Reject {
        /// Name of the stage.
        stage: String,
        /// Who.
        by: String,
    },
    /// Somebody holds a stage.
    Hold {
        /// Name of the stage.
        stage: String,
        /// Who.
        by: String,
    },
    /// Somebody resumes a stage.
    Resume {
        /// Name of the stage.
        stage: String,
    },
    /// From now on a version does not work in a stage.
    Fails {
        /// Name of the stage.
        stage: String,
        /// Name or version of the bundle.
        bundle: String,
    },
}

/// One thing that would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Name of the stage; empty for a new bundle.
    pub stage: String,
    /// What people call the bundle.
    pub bundle: String,
    /// What happens, in a word or two.
    pub what: String,
    /// Why.
    pub why: String,
}

/// How a stage stands in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Name of the stage.
    pub stage: String,
    /// What people call what it runs.
    pub runs: String,
    /// What would come next, and what it waits for.
    pub next: Option<(String, String)>,
    /// When that can change by itself.
    pub until: Option<Timestamp>,
}

/// What would happen, and how it stands then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    /// What happens, in its order.
    pub entries: Vec<Entry>,
    /// How the stages stand in the end.
    pub standings: Vec<Standing>,
    /// Whether it was ended because there was no end to it.
    pub cut: bool,
}

/// The word for a phase that people read.
fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "waits for its turn",
        Phase::Gating => "starts",
        Phase::Writing => "gates pass",
        Phase::Proposed => "proposed",
        Phase::Deploying => "committed",
        Phase::Verifying => "deployed",
        Phase::Succeeded => "verified",
        Phase::Failed => "failed",
        Phase::Rejected => "rejected",
        Phase::Superseded => "superseded",
        Phase::Aborted => "aborted",
    }
}
