//! Promotions: one attempt to bring a bundle into a stage.

mod act;
mod facts;
mod report;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use api::promotion::{Bundle, Phase, Pipeline, Promotion, PromotionKind, PromotionStatus, Stage};
use controller::{Event, Host, Reconcile, Reference, Report, Stop, Turn, Watch};
use kube::ResourceExt as _;
use pipeline::{
    gate::Answer,
    promotion::{self as engine, Action, Deployed, Reason, next},
};

use crate::{
    CONTROLLER, Context, guard, ledger,
    pipe::{self, park},
    stage::{self, config::Config},
    store::Stores,
};

/// How many things one turn does.
const STEPS: usize = 24;

/// Reconciles Promotions.
pub struct PromotionReconciler {
    context: Context,
    stores: Stores,
    host: Host,
}

/// One turn of one promotion: what it is about, and what was found out so far.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) stores: &'a Stores,
    pub(crate) host: &'a Host,
    pub(crate) it: Arc<Promotion>,
    pub(crate) status: PromotionStatus,
    pub(crate) about: Option<About>,
    /// Whether names of users can be believed.
    pub(crate) guarded: bool,
    pub(crate) plan: Option<Result<(), (Reason, String)>>,
    pub(crate) searched: bool,
    pub(crate) deployed: Option<Deployed>,
    pub(crate) answers: BTreeMap<String, Answer>,
    pub(crate) events: Vec<Event>,
    /// What it waits for.
    pub(crate) wake_on: Vec<Reference>,
}

/// What a promotion is about.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) stage: Arc<Stage>,
    pub(crate) pipe: Arc<Pipeline>,
    pub(crate) bundle: Option<Arc<Bundle>>,
    pub(crate) config: Config,
}

/// Whether the turn goes on after something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    /// Until something changes.
    Wait,
}

impl PromotionReconciler {
    /// A reconciler that reads from the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, stores: Stores::of(host), host: host.clone() }
    }

    fn about(&self, it: &Promotion) -> Result<Option<About>, Stop> {
        let namespace = it.namespace().unwrap_or_default();
        let found = self.stores.stages.get(&namespace, &it.spec.stage);
        let Some(found) = found.filter(|it| it.metadata.deletion_timestamp.is_none()) else {
            return Ok(None);
        };
        let pipe = stage::pipeline(&found, &self.stores)?;
        let config = stage::config::read(&found, &pipe, &self.context)?;
        let bundle = self.stores.bundles.get(&namespace, &it.spec.bundle);
        Ok(Some(About { stage: found, pipe, bundle, config }))
    }

    /// Whether names of users can be believed, if there are any.
    async fn guarded(&self, it: &Promotion) -> bool {
        let names = it.spec.kind == PromotionKind::Manual || !it.spec.approvals.is_empty();
        !names || self.context.options.unguarded || guard::holds(&self.context.client).await
    }

    async fn run(&self, it: &Promotion, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut run = Run {
            context: &self.context,
            stores: &self.stores,
            host: &self.host,
            it: Arc::new(it.clone()),
            status: it.status.clone().unwrap_or_default(),
            about: self.about(it)?,
            guarded: self.guarded(it).await,
            plan: None,
            searched: false,
            deployed: None,
            answers: BTreeMap::new(),
            events: Vec::new(),
            wake_on: Vec::new(),
        };
        run.begin(turn.now());
        let mut waits = None;
        for _ in 0..STEPS {
            turn.check()?;
            match run.step(turn).await? {
                Some(wait) => {
                    waits = Some(wait);
                    break;
                }
                None if run.is_over() => break,
                None => {}
            }
        }
        Ok(report::make(run, turn, waits))
    }
}

/// What a turn ends with when there is something left to wait for.
pub(crate) struct Wait {
    pub(crate) until: Option<jiff::Timestamp>,
    pub(crate) blocked_by: String,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.status.phase.unwrap_or_default().is_terminal()
    }

    /// Does the next thing; what is waited for, if there is nothing to do.
    async fn step(&mut self, turn: &mut Turn) -> Result<Option<Wait>, Stop> {
        let now = turn.now();
        let step = facts::with(self, now, |state, facts| next(state, facts));
        if let Some(gates) = &step.gates {
            self.status.gates = gates.iter().map(crate::gate::to_status).collect();
        }
        if let Some(verify) = &step.verify {
            self.status.verify = verify.iter().map(crate::gate::to_status).collect();
        }
        self.status.healthy_since = step.healthy_since.map(api::meta::time);
        let wait = |blocked_by: &str| Some(Wait { until: None, blocked_by: blocked_by.to_owned() });
        Ok(match step.action {
            Action::Enter { phase, reason, message } => {
                self.enter(phase, reason, &message, now);
                None
            }
            Action::Plan => {
                self.make_plan(now).await?;
                None
            }
            Action::Ask(names) => {
                self.ask(&names, now).await?;
                None
            }
            Action::Search => {
                self.search(now).await?;
                None
            }
            Action::Observe => {
                self.observe(now).await?;
                None
            }
            Action::Write => match self.write(turn).await? {
                Go::On => None,
                Go::Wait => wait("branch: a commit changed it, which the stage has not seen yet"),
            },
            Action::Wait { until, blocked_by } => Some(Wait { until, blocked_by }),
            Action::Done => wait(""),
        })
    }
}

impl Reconcile for PromotionReconciler {
    type Resource = Promotion;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Promotion, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.stores.synced().await;
        let status = it.status.clone().unwrap_or_default();
        if status.phase.unwrap_or_default().is_terminal() {
            return Ok(report::ended(status));
        }
        self.run(it, turn).await
    }

    fn references(&self, it: &Promotion) -> Vec<Reference> {
        let phase = it.status.as_ref().and_then(|it| it.phase).unwrap_or_default();
        if phase.is_terminal() {
            return Vec::new();
        }
        let own = it.namespace().unwrap_or_default();
        vec![
            Reference::object::<Promotion>(own.clone(), it.name_any()),
            Reference::object::<Stage>(own.clone(), &it.spec.stage),
            Reference::object::<Bundle>(own, &it.spec.bundle),
            Reference::all::<api::promotion::Freeze>(""),
        ]
    }

    fn watches(&self) -> Vec<Watch> {
        let promotions = self.stores.promotions.clone();
        vec![
            Watch::on::<Stage>(|before, after| {
                let shown = |it: Option<&Stage>| {
                    let status = it.and_then(|it| it.status.clone()).unwrap_or_default();
                    let gone = it.is_none_or(|it| it.metadata.deletion_timestamp.is_some());
                    let current = status.current.map(|it| (it.bundle, it.promotion));
                    let generation = it.and_then(|it| it.metadata.generation);
                    let seen = (status.promotion, status.observed_commit, status.healthy_since);
                    (gone, generation, current, status.hold, seen)
                };
                shown(before) != shown(after)
            }),
            Watch::on::<Bundle>(|before, after| {
                let news = |it: Option<&Bundle>| it.map(|it| it.spec.clone());
                news(before) != news(after)
            }),
            Watch::cluster::<api::promotion::Freeze>(Watch::generation_changed),
            // Another promotion into the stage may take the place of those that wait.
            Watch::via::<Promotion>(move |before, after| {
                let shown = |it: Option<&Promotion>| it.map(|it| ledger::attempt(it).phase);
                let Some(moved) = before.or(after).filter(|_| shown(before) != shown(after)) else {
                    return Vec::new();
                };
                let namespace = moved.namespace().unwrap_or_default();
                let own = promotions.in_namespace(&namespace).into_iter();
                let waits = |it: &Arc<Promotion>| {
                    let phase = it.status.as_ref().and_then(|it| it.phase).unwrap_or_default();
                    it.spec.stage == moved.spec.stage
                        && phase <= Phase::Proposed
                        && it.name_any() != moved.name_any()
                };
                own.filter(waits)
                    .map(|it| Reference::object::<Promotion>(namespace.clone(), it.name_any()))
                    .collect()
            }),
            Watch::followed(),
        ]
    }
}

/// When a promotion that waits runs again.
pub(crate) fn again(run: &Run<'_>, wait: &Wait, now: jiff::Timestamp) -> controller::Next {
    park(run.wake_on.clone(), wait.until.filter(|at| *at > now), pipe::INTERVAL, now)
}

/// The state as the engine has it.
pub(crate) type State = engine::State;
