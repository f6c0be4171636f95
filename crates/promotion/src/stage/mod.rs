//! Stages: what each runs, what comes next, and whose turn it is.

pub(crate) mod config;
pub(crate) mod neighbour;
pub(crate) mod report;
mod see;
pub(crate) mod state;

use std::{collections::BTreeMap, sync::Arc};

use api::{
    meta::{LocalObjectReference, Status as _},
    promotion::{self as v1, Bundle, BundleSpec, Pipeline, Promotion, PromotionSpec, Stage},
    reason,
    source::GitRepository,
};
use controller::{Host, Next, Reconcile, Reference, Report, Stop, Turn, Verdict, Watch};
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, ResourceExt as _,
    api::{ObjectMeta, PostParams},
};
use pipeline::{
    bundle::Bundle as Known,
    choice::{Choice, Upstream, choose},
    stage::{Decision, Facts, New, decide},
    value::{Part, Value},
};

use crate::{
    CONTROLLER, Context,
    branch::{self, Held},
    freeze, ledger, pipe,
    stage::{config::Config, see::Seen},
    store::Stores,
    value,
};

/// How long a stage that is deleted waits for its pull request to be closed.
const LEAVE: SignedDuration = SignedDuration::from_mins(11);

/// Reconciles Stages.
pub struct StageReconciler {
    context: Context,
    stores: Stores,
    host: Host,
}

/// Everything a stage is decided with.
pub(crate) struct View {
    pub(crate) pipe: Arc<Pipeline>,
    pub(crate) config: Config,
    pub(crate) bundles: Vec<Known>,
    pub(crate) choice: Choice,
    pub(crate) freezes: Vec<pipeline::freeze::Freeze>,
}

impl StageReconciler {
    /// A reconciler that reads from the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, stores: Stores::of(host), host: host.clone() }
    }

    fn view(&self, it: &Stage, now: Timestamp) -> Result<View, Stop> {
        let pipe = pipeline(it, &self.stores)?;
        let config = config::read(it, &pipe, &self.context.gates)?;
        neighbour::check(it, &pipe, &self.stores)?;
        let bundles = ledger::bundles_for(it, &self.stores);
        let choice = choose(&config.wants, &bundles, &upstreams(it, &self.stores), now);
        let freezes = freeze::of(it, &self.stores);
        Ok(View { pipe, config, bundles, choice, freezes })
    }

    async fn run(&self, it: &Stage, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.stores.synced().await;
        let now = turn.now();
        let every = pipe::interval(it.spec.interval.as_deref())?;
        let seen = see::branch(self, it, turn, every).await?;
        // Read after the branch was, and the same as before it was.
        let mut view = self.view(it, now)?;
        let attempts = seen.attempts.clone();
        let before = state::read(&it.status.clone().unwrap_or_default());
        let handled = it.status.clone().unwrap_or_default().handled;
        let asked = asked(it, &handled);
        let stopped =
            view.freezes.iter().any(|it| it.is_active(now)) || view.pipe.spec.suspend == Some(true);
        view.config.wants.current = before.current.as_ref().map(|it| it.bundle.clone());
        let facts = Facts {
            now,
            pipeline: &view.pipe.name_any(),
            stage: &it.name_any(),
            auto: view.config.auto,
            stopped,
            replaces: view.config.replaces,
            pick: view.config.wants.pick,
            order: view.config.wants.order,
            on_failure: view.config.on_failure,
            drift: view.config.drift,
            choice: &view.choice,
            bundles: &view.bundles,
            attempts: &attempts,
            branch: seen.branch.clone(),
            edited: seen.edited.clone(),
            hold: asked.hold.clone(),
            resume: asked.resume,
            verify: asked.verify.is_some(),
        };
        let decision = decide(&before, &facts);
        self.act(it, &view, &seen, (&decision, now)).await?;
        let report = report::Report { stage: it, view: &view, seen: &seen, decision, asked, now };
        Ok(report.make(self, turn, every).await)
    }

    /// Makes what was decided on before it is told.
    async fn act(
        &self,
        it: &Stage,
        view: &View,
        seen: &Seen,
        (decision, now): (&Decision, Timestamp),
    ) -> Result<(), Stop> {
        if let (true, Held::New(name, parts)) = (decision.adopted, &seen.held) {
            self.adopt(it, view, (name, parts), now).await?;
        }
        match &decision.create {
            Some(new) => self.start(it, view, new, &decision.state.attempts).await,
            None => Ok(()),
        }
    }

    /// Makes the bundle that was read from the branch.
    async fn adopt(
        &self,
        it: &Stage,
        view: &View,
        (name, parts): (&str, &[Part]),
        now: Timestamp,
    ) -> Result<(), Stop> {
        let by = view.pipe.spec.bundles.as_ref().and_then(|it| it.by.clone());
        let named = parts.iter().find(|part| Some(&part.component) == by.as_ref());
        let version = named.or(parts.first()).map(|part| part.value.version());
        let pipe = view.pipe.name_any();
        let labels = [(v1::PIPELINE.to_owned(), pipe.clone()), (v1::ADOPTED.into(), "true".into())];
        let bundle = Bundle {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: it.namespace(),
                labels: Some(labels.into()),
                annotations: Some([(v1::DISCOVERED_AT.to_owned(), now.to_string())].into()),
                ..ObjectMeta::default()
            },
            spec: BundleSpec {
                pipeline_ref: LocalObjectReference { name: pipe },
                components: parts.iter().map(value::from_part).collect(),
                version: version.filter(|it| !it.is_empty()),
                ..BundleSpec::default()
            },
            status: None,
        };
        let api: Api<Bundle> =
            Api::namespaced(self.context.client.clone(), &it.namespace().unwrap_or_default());
        match api.create(&PostParams::default(), &bundle).await {
            Ok(made) => {
                self.stores.bundles.reached(&made.resource_version().unwrap_or_default()).await;
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(why) => {
                Err(Stop::fail(reason::FAILED, format!("the bundle cannot be made: {why}")))
            }
        }
    }

    /// Makes a promotion; one of this name that is there is adopted.
    async fn start(
        &self,
        it: &Stage,
        view: &View,
        new: &New,
        attempts: &BTreeMap<String, u32>,
    ) -> Result<(), Stop> {
        let gates = view.config.gates.iter().map(|it| it.gate.name.clone());
        let sequence: u32 = attempts.values().sum();
        let mut annotations = BTreeMap::from([(v1::SEQUENCE.to_owned(), sequence.to_string())]);
        if let Some(undone) = &new.rollback_of {
            annotations.insert(v1::ROLLBACK_OF.to_owned(), undone.clone());
        }
        let label = |text: &str| text.chars().take(63).collect::<String>();
        let labels = [
            (v1::PIPELINE.to_owned(), label(&it.spec.pipeline_ref.name)),
            (v1::STAGE.to_owned(), label(&it.name_any())),
            (v1::BUNDLE.to_owned(), label(&new.bundle)),
        ];
        let promotion = Promotion {
            metadata: ObjectMeta {
                name: Some(new.name.clone()),
                namespace: it.namespace(),
                labels: Some(labels.into()),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            spec: PromotionSpec {
                stage: it.name_any(),
                bundle: new.bundle.clone(),
                kind: ledger::kind_word(new.kind),
                reason: Some(new.reason.clone()),
                skip_gates: gates.filter(|_| new.verifies).collect(),
                ..PromotionSpec::default()
            },
            status: None,
        };
        let api: Api<Promotion> =
            Api::namespaced(self.context.client.clone(), &it.namespace().unwrap_or_default());
        match api.create(&PostParams::default(), &promotion).await {
            Ok(made) => {
                // The next turn must know it.
                let version = made.resource_version().unwrap_or_default();
                self.stores.promotions.reached(&version).await;
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(why) => {
                Err(Stop::fail(reason::FAILED, format!("the promotion cannot be made: {why}")))
            }
        }
    }
}

/// The Pipeline of a stage.
pub(crate) fn pipeline(it: &Stage, stores: &Stores) -> Result<Arc<Pipeline>, Stop> {
    let name = &it.spec.pipeline_ref.name;
    let found = stores.pipelines.get(&it.namespace().unwrap_or_default(), name);
    found.ok_or_else(|| Stop::Wait {
        reason: reason::DEPENDENCY_NOT_READY,
        message: format!("Pipeline '{name}' does not exist"),
        next: Next::Idle,
    })
}

/// How the stages stand that feed a stage.
pub(crate) fn upstreams(it: &Stage, stores: &Stores) -> BTreeMap<String, Upstream> {
    let namespace = it.namespace().unwrap_or_default();
    let upstream = |name: &String| {
        let status = stores.stages.get(&namespace, name)?.status.clone().unwrap_or_default();
        let current = status.current.map(|it| it.bundle);
        let healthy_since = status.healthy_since.map(|at| at.0);
        Some((name.clone(), Upstream { current, healthy_since }))
    };
    it.spec.from.iter().filter_map(|it| upstream(&it.stage)).collect()
}

/// The values of every bundle of a pipeline.
pub(crate) fn parts(stores: &Stores, namespace: &str, pipe: &str) -> BTreeMap<String, Vec<Part>> {
    let all = stores.bundles_of(namespace, pipe);
    all.iter().map(|it| (it.name_any(), value::to_parts(&it.spec.components))).collect()
}

/// The form that values of a component have, for those that no bundle knows yet.
pub(crate) fn form(pipe: &Pipeline, stores: &Stores) -> Vec<Part> {
    let own = pipe.namespace().unwrap_or_default();
    let form = |it: &v1::Component| {
        let policy = it.image_policy_ref.as_ref()?;
        let namespace = policy.namespace.clone().unwrap_or_else(|| own.clone());
        let policy = stores.policies.get(&namespace, &policy.name)?;
        let latest = policy.status.as_ref()?.latest_ref.clone()?;
        let value = Value::Image { name: latest.name, tag: latest.tag, digest: latest.digest };
        Some(Part { component: it.name.clone(), value })
    };
    pipe.spec.components.iter().filter_map(form).collect()
}

/// What people asked for by annotations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) hold: Option<(String, String)>,
    pub(crate) resume: bool,
    /// The annotation that asks to verify what runs, until that was begun.
    pub(crate) verify: Option<String>,
    /// The annotations as they are acted upon now.
    pub(crate) handled: BTreeMap<String, String>,
}

fn asked(it: &Stage, handled: &BTreeMap<String, String>) -> Asked {
    let all = it.annotations();
    let fresh = |key: &str| all.get(key).filter(|value| handled.get(key) != Some(value));
    let known = [v1::RESUME_AT, v1::HOLD];
    let now = known.iter().filter_map(|key| Some(((*key).to_owned(), all.get(*key)?.clone())));
    Asked {
        hold: fresh(v1::HOLD)
            .filter(|text| !text.is_empty())
            .map(|text| (format!("annotation {}", v1::HOLD), text.clone())),
        resume: fresh(v1::RESUME_AT).is_some(),
        verify: fresh(v1::VERIFY_AT).filter(|text| !text.is_empty()).cloned(),
        handled: now.collect(),
    }
}

impl Reconcile for StageReconciler {
    type Resource = Stage;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Stage, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        match self.run(it, turn).await {
            Err(Stop::Stall { reason, message }) => {
                let mut status = it.status.clone().unwrap_or_default();
                status.phase = Some("Stalled".to_owned());
                Ok(Report::new(status, Verdict::Stall { reason, message }))
            }
            other => other,
        }
    }

    async fn finalize(&self, it: &Stage, turn: &mut Turn) -> Result<(), Stop> {
        self.stores.synced().await;
        let all = self.stores.promotions_of(&it.namespace().unwrap_or_default(), &it.name_any());
        let open = all.iter().find(|it| {
            let it = ledger::attempt(it);
            it.requested && it.written.is_none() && !it.phase.is_terminal()
        });
        let since = it.metadata.deletion_timestamp.as_ref();
        let deadline = since.and_then(|at| at.0.checked_add(LEAVE).ok());
        match open {
            // Its pull request is closed first, which needs to know how.
            Some(open) if deadline.is_none_or(|end| end > turn.now()) => Err(Stop::Wait {
                reason: reason::PROGRESSING,
                message: format!("the pull request of {} is being closed", open.name_any()),
                next: Next::Park { wake_on: Vec::new(), deadline },
            }),
            _ => {
                self.context.meters.gone(it);
                Ok(())
            }
        }
    }

    fn references(&self, it: &Stage) -> Vec<Reference> {
        let own = it.namespace().unwrap_or_default();
        let mut all = vec![Reference::object::<Stage>(own.clone(), it.name_any())];
        all.extend(
            it.spec.from.iter().map(|it| Reference::object::<Stage>(own.clone(), &it.stage)),
        );
        all.push(pipe::pipeline_of(it));
        all.push(Reference::all::<v1::Freeze>(""));
        all
    }

    fn watches(&self) -> Vec<Watch> {
        let (stages, pipelines) = (self.stores.stages.clone(), self.stores.pipelines.clone());
        let writes_to = move |it: &GitRepository, stage: &Stage| {
            let namespace = stage.namespace().unwrap_or_default();
            let pipe = pipelines.get(&namespace, &stage.spec.pipeline_ref.name);
            let key = pipe.and_then(|pipe| branch::repository_key(stage, &pipe));
            key == Some((it.namespace().unwrap_or_default(), it.name_any()))
        };
        vec![
            Watch::on::<Stage>(report::matters),
            Watch::on::<Pipeline>(Watch::generation_changed),
            Watch::cluster::<v1::Freeze>(Watch::generation_changed),
            Watch::via::<GitRepository>(move |before, after| {
                let moved = after.filter(|_| pipe::git_moved(before, after));
                let Some(moved) = moved else { return Vec::new() };
                let all = stages.all();
                let own = all.iter().filter(|it| writes_to(moved, it));
                own.map(|it| {
                    Reference::object::<Stage>(it.namespace().unwrap_or_default(), it.name_any())
                })
                .collect()
            }),
            Watch::via::<Bundle>(|before, after| {
                let news = |it: Option<&Bundle>| {
                    let status = it.and_then(|it| it.status.clone()).unwrap_or_default();
                    let available = status.condition(ledger::AVAILABLE).map(|it| it.status.clone());
                    // One that comes once more says so.
                    let at = it.and_then(|it| it.annotations().get(v1::DISCOVERED_AT).cloned());
                    (it.map(|it| it.spec.clone()), available, at)
                };
                let changed = news(before) != news(after);
                let own = before.or(after).filter(|_| changed);
                own.map(|it| {
                    let namespace = it.namespace().unwrap_or_default();
                    Reference::object::<Pipeline>(namespace, &it.spec.pipeline_ref.name)
                })
                .into_iter()
                .collect()
            }),
            Watch::via::<Promotion>(|before, after| {
                let shown = |it: Option<&Promotion>| {
                    let gates = it.and_then(|it| it.status.as_ref()).map(|it| it.gates.iter());
                    let gates = gates.into_iter().flatten();
                    let gates: Vec<_> = gates.map(|it| (it.state, it.message.clone())).collect();
                    (it.map(ledger::attempt), gates)
                };
                let changed = shown(before) != shown(after);
                let own = before.or(after).filter(|_| changed);
                own.map(|it| {
                    Reference::object::<Stage>(it.namespace().unwrap_or_default(), &it.spec.stage)
                })
                .into_iter()
                .collect()
            }),
            Watch::followed(),
        ]
    }
}
