//! What a stage's spec says, for those who decide without a cluster: simulations and checks of files.

use std::sync::Arc;

use api::promotion::{Freeze, Pipeline, Stage};
use controller::Stop;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use pipeline::{
    choice::Wants,
    freeze,
    gate::{Answer, Gate, Kind},
    stage::{Drift, OnFailure},
};

use crate::{
    gate::{Adapter, Asked, Gates, Named},
    stage::config,
};

/// A stage's spec in the words of decisions.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What it takes.
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
}

/// Why a stage would stall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The reason of its condition.
    pub reason: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Reads a stage's spec as the controllers do.
///
/// # Errors
/// What they would stall with.
pub fn rules(stage: &Stage, pipe: &Pipeline) -> Result<Rules, Refused> {
    let config = config::read(stage, pipe, &any()).map_err(|stop| match stop {
        Stop::Stall { reason, message } => Refused { reason, message },
        _ => Refused { reason: api::reason::FAILED, message: "it cannot be read".to_owned() },
    })?;
    let gates = |all: Vec<Named>| all.into_iter().map(|it| it.gate).collect();
    Ok(Rules {
        wants: config.wants,
        auto: config.auto,
        replaces: config.replaces,
        on_failure: config.on_failure,
        drift: config.drift,
        gates: gates(config.gates),
        verify: gates(config.verify),
        bake: config.bake,
        timeout: config.timeout,
    })
}

/// A freeze in the words of decisions.
pub fn freeze_rules(it: &Freeze) -> freeze::Freeze {
    crate::freeze::to_engine(it)
}

/// Adapters for every type of gates, of which none asks anybody.
fn any() -> Gates {
    let kinds = [Kind::CommitStatus, Kind::Http, Kind::Metric, Kind::Job];
    Gates::new(kinds.into_iter().map(|kind| Arc::new(Silent(kind)) as Arc<dyn Adapter>).collect())
}

struct Silent(Kind);

impl Adapter for Silent {
    fn kind(&self) -> Kind {
        self.0
    }

    fn ask<'a>(&'a self, _: &'a Asked) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::default() })
    }
}
