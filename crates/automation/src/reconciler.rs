//! One turn of an ImageUpdateAutomation.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use api::{
    image::{ImagePolicy, ImageRef, ImageUpdateAutomation},
    reason,
    source::GitRepository,
};
use controller::{Host, Next, Reconcile, Reference, Report, Stop, Store, Turn, Watch};
use kube::ResourceExt as _;
use setters::Marked;

use crate::{
    Context, act, observe, report,
    source::{self, Source},
};

/// Reconciles ImageUpdateAutomations.
pub struct AutomationReconciler {
    context: Context,
    policies: Store<ImagePolicy>,
    repositories: Store<GitRepository>,
}

impl AutomationReconciler {
    /// A reconciler that reads policies and repositories from the host's shared watches.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, policies: host.store(), repositories: host.store() }
    }

    async fn run(&self, it: &ImageUpdateAutomation, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let next = next(it)?;
        let policies = observe::policies(it, &self.policies)?;
        let source = source::source(it, &self.repositories, &self.context).await?;
        let now = turn.now();
        let told = turn.memo::<Told>().failing == policies.failing;
        if told && self.is_unchanged(it, &source, &policies.chosen).await? {
            return Ok(report::unchanged(it, now, next));
        }
        let done = act::update(it, &source, &policies, &self.context, turn).await?;
        let explanation = explain(turn.memo(), &done.markers, policies.failing);
        let mut report = report::updated(it, now, (done, &source.push, policies.chosen), next);
        report.events.extend(explanation);
        Ok(report)
    }

    /// Whether neither the policies nor the branch have moved since the last run: then one look at
    /// the server's references is enough.
    async fn is_unchanged(
        &self,
        it: &ImageUpdateAutomation,
        source: &Source,
        chosen: &BTreeMap<String, ImageRef>,
    ) -> Result<bool, Stop> {
        let status = it.status.clone().unwrap_or_default();
        let unconfirmed = status.last_push_commit.is_some() && status.last_push_time.is_none();
        let observed = status.observed_policies.unwrap_or_default();
        let elsewhere = source.push.switches || source.push.refspec.is_some();
        let Some(known) = status.observed_source_revision else { return Ok(false) };
        if elsewhere || unconfirmed || observed != *chosen {
            return Ok(false);
        }
        let now = source.reference.observe(self.context.mirrors.network(), &source.remote).await;
        let now = now.map_err(|why| {
            Stop::fail(reason::GIT_OPERATION_FAILED, format!("failed to checkout source: {why}"))
        })?;
        Ok(now == Some(known))
    }
}

impl Reconcile for AutomationReconciler {
    type Resource = ImageUpdateAutomation;
    const CONTROLLER: &'static str = crate::CONTROLLER;
    const ACKNOWLEDGES_SUSPENDED: bool = false;
    /// Policies that follow one repository change one after the other; one commit shall hold all.
    const SETTLE: Duration = Duration::from_millis(100);

    async fn turn(
        &self,
        it: &ImageUpdateAutomation,
        turn: &mut Turn,
    ) -> Result<Report<Self>, Stop> {
        let now = turn.now();
        match self.run(it, turn).await {
            Ok(report) => Ok(report),
            Err(stop) => report::stopped(it, now, stop),
        }
    }

    fn references(&self, it: &ImageUpdateAutomation) -> Vec<Reference> {
        let (namespace, name) = source::repository_key(it);
        vec![
            Reference::object::<GitRepository>(namespace, name),
            Reference::all::<ImagePolicy>(it.namespace().unwrap_or_default()),
        ]
    }

    fn watches(&self) -> Vec<Watch> {
        let latest = |it: Option<&ImagePolicy>| {
            let latest = it.and_then(|it| it.status.as_ref()?.latest_ref.clone());
            (latest, it.is_some_and(observe::is_failing))
        };
        vec![
            Watch::on::<ImagePolicy>(move |before, after| latest(before) != latest(after)),
            Watch::on::<GitRepository>(Watch::generation_changed),
        ]
    }
}

fn next(it: &ImageUpdateAutomation) -> Result<Next, Stop> {
    let every = api::duration::parse(&it.spec.interval)
        .map_err(|why| Stop::stall(reason::INVALID_SOURCE_CONFIGURATION, why))?;
    Ok(Next::Interval { every })
}

/// What this process told of markers left alone.
#[derive(Debug, Default)]
struct Told {
    text: Option<String>,
    failing: BTreeSet<String>,
}

/// The explanation of markers left alone, unless it was given before.
fn explain(
    told: &mut Told,
    markers: &[Marked],
    failing: BTreeSet<String>,
) -> Option<controller::Event> {
    let event = report::explanation(markers, &failing);
    let text = event.as_ref().map(|event| event.message.clone());
    told.failing = failing;
    if told.text == text {
        return None;
    }
    told.text = text;
    event
}
