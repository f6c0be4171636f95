//! Pipelines: what components have, and when it makes a bundle.

use std::{sync::Arc, time::Duration};

use api::{
    image::ImagePolicy,
    meta::{READY, Status as _, time},
    promotion::{
        self as v1, Bundle, BundleComponent, BundleCreation, BundleSpec, Candidate, GraphNode,
        LatestBundle, Pipeline, PipelineStatus, Stage,
    },
    reason,
    source::{GitRepository, HelmChart, OciRepository},
};
use controller::{Event, Host, Next, Reconcile, Reference, Report, Stop, Turn, Watch};
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use pipeline::{
    creation::{self, Found, Making, New, Rules, When},
    value::Part,
};
use serde_json::json;

use crate::{
    CONTROLLER, Context, chart, component::Finder, freeze::span, keep, ledger, store::Stores,
    template, value,
};

/// How long no component may have changed, unless the Pipeline says it.
const SETTLE: SignedDuration = SignedDuration::from_mins(2);
/// Time between two runs that nothing else asked for.
pub(crate) const INTERVAL: Duration = Duration::from_mins(5);

/// When registries were asked last.
#[derive(Debug, Clone, Default)]
struct Asked(Option<Timestamp>);

/// Reconciles Pipelines.
pub struct PipelineReconciler {
    context: Context,
    stores: Stores,
}

impl PipelineReconciler {
    /// A reconciler that reads from the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, stores: Stores::of(host) }
    }

    async fn make(
        &self,
        it: &Pipeline,
        (new, described): (&New, &[BundleComponent]),
        at: Timestamp,
    ) -> Result<(), Stop> {
        let namespace = it.namespace().unwrap_or_default();
        let bundle = bundle(it, (new, described), at);
        let api: Api<Bundle> = Api::namespaced(self.context.client.clone(), &namespace);
        match api.create(&PostParams::default(), &bundle).await {
            Ok(made) => {
                self.stores.bundles.reached(&made.resource_version().unwrap_or_default()).await;
                Ok(())
            }
            // The same content is there: it was read from a branch, or made by a run that was cut off.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.renew(&namespace, &new.name, at).await
            }
            Err(why) => {
                Err(Stop::fail(reason::FAILED, format!("the bundle cannot be made: {why}")))
            }
        }
    }

    /// A bundle that is there counts as the newest from now on.
    async fn renew(&self, namespace: &str, name: &str, at: Timestamp) -> Result<(), Stop> {
        let api: Api<Bundle> = Api::namespaced(self.context.client.clone(), namespace);
        let patch = json!({"metadata": {
            "labels": {v1::ADOPTED: null},
            "annotations": {v1::DISCOVERED_AT: at.to_string(), v1::RENEWED: "true"},
        }});
        let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        let patched = patched.map_err(|why| Stop::fail(reason::FAILED, why))?;
        self.stores.bundles.reached(&patched.resource_version().unwrap_or_default()).await;
        Ok(())
    }

    fn graph(&self, it: &Pipeline) -> Vec<GraphNode> {
        let own = it.name_any();
        let all = self.stores.stages.in_namespace(&it.namespace().unwrap_or_default());
        let node = |it: &Arc<Stage>| {
            let status = it.status.clone().unwrap_or_default();
            let current = status.current.unwrap_or_default();
            GraphNode {
                stage: it.name_any(),
                from: it.spec.from.iter().map(|it| it.stage.clone()).collect(),
                bundle: Some(current.bundle).filter(|it| !it.is_empty()),
                version: current.version,
                phase: status.phase,
            }
        };
        all.iter().filter(|it| it.spec.pipeline_ref.name == own).map(node).collect()
    }
}

/// Refuses what of a pipeline's `git` would be ignored.
///
/// # Errors
/// A stall that names it.
pub(crate) fn refuse_git(it: &Pipeline) -> Result<(), Stop> {
    let Some(git) = &it.spec.git else { return Ok(()) };
    let push = git.push.clone().unwrap_or_default();
    let elsewhere =
        push.branch.is_some_and(|it| !it.is_empty() && Some(&it) != git.branch.as_ref());
    let template = git.commit.message_template.as_deref().filter(|it| !it.is_empty());
    if let Some(why) = template.and_then(|text| template::check(text).err()) {
        return Err(Stop::stall(reason::INVALID_POLICY, why));
    }
    let what = [
        (
            elsewhere,
            "git.push.branch is another one than git.branch, which is what runs: let stages propose \
             their commits (push.mode: PullRequest), or write to the branch that Flux follows \
             (git.branch)",
        ),
        (
            push.refspec.is_some_and(|it| !it.is_empty()),
            "git.push.refspec is not supported: a promotion writes to one branch",
        ),
    ];
    match what.into_iter().find(|(is, _)| *is) {
        None => Ok(()),
        Some((_, what)) => Err(Stop::stall(reason::NOT_IMPLEMENTED, what)),
    }
}

fn bundle(it: &Pipeline, (new, described): (&New, &[BundleComponent]), at: Timestamp) -> Bundle {
    let pipe = it.name_any();
    let component = |part: &Part| {
        let known = described.iter().find(|it| value::to_part(it).as_ref() == Some(part));
        known.cloned().unwrap_or_else(|| value::from_part(part))
    };
    let components = new.parts.iter().map(component).collect();
    let spec = BundleSpec {
        pipeline_ref: api::meta::LocalObjectReference { name: pipe.clone() },
        components,
        version: Some(new.version.clone()).filter(|it| !it.is_empty()),
        previous: new.previous.clone(),
        rejections: Vec::new(),
    };
    let metadata = ObjectMeta {
        name: Some(new.name.clone()),
        namespace: it.namespace(),
        labels: Some([(v1::PIPELINE.to_owned(), pipe)].into()),
        annotations: Some([(v1::DISCOVERED_AT.to_owned(), at.to_string())].into()),
        ..ObjectMeta::default()
    };
    Bundle { metadata, spec, status: None }
}

/// A time after which no bundle was seen yet.
fn after(known: &[pipeline::bundle::Bundle], now: Timestamp) -> Timestamp {
    let last = known.iter().map(|it| it.discovered).max();
    let next = last.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
    next.map_or(now, |next| next.max(now))
}

fn rules(it: &Pipeline) -> Result<Rules, Stop> {
    let bundles = it.spec.bundles.clone().unwrap_or_default();
    let stalled = |why: String| Stop::stall(reason::INVALID_POLICY, why);
    let when = bundles.when.as_deref().map(When::parse).transpose();
    Ok(Rules {
        settle: match bundles.settle.as_deref() {
            Some(text) => span(text).map_err(stalled)?,
            None => SETTLE,
        },
        when: when.map_err(|why| stalled(why.to_string()))?,
        order: ledger::order(&it.spec),
        by: bundles.by.clone(),
        allow_regress: bundles.allow_regress.unwrap_or(false),
    })
}

fn candidates(found: &[Found], described: &[BundleComponent], making: &Making) -> Vec<Candidate> {
    let waits = match making {
        Making::Wait { reason, .. } => Some(reason.clone()),
        Making::Make(_) | Making::Current(_) | Making::Again(_) => None,
    };
    let candidate = |it: &Found| {
        // One that may not be used yet is remembered, with the time since when it is there.
        let value = described.iter().find(|value| value.name == it.component).cloned();
        let since = it.since.filter(|_| value.is_some()).map(time);
        let own = it.value.as_ref().err().cloned();
        Candidate {
            component: it.component.clone(),
            eligible: own.is_none(),
            value,
            since,
            reason: own.or_else(|| waits.clone()),
        }
    };
    found.iter().map(candidate).collect()
}

/// Whether registries are asked again for what tags stand for.
fn afresh(turn: &mut Turn, every: Duration) -> bool {
    let (now, requested) = (turn.now(), turn.is_requested());
    let last = turn.memo::<Asked>();
    let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
    let due = last.0.is_none_or(|at| at.saturating_add(every).is_ok_and(|end| end <= now));
    if due || requested {
        last.0 = Some(now);
    }
    due || requested
}

/// The time between two runs of an object.
pub(crate) fn interval(text: Option<&str>) -> Result<Duration, Stop> {
    match text {
        None => Ok(INTERVAL),
        Some(text) => api::duration::parse(text)
            .map_err(|why| Stop::stall(reason::INVALID_SOURCE_CONFIGURATION, why)),
    }
}

/// Runs again when something changes, at `until`, or after an interval.
pub(crate) fn park(
    wake_on: Vec<Reference>,
    until: Option<Timestamp>,
    every: Duration,
    now: Timestamp,
) -> Next {
    let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
    let latest = now.saturating_add(every).unwrap_or(Timestamp::MAX);
    Next::Park { wake_on, deadline: Some(until.map_or(latest, |at| at.min(latest))) }
}

impl Reconcile for PipelineReconciler {
    type Resource = Pipeline;
    const CONTROLLER: &'static str = CONTROLLER;

    async fn turn(&self, it: &Pipeline, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        self.stores.synced().await;
        let (now, namespace, name) =
            (turn.now(), it.namespace().unwrap_or_default(), it.name_any());
        let every = interval(it.spec.interval.as_deref())?;
        let rules = rules(it)?;
        refuse_git(it)?;
        let afresh = afresh(turn, every);
        let finder = Finder { context: &self.context, stores: &self.stores, pipe: it, now, afresh };
        let (found, described) = finder.all().await?;
        let known = ledger::bundles(&self.stores, &namespace, &name);
        let mut making = creation::decide(&name, &found, &rules, &known, now);
        let by_hand = it.spec.bundles.as_ref().and_then(|it| it.create);
        if by_hand == Some(BundleCreation::Manual) && !matches!(making, Making::Current(_)) {
            let reason = "bundles are made by people (bundles.create: Manual)".to_owned();
            making = Making::Wait { reason, until: None };
        }
        let mut events = Vec::new();
        let (message, until) = match &making {
            Making::Make(new) => {
                self.make(it, (new, &described), after(&known, now)).await?;
                let text = format!("made bundle {} ({})", new.name, new.version);
                events.push(Event::info(reason::BUNDLE_CREATED, text));
                (format!("bundle {} is the newest", new.name), None)
            }
            Making::Again(name) => {
                self.renew(&namespace, name, after(&known, now)).await?;
                (format!("bundle {name} is the newest once more"), None)
            }
            Making::Current(name) => (format!("bundle {name} is the newest"), None),
            Making::Wait { reason, until } => (format!("no new bundle: {reason}"), *until),
        };
        let newest = ledger::bundles(&self.stores, &namespace, &name);
        let newest = rules.order.newest(newest.iter().filter(|it| !it.adopted));
        let status = PipelineStatus {
            candidate: candidates(&found, &described, &making),
            latest_bundle: newest
                .map(|it| LatestBundle { name: it.name.clone(), version: it.version.clone() }),
            graph: self.graph(it),
            next_change: until.map(time),
            ..it.status.clone().unwrap_or_default()
        };
        if afresh {
            if let Err(why) = chart::sweep(it, false, (&self.context.client, &self.stores)).await {
                tracing::debug!(why, "what is not needed any more cannot be deleted");
            }
            keep::collect(it, (&self.context.client, &self.stores), now).await;
        }
        let next = park(Vec::new(), until, every, now);
        let mut report = Report::ready(status, message, next);
        report.events = events;
        Ok(report)
    }

    async fn finalize(&self, it: &Pipeline, _: &mut Turn) -> Result<(), Stop> {
        self.stores.synced().await;
        let swept = chart::sweep(it, true, (&self.context.client, &self.stores)).await;
        swept.map_err(|why| Stop::fail(reason::FAILED, why))
    }

    fn references(&self, it: &Pipeline) -> Vec<Reference> {
        let own = it.namespace().unwrap_or_default();
        let mut all = vec![Reference::object::<Pipeline>(own.clone(), it.name_any())];
        for component in &it.spec.components {
            let at = |namespace: &Option<String>| {
                namespace.clone().filter(|it| !it.is_empty()).unwrap_or_else(|| own.clone())
            };
            if let Some(it) = &component.image_policy_ref {
                all.push(Reference::object::<ImagePolicy>(at(&it.namespace), &it.name));
            }
            if let Some(it) = &component.oci_ref {
                all.push(Reference::object::<OciRepository>(at(&it.namespace), &it.name));
            }
            if let Some((namespace, name)) = chart::place(it, component) {
                let kind = component.chart.as_ref().map(|it| it.source_ref.kind.as_str());
                all.push(match kind {
                    Some("OCIRepository") => Reference::object::<OciRepository>(namespace, name),
                    _ => Reference::object::<HelmChart>(namespace, name),
                });
            }
            if let Some(it) = &component.git_ref {
                all.push(Reference::object::<GitRepository>(at(&it.namespace), &it.name));
            }
        }
        all
    }

    fn watches(&self) -> Vec<Watch> {
        let latest =
            |it: Option<&ImagePolicy>| it.and_then(|it| it.status.as_ref()?.latest_ref.clone());
        vec![
            Watch::on::<ImagePolicy>(move |before, after| latest(before) != latest(after)),
            Watch::on::<GitRepository>(git_moved),
            Watch::on::<HelmChart>(|before, after| {
                let shown = |it: Option<&HelmChart>| {
                    let status = it.and_then(|it| it.status.clone()).unwrap_or_default();
                    let ready = status.condition(READY).map(|it| it.message.clone());
                    let digest = status.artifact.map(|it| it.digest);
                    (digest, ready, status.observed_generation)
                };
                shown(before) != shown(after)
            }),
            Watch::on::<OciRepository>(|before, after| {
                let revision = |it: Option<&OciRepository>| {
                    it.and_then(|it| Some(it.status.as_ref()?.artifact.as_ref()?.revision.clone()))
                };
                revision(before) != revision(after)
            }),
            Watch::via::<Stage>(|before, after| {
                let shown = |it: Option<&Stage>| {
                    let status = it.and_then(|it| it.status.clone()).unwrap_or_default();
                    (
                        status.phase,
                        status.current.map(|it| it.bundle),
                        it.map(|it| it.spec.from.clone()),
                    )
                };
                let changed = shown(before) != shown(after);
                let stages = before.into_iter().chain(after).filter(|_| changed);
                stages.map(pipeline_of).collect()
            }),
        ]
    }
}

/// The Pipeline of a stage.
pub(crate) fn pipeline_of(it: &Stage) -> Reference {
    Reference::object::<Pipeline>(it.namespace().unwrap_or_default(), &it.spec.pipeline_ref.name)
}

/// Whether the spec of a repository or its commit changed.
pub(crate) fn git_moved(before: Option<&GitRepository>, after: Option<&GitRepository>) -> bool {
    let revision = |it: Option<&GitRepository>| {
        it.and_then(|it| Some(it.status.as_ref()?.artifact.as_ref()?.revision.clone()))
    };
    revision(before) != revision(after) || Watch::generation_changed(before, after)
}
