//! Promotions: one attempt to bring a bundle into a stage.

mod act;
mod facts;
mod render;
mod report;
mod request;
mod tell;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use api::{
    meta::REQUESTED_AT,
    promotion::{
        Bundle, Phase, Pipeline, Promotion, PromotionKind, PromotionStatus, ROLLBACK_OF, Stage,
    },
    source::GitRepository,
};
use controller::{Event, Host, Next, Reconcile, Reference, Report, Stop, Turn, Verdict, Watch};
use kube::ResourceExt as _;
use pipeline::{
    gate::Answer,
    promotion::{self as engine, Action, Deployed, Reason, next},
    request::Pull,
};

use crate::{
    CONTROLLER, Context, REBUILT, branch, guard, ledger,
    pipe::{self, park},
    queue::Queues,
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
    queues: Queues,
}

/// One turn of one promotion: what it is about, and what was found out so far.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) stores: &'a Stores,
    pub(crate) host: &'a Host,
    pub(crate) queues: &'a Queues,
    pub(crate) it: Arc<Promotion>,
    pub(crate) status: PromotionStatus,
    /// What the repository's server told at this moment or later is new enough for this turn.
    pub(crate) since: git::Moment,
    pub(crate) about: Option<About>,
    /// Whether the stage is gone, or about to be.
    pub(crate) stage_gone: bool,
    /// Whether names of users can be believed.
    pub(crate) guarded: bool,
    pub(crate) plan: Option<Result<(), (Reason, String)>>,
    pub(crate) searched: bool,
    /// How the pull request was seen, and what its provider told of it.
    pub(crate) pull: Option<Pull>,
    pub(crate) proposal: Option<forge::PullRequest>,
    pub(crate) deployed: Option<Deployed>,
    pub(crate) answers: BTreeMap<String, Answer>,
    /// The objects that expressions see.
    pub(crate) objects: serde_json::Map<String, serde_json::Value>,
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
        let (stores, queues) = (Stores::of(host), Queues::default());
        Self { context, stores, host: host.clone(), queues }
    }

    fn about(&self, it: &Promotion) -> Result<Option<About>, Stop> {
        let namespace = it.namespace().unwrap_or_default();
        let found = self.stores.stages.get(&namespace, &it.spec.stage);
        let Some(found) = found else { return Ok(None) };
        let leaves = found.metadata.deletion_timestamp.is_some();
        let read = || {
            let pipe = stage::pipeline(&found, &self.stores)?;
            let config = stage::config::read(&found, &pipe, &self.context.gates)?;
            Ok((pipe, config))
        };
        let (pipe, config) = match read() {
            Ok(read) => read,
            // Nothing more is written: what is left of the stage is good enough to end.
            Err(_) if leaves => return Ok(None),
            Err(stop) => return Err(stop),
        };
        let bundle = self.stores.bundles.get(&namespace, &it.spec.bundle);
        Ok(Some(About { stage: found, pipe, bundle, config }))
    }

    /// Whether names of users can be believed, if there are any.
    async fn guarded(&self, it: &Promotion) -> bool {
        let names = it.spec.kind == PromotionKind::Manual || !it.spec.approvals.is_empty();
        !names || self.context.options.unguarded || guard::holds(&self.context.client).await
    }

    async fn begun(&self, it: &Promotion, now: jiff::Timestamp) -> Result<Run<'_>, Stop> {
        let about = self.about(it)?;
        let leaves = |it: &About| it.stage.metadata.deletion_timestamp.is_some();
        let mut run = Run {
            context: &self.context,
            stores: &self.stores,
            host: &self.host,
            queues: &self.queues,
            it: Arc::new(it.clone()),
            status: it.status.clone().unwrap_or_default(),
            since: git::Moment::now(),
            stage_gone: about.as_ref().is_none_or(leaves),
            about,
            guarded: self.guarded(it).await,
            plan: None,
            searched: false,
            pull: None,
            proposal: None,
            deployed: None,
            answers: BTreeMap::new(),
            objects: serde_json::Map::new(),
            events: Vec::new(),
            wake_on: Vec::new(),
        };
        run.begin(now);
        Ok(run)
    }

    async fn run(&self, it: &Promotion, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let mut run = self.begun(it, turn.now()).await?;
        run.read_objects(turn.now()).await;
        let mut waits = None;
        for _ in 0..STEPS {
            turn.check()?;
            match run.step(turn).await? {
                Some(wait) => {
                    waits = Some(run.at_latest(wait, turn.now()));
                    break;
                }
                None if run.is_over() => break,
                None => {}
            }
        }
        run.tell().await;
        Ok(report::make(run, turn, waits))
    }

    /// The promotion that brought back what ran before this one.
    fn undone_by(&self, it: &Promotion) -> Option<String> {
        let name = it.name_any();
        let all = self.stores.promotions_of(&it.namespace().unwrap_or_default(), &it.spec.stage);
        let undoes = |other: &&Arc<Promotion>| {
            other.spec.kind == PromotionKind::Rollback
                && other.annotations().get(ROLLBACK_OF) == Some(&name)
        };
        let newest = all.iter().filter(undoes).max_by_key(|it| ledger::attempt(it).created);
        newest.map(|it| it.name_any())
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
            Action::Look => self.look(now).await?,
            Action::Merge => self.merge(now).await?,
            Action::Close(why) => self.close(&why, now).await?,
            Action::Write if self.by_request() => self.propose(turn).await?,
            Action::Write => match self.write(turn).await? {
                Go::On => None,
                Go::Wait => wait("branch: a commit changed it, which the stage has not seen yet"),
            },
            Action::Wait { until, blocked_by } => Some(Wait { until, blocked_by }),
            Action::Done => wait(""),
        })
    }

    /// When a promotion that waits is looked at again at the latest: nobody else may tell what becomes
    /// of a pull request, or what is said about a commit.
    fn at_latest(&self, wait: Wait, now: jiff::Timestamp) -> Wait {
        let phase = self.status.phase.unwrap_or_default();
        let deploys = matches!(phase, Phase::Deploying | Phase::Verifying);
        let told = self.status.deploy.iter().any(|it| it.target.starts_with("commitStatus/"));
        let poll = match phase {
            Phase::Proposed => request::POLL,
            _ if deploys && told => request::POLL / 2,
            _ => return wait,
        };
        let poll = now.checked_add(poll).ok();
        Wait { until: wait.until.into_iter().chain(poll).min(), ..wait }
    }
}

impl Reconcile for PromotionReconciler {
    type Resource = Promotion;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Promotion, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.stores.synced().await;
        let mut status = it.status.clone().unwrap_or_default();
        if status.phase.unwrap_or_default().is_terminal() {
            // The only thing that is said of it later.
            status.rolled_back_by = self.undone_by(it).or(status.rolled_back_by);
            return Ok(report::ended(status));
        }
        if it.annotations().contains_key(REBUILT) && status.phase.is_none() {
            return Ok(Report::new(status, Verdict::Pending { next: Next::Idle }));
        }
        self.run(it, turn).await
    }

    async fn finalize(&self, it: &Promotion, turn: &mut Turn) -> Result<(), Stop> {
        let status = it.status.clone().unwrap_or_default();
        let asks = status.intent.as_ref().is_some_and(|it| it.branch.is_some());
        if status.phase.unwrap_or_default().is_terminal() || !asks || !status.commits.is_empty() {
            return Ok(());
        }
        self.stores.synced().await;
        let now = turn.now();
        // Nobody would look after its pull request any more. What does not work now is left to people.
        let Ok(mut run) = self.begun(it, now).await else { return Ok(()) };
        if let Ok(None) = run.look(now).await
            && matches!(run.pull, Some(Pull::Open { .. }))
        {
            let _ = run.close("it was deleted", now).await;
        }
        Ok(())
    }

    fn references(&self, it: &Promotion) -> Vec<Reference> {
        let phase = it.status.as_ref().and_then(|it| it.phase).unwrap_or_default();
        let own = it.namespace().unwrap_or_default();
        let itself = Reference::object::<Promotion>(own.clone(), it.name_any());
        if phase.is_terminal() {
            return vec![itself];
        }
        vec![
            itself,
            Reference::object::<Stage>(own.clone(), &it.spec.stage),
            Reference::object::<Bundle>(own, &it.spec.bundle),
            Reference::all::<api::promotion::Freeze>(""),
        ]
    }

    fn watches(&self) -> Vec<Watch> {
        let promotions = self.stores.promotions.clone();
        let (proposed, stages) = (self.stores.promotions.clone(), self.stores.stages.clone());
        let pipelines = self.stores.pipelines.clone();
        let proposes_to = move |it: &GitRepository, promotion: &Promotion| {
            let namespace = promotion.namespace().unwrap_or_default();
            let phase = promotion.status.as_ref().and_then(|it| it.phase);
            let stage = stages.get(&namespace, &promotion.spec.stage);
            let Some(stage) = stage.filter(|_| phase == Some(Phase::Proposed)) else {
                return false;
            };
            let pipe = pipelines.get(&namespace, &stage.spec.pipeline_ref.name);
            let key = pipe.and_then(|pipe| branch::repository_key(&stage, &pipe));
            key == Some((it.namespace().unwrap_or_default(), it.name_any()))
        };
        vec![
            Watch::on::<Stage>(|before, after| {
                let shown = |it: Option<&Stage>| {
                    let status = it.and_then(|it| it.status.clone()).unwrap_or_default();
                    let gone = it.is_none_or(|it| it.metadata.deletion_timestamp.is_some());
                    let current = status.current.map(|it| (it.bundle, it.promotion));
                    let generation = it.and_then(|it| it.metadata.generation);
                    let asked = it.and_then(|it| it.annotations().get(REQUESTED_AT).cloned());
                    let seen = (status.promotion, status.observed_commit, status.healthy_since);
                    (gone, generation, asked, current, status.hold, seen)
                };
                shown(before) != shown(after)
            }),
            Watch::on::<Bundle>(|before, after| {
                let news = |it: Option<&Bundle>| it.map(|it| it.spec.clone());
                news(before) != news(after)
            }),
            Watch::cluster::<api::promotion::Freeze>(Watch::generation_changed),
            // What moved may have been merged.
            Watch::via::<GitRepository>(move |before, after| {
                let moved = after.filter(|_| pipe::git_moved(before, after));
                let Some(moved) = moved else { return Vec::new() };
                let all = proposed.all().into_iter();
                all.filter(|it| proposes_to(moved, it))
                    .map(|it| {
                        let namespace = it.namespace().unwrap_or_default();
                        Reference::object::<Promotion>(namespace, it.name_any())
                    })
                    .collect()
            }),
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
                let undone = moved.annotations().get(ROLLBACK_OF).cloned();
                own.filter(waits)
                    .map(|it| it.name_any())
                    .chain(undone)
                    .map(|name| Reference::object::<Promotion>(namespace.clone(), name))
                    .collect()
            }),
            Watch::followed(),
        ]
    }
}

/// When a promotion that waits runs again.
pub(crate) fn again(run: &Run<'_>, wait: &Wait, now: jiff::Timestamp) -> Next {
    park(run.wake_on.clone(), wait.until.filter(|at| *at > now), pipe::INTERVAL, now)
}

/// The state as the engine has it.
pub(crate) type State = engine::State;
