//! What a promotion is decided with.

use api::promotion::{self as v1, CheckedApproval};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use pipeline::{
    approval::Approval,
    bundle::Bundle,
    choice,
    creation::components,
    gate::{Gate, Record},
    promotion::{Facts, Kind},
    request::Request,
    stage::{moot, superseder},
};
use serde_json::{Map, Value, json};

use super::{About, Run, State};
use crate::{
    freeze, gate,
    guard::UNGUARDED,
    ledger,
    stage::{self, neighbour, report::standing},
    value,
};

impl Run<'_> {
    /// What is filled in when a promotion is seen first.
    pub(super) fn begin(&mut self, now: Timestamp) {
        let at = api::meta::time(now);
        if self.status.phase.is_none() {
            self.status.phase = Some(v1::Phase::Pending);
            self.status.phase_times.insert("Pending".to_owned(), at.clone());
        }
        self.status.rollback_of = self.it.annotations().get(v1::ROLLBACK_OF).cloned();
        for it in &self.it.spec.approvals {
            let allowed = self.guarded;
            let known = |old: &&mut CheckedApproval| old.by == it.by && old.group == it.group;
            match self.status.approvals.iter_mut().find(known) {
                Some(old) => old.allowed = allowed,
                None => self.status.approvals.push(CheckedApproval {
                    by: it.by.clone(),
                    group: it.group.clone(),
                    at: at.clone(),
                    allowed,
                }),
            }
        }
        let stage = self.about.as_ref().and_then(|it| it.stage.status.clone());
        if self.status.previous_bundle.is_none() {
            self.status.previous_bundle = stage.and_then(|it| it.current).map(|it| it.bundle);
        }
    }

    /// The promotion as it was kept.
    pub(super) fn state(&self, now: Timestamp) -> State {
        let status = &self.status;
        let phase = status.phase.unwrap_or_default();
        let since = status.phase_times.get(&format!("{phase:?}"));
        State {
            kind: ledger::kind(self.it.spec.kind),
            phase: ledger::phase(phase),
            since: since.map_or(now, |at| at.0),
            dry_run: self.it.spec.dry_run.unwrap_or(false),
            skip: self.it.spec.skip_gates.clone(),
            requester: self.it.spec.requested_by.clone(),
            gates: status.gates.iter().map(gate::from_status).collect(),
            verify: status.verify.iter().map(gate::from_status).collect(),
            intended: status.intent.as_ref().is_some_and(|it| it.branch.is_none()),
            request: match &status.intent {
                Some(it) if it.branch.is_some() => Request::Made,
                _ if self.by_request() => Request::Wanted,
                _ => Request::No,
            },
            written: status.commits.last().map(|it| it.sha.clone()),
            healthy_since: status.healthy_since.as_ref().map(|at| at.0),
        }
    }

    /// The bundle with where it has been.
    pub(super) fn known(&self, about: &About) -> Option<Bundle> {
        let all = ledger::bundles_for(&about.stage, self.stores);
        all.into_iter().find(|it| it.name == self.it.spec.bundle)
    }

    /// The stage as it is now, not as it was when the turn began.
    pub(super) fn stage_now(&self) -> v1::StageStatus {
        let namespace = self.it.namespace().unwrap_or_default();
        let stage = self.stores.stages.get(&namespace, &self.it.spec.stage);
        stage.and_then(|it| it.status.clone()).unwrap_or_default()
    }

    /// The gates that every promotion has.
    fn implicit(&self, known: Option<&Bundle>, now: Timestamp) -> Vec<Record> {
        let Some(about) = &self.about else { return Vec::new() };
        let kind = ledger::kind(self.it.spec.kind);
        vec![
            Record::implicit("configuration", self.configuration(about)),
            Record::implicit("identity", self.identity()),
            Record::implicit("available", self.available(known)),
            Record::implicit("upstream", self.upstream((about, known), kind, now)),
            Record::implicit("freeze", self.freeze(about, kind, now)),
            Record::implicit("stage", self.stage_open(about, kind)),
        ]
    }

    fn configuration(&self, about: &About) -> Open {
        match neighbour::check(&about.stage, &about.pipe, self.stores) {
            Err(controller::Stop::Stall { message, .. }) => Err((message, None)),
            _ => Ok("nothing is in the stage's way".to_owned()),
        }
    }

    fn identity(&self) -> Open {
        if self.guarded || self.it.spec.kind != v1::PromotionKind::Manual {
            return Ok("known".to_owned());
        }
        Err((UNGUARDED.to_owned(), None))
    }

    fn available(&self, known: Option<&Bundle>) -> Open {
        match known {
            None => Err((format!("bundle '{}' does not exist", self.it.spec.bundle), None)),
            Some(it) => match (it.unavailable.clone(), it.rejected_in(&self.it.spec.stage)) {
                (Some(why), _) => Err((why, None)),
                (None, Some(by)) => Err((format!("rejected by {by}"), None)),
                (None, None) => Ok("all values can be had".to_owned()),
            },
        }
    }

    fn upstream(
        &self,
        (about, known): (&About, Option<&Bundle>),
        kind: Kind,
        now: Timestamp,
    ) -> Open {
        let Some(bundle) = known else { return Err(("unknown bundle".into(), None)) };
        let was_here = bundle.verified.contains_key(&self.it.spec.stage);
        if kind == Kind::Rollback || was_here {
            return Ok("it was verified in this stage before".to_owned());
        }
        let upstreams = stage::upstreams(&about.stage, self.stores);
        standing(choice::upstream(&about.config.wants, bundle, &upstreams, now))
    }

    /// Why nobody wants a bundle any more that the stage chose by itself: it was verified upstream, and
    /// that does not count any more.
    fn withdrawn(&self, known: Option<&Bundle>) -> Option<String> {
        let open = self.status.phase.unwrap_or_default() <= v1::Phase::Proposed;
        let about = self.about.as_ref().filter(|_| open)?;
        if self.it.spec.kind != v1::PromotionKind::Auto {
            return None;
        }
        let bundle = known?;
        let wants = &about.config.wants;
        let lost = wants.from.iter().find(|edge| {
            bundle.verified.get(&edge.stage).is_some_and(|verified| verified.withdrawn)
        })?;
        let upstreams = stage::upstreams(&about.stage, self.stores);
        let standing = choice::upstream(wants, bundle, &upstreams, Timestamp::MAX);
        let text = format!("that it was verified in {} does not count any more", lost.stage);
        standing_is_bad(&standing).then_some(text)
    }

    fn freeze(&self, about: &About, kind: Kind, now: Timestamp) -> Open {
        let skips = !self.it.spec.skip_gates.is_empty();
        let freezes = freeze::of(&about.stage, self.stores);
        let active = freezes.iter().find(|it| it.is_active(now) && !it.excepts(kind, skips));
        match active {
            Some(it) => Err((format!("frozen by {}", it.why), it.next_change(now))),
            None => Ok("no freeze".to_owned()),
        }
    }

    fn stage_open(&self, about: &About, kind: Kind) -> Open {
        let now = self.stage_now();
        // What runs may be verified once more: that brings nothing new.
        let runs = now.current.as_ref().is_some_and(|it| it.bundle == self.it.spec.bundle);
        let hold = now.hold.filter(|_| kind == Kind::Auto && !runs);
        if about.stage.spec.suspend == Some(true) || about.pipe.spec.suspend == Some(true) {
            return Err(("suspended".to_owned(), None));
        }
        match hold {
            Some(it) => Err((format!("held by {}: {}", it.by, it.reason), None)),
            None => Ok("open".to_owned()),
        }
    }

    /// What expressions see.
    pub(super) fn expression_context(&self, about: &About) -> Map<String, Value> {
        let spec = about.bundle.as_ref().map(|it| it.spec.clone()).unwrap_or_default();
        let parts = value::to_parts(&spec.components);
        let upstreams = stage::upstreams(&about.stage, self.stores);
        let upstreams: Map<String, Value> = upstreams
            .into_iter()
            .map(|(name, it)| {
                let healthy = it.healthy_since.is_some();
                (name, json!({"bundle": it.current.unwrap_or_default(), "healthy": healthy}))
            })
            .collect();
        let mut context = Map::new();
        let bundle = json!({
            "name": self.it.spec.bundle,
            "version": spec.version.unwrap_or_default(),
        });
        context.insert("bundle".to_owned(), bundle);
        context.insert("components".to_owned(), components(&parts));
        let labels = about.stage.labels().clone();
        context.insert("stage".to_owned(), json!({"name": self.it.spec.stage, "labels": labels}));
        context.insert("upstream".to_owned(), Value::Object(upstreams));
        let promotion = json!({
            "name": self.it.name_any(),
            "kind": self.it.spec.kind,
            "requestedBy": self.it.spec.requested_by.clone().unwrap_or_default(),
        });
        context.insert("promotion".to_owned(), promotion);
        context.insert("objects".to_owned(), Value::Object(self.objects.clone()));
        context
    }

    pub(super) fn approvals(&self) -> Vec<Approval> {
        let all = self.status.approvals.iter();
        all.map(|it| Approval {
            by: it.by.clone(),
            group: it.group.clone(),
            at: it.at.0,
            allowed: it.allowed,
        })
        .collect()
    }
}

fn standing_is_bad(it: &choice::Standing) -> bool {
    matches!(it, choice::Standing::Unverified(_))
}

type Open = Result<String, (String, Option<Timestamp>)>;

/// Decides with everything that is known.
pub(super) fn with<T>(
    run: &Run<'_>,
    now: Timestamp,
    decide: impl FnOnce(&State, &mut Facts<'_>) -> T,
) -> T {
    let state = run.state(now);
    let namespace = run.it.namespace().unwrap_or_default();
    let attempts = ledger::attempts(run.stores, &namespace, &run.it.spec.stage);
    let current = v1::Promotion { status: Some(run.status.clone()), ..(*run.it).clone() };
    let own = ledger::attempt(&current);
    let stage_status = run.stage_now();
    let about = run.about.as_ref();
    let known = about.and_then(|it| run.known(it));
    let config = about.map(|it| &it.config);
    let replaces = config.is_some_and(|it| it.replaces);
    // What is said about a pull request can be asked once there is one.
    let proposed = run.status.phase == Some(v1::Phase::Proposed);
    let gates = |all: Option<&Vec<gate::Named>>| -> Vec<Gate> {
        let all = all.into_iter().flatten();
        all.filter(|it| proposed || !it.needs_request).map(|it| it.gate.clone()).collect()
    };
    let before = gates(config.map(|it| &it.gates));
    let after = config.into_iter().flat_map(|it| &it.verify).map(|it| it.gate.clone());
    let after: Vec<Gate> = after.collect();
    let push = run.push_spec();
    let patience = push.timeout.as_deref().and_then(|text| freeze::span(text).ok());
    let context = about.map(|it| run.expression_context(it)).unwrap_or_default();
    let approvals = run.approvals();
    let told = |it: &v1::Abort| match &it.reason {
        Some(reason) => format!("by {}: {reason}", it.by),
        None => format!("by {}", it.by),
    };
    let mut facts = Facts {
        now,
        turn: stage_status.promotion.as_ref() == Some(&own.name),
        stage_gone: run.stage_gone.then(|| format!("stage '{}' is gone", run.it.spec.stage)),
        aborted: run.it.spec.abort.as_ref().map(told),
        rejected: run.it.spec.rejected.as_ref().map(told),
        superseded_by: superseder(&own, &attempts, replaces).map(|it| it.name.clone()),
        moot: moot(&own, &stage::state::read(&stage_status))
            .or_else(|| run.withdrawn(known.as_ref())),
        implicit: run.implicit(known.as_ref(), now),
        artifact_gone: None,
        gates: &before,
        verify: &after,
        context: &context,
        approvals: &approvals,
        answers: &run.answers,
        plan: run.plan.clone(),
        searched: run.searched,
        pull: run.pull.clone(),
        merges: push.merge == Some(v1::MergePolicy::WhenGatesPass),
        patience,
        deployed: run.deployed.clone(),
        timeout: config.map_or(SignedDuration::ZERO, |it| it.timeout),
        bake: config.map_or(SignedDuration::ZERO, |it| it.bake),
    };
    decide(&state, &mut facts)
}
