//! Pipelines: what components have, and when it makes a bundle.

use std::{sync::Arc, time::Duration};

use api::{
    image::ImagePolicy,
    meta::time,
    promotion::{
        self as v1, Bundle, BundleCreation, BundleSpec, Candidate, Component, GraphNode,
        LatestBundle, Pipeline, PipelineStatus, Stage,
    },
    reason,
    source::{GitRepository, OciRepository},
};
use controller::{Event, Host, Next, Reconcile, Reference, Report, Stop, Turn, Watch};
use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use pipeline::{
    creation::{self, Found, Making, New, Rules, When},
    value::{Part, Value},
};
use serde_json::json;

use crate::{CONTROLLER, Context, freeze::span, ledger, store::Stores, value};

/// How long no component may have changed, unless the Pipeline says it.
const SETTLE: SignedDuration = SignedDuration::from_mins(2);
/// Time between two runs that nothing else asked for.
pub(crate) const INTERVAL: Duration = Duration::from_mins(5);

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

    fn found(&self, it: &Pipeline, now: Timestamp) -> Result<Vec<Found>, Stop> {
        let status = it.status.clone().unwrap_or_default();
        let mut all = Vec::with_capacity(it.spec.components.len());
        for component in &it.spec.components {
            let value = self.value(it, component)?;
            let known = status.candidate.iter().find(|it| it.component == component.name);
            let before = known.and_then(|it| Some((it.value.as_ref()?, it.since.as_ref()?.0)));
            let same = |old: &v1::BundleComponent| {
                let part = value.as_ref().ok().cloned();
                value::to_part(old).map(|it| it.value) == part
            };
            let since = before.filter(|(old, _)| same(old)).map_or(now, |(_, since)| since);
            all.push(aged(component, value, since, now)?);
        }
        Ok(all)
    }

    /// What a component has now, or why it has nothing.
    fn value(&self, it: &Pipeline, component: &Component) -> Result<Result<Value, String>, Stop> {
        let own = it.namespace().unwrap_or_default();
        refuse_unsupported(component)?;
        if let Some(policy) = &component.image_policy_ref {
            let namespace = self.allowed(policy.namespace.as_ref(), &own, component)?;
            return Ok(image(self.stores.policies.get(&namespace, &policy.name), &policy.name));
        }
        if let Some(oci) = &component.oci_ref {
            let namespace = self.allowed(oci.namespace.as_ref(), &own, component)?;
            return Ok(artifact(self.stores.artifacts.get(&namespace, &oci.name), &oci.name));
        }
        let git = component.git_ref.clone().unwrap_or_default();
        let namespace = self.allowed(git.namespace.as_ref(), &own, component)?;
        Ok(commit(self.stores.repositories.get(&namespace, &git.name), &git.name))
    }

    fn allowed(&self, to: Option<&String>, own: &str, it: &Component) -> Result<String, Stop> {
        let to = to.filter(|to| !to.is_empty()).map_or(own, String::as_str);
        if self.context.options.no_cross_namespace_refs && to != own {
            let text =
                format!("component '{}': cross-namespace references have been blocked", it.name);
            return Err(Stop::stall(reason::ACCESS_DENIED, text));
        }
        Ok(to.to_owned())
    }

    async fn make(&self, it: &Pipeline, new: &New, now: Timestamp) -> Result<(), Stop> {
        let namespace = it.namespace().unwrap_or_default();
        let bundle = bundle(it, new, now);
        let api: Api<Bundle> = Api::namespaced(self.context.client.clone(), &namespace);
        match api.create(&PostParams::default(), &bundle).await {
            Ok(made) => {
                self.stores.bundles.reached(&made.resource_version().unwrap_or_default()).await;
                Ok(())
            }
            // The same content is there: it was read from a branch, or made by a run that was cut off.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.renew(&namespace, &new.name, now).await
            }
            Err(why) => {
                Err(Stop::fail(reason::FAILED, format!("the bundle cannot be made: {why}")))
            }
        }
    }

    /// A bundle that is there counts as the newest from now on.
    async fn renew(&self, namespace: &str, name: &str, now: Timestamp) -> Result<(), Stop> {
        let api: Api<Bundle> = Api::namespaced(self.context.client.clone(), namespace);
        let patch = json!({"metadata": {
            "labels": {v1::ADOPTED: null},
            "annotations": {v1::DISCOVERED_AT: now.to_string()},
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

fn refuse_unsupported(it: &Component) -> Result<(), Stop> {
    let require = it.require.clone().unwrap_or_default();
    let paths =
        it.git_ref.as_ref().is_some_and(|it| !it.paths.is_empty() || !it.ignore_paths.is_empty());
    let what = [
        (it.chart.is_some(), "chart"),
        (it.stage_ref.is_some(), "stageRef"),
        (paths, "gitRef.paths"),
        (require.verify.is_some(), "require.verify"),
        (!require.platforms.is_empty(), "require.platforms"),
    ];
    match what.into_iter().find(|(is, _)| *is) {
        None => Ok(()),
        Some((_, what)) => Err(Stop::stall(
            reason::NOT_IMPLEMENTED,
            format!("component '{}': {what} is not supported yet", it.name),
        )),
    }
}

/// A value that may have to wait until it is old enough.
fn aged(
    it: &Component,
    value: Result<Value, String>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Found, Stop> {
    let least = it.require.as_ref().and_then(|it| it.min_age.as_deref());
    let least = least.map(span).transpose();
    let least = least.map_err(|why| Stop::stall(reason::INVALID_POLICY, why))?;
    let old = least.map(|least| since.saturating_add(least).unwrap_or(Timestamp::MAX));
    let young = old.filter(|old| *old > now);
    let value = match (value, young) {
        (Ok(_), Some(old)) => Err(format!("younger than minAge until {old}")),
        (value, _) => value,
    };
    Ok(Found { component: it.name.clone(), value, since: Some(since), eligible_at: young })
}

fn image(policy: Option<Arc<ImagePolicy>>, name: &str) -> Result<Value, String> {
    let policy = policy.ok_or_else(|| format!("ImagePolicy '{name}' does not exist"))?;
    let latest = policy.status.as_ref().and_then(|it| it.latest_ref.clone());
    let latest = latest.ok_or_else(|| format!("ImagePolicy '{name}' has chosen no image yet"))?;
    let digest = latest.digest.filter(|it| !it.is_empty()).ok_or_else(|| {
        format!(
            "ImagePolicy '{name}' reflects no digest; set its digestReflectionPolicy to IfNotPresent \
             or Always"
        )
    })?;
    Ok(Value::Image { name: latest.name, tag: latest.tag, digest: Some(digest) })
}

fn artifact(source: Option<Arc<OciRepository>>, name: &str) -> Result<Value, String> {
    let source = source.ok_or_else(|| format!("OCIRepository '{name}' does not exist"))?;
    let artifact = source.status.as_ref().and_then(|it| it.artifact.clone());
    let artifact = artifact.ok_or_else(|| format!("OCIRepository '{name}' has no artifact yet"))?;
    let (tag, digest) = match artifact.revision.split_once('@') {
        Some((tag, digest)) => (Some(tag.to_owned()), digest.to_owned()),
        None => (None, artifact.revision.clone()),
    };
    Ok(Value::Oci { url: source.spec.url.clone(), tag, digest })
}

fn commit(source: Option<Arc<GitRepository>>, name: &str) -> Result<Value, String> {
    let source = source.ok_or_else(|| format!("GitRepository '{name}' does not exist"))?;
    let artifact = source.status.as_ref().and_then(|it| it.artifact.clone());
    let artifact = artifact.ok_or_else(|| format!("GitRepository '{name}' has no artifact yet"))?;
    let id = crate::deploy::commit_of(&artifact.revision);
    let id = id.ok_or_else(|| format!("GitRepository '{name}' has no commit"))?;
    let is_tag =
        source.spec.reference.as_ref().is_some_and(|it| it.tag.is_some() || it.semver.is_some());
    let tag = artifact.revision.split_once('@').map(|(tag, _)| tag.to_owned());
    Ok(Value::Git {
        url: source.spec.url.clone(),
        tag: tag.filter(|_| is_tag),
        commit: id.to_string(),
    })
}

fn bundle(it: &Pipeline, new: &New, now: Timestamp) -> Bundle {
    let pipe = it.name_any();
    let components = new.parts.iter().map(value::from_part).collect();
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
        annotations: Some([(v1::DISCOVERED_AT.to_owned(), now.to_string())].into()),
        ..ObjectMeta::default()
    };
    Bundle { metadata, spec, status: None }
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

fn candidates(found: &[Found], making: &Making) -> Vec<Candidate> {
    let waits = match making {
        Making::Wait { reason, .. } => Some(reason.clone()),
        Making::Make(_) | Making::Current(_) | Making::Again(_) => None,
    };
    let candidate = |it: &Found| {
        let value = it.value.as_ref().ok().map(|value| {
            value::from_part(&Part { component: it.component.clone(), value: value.clone() })
        });
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
        let found = self.found(it, now)?;
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
                self.make(it, new, now).await?;
                let text = format!("made bundle {} ({})", new.name, new.version);
                events.push(Event::info(reason::BUNDLE_CREATED, text));
                (format!("bundle {} is the newest", new.name), None)
            }
            Making::Again(name) => {
                self.renew(&namespace, name, now).await?;
                (format!("bundle {name} is the newest once more"), None)
            }
            Making::Current(name) => (format!("bundle {name} is the newest"), None),
            Making::Wait { reason, until } => (format!("no new bundle: {reason}"), *until),
        };
        let newest = ledger::bundles(&self.stores, &namespace, &name);
        let newest = rules.order.newest(newest.iter().filter(|it| !it.adopted));
        let status = PipelineStatus {
            candidate: candidates(&found, &making),
            latest_bundle: newest
                .map(|it| LatestBundle { name: it.name.clone(), version: it.version.clone() }),
            graph: self.graph(it),
            next_change: until.map(time),
            ..it.status.clone().unwrap_or_default()
        };
        let next = park(Vec::new(), until, every, now);
        let mut report = Report::ready(status, message, next);
        report.events = events;
        Ok(report)
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
