//! How a stage stands, and what people are told.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use api::{
    meta::{Status as _, time},
    promotion::{
        self as v1, DriftedField, GateStatus, HistoryEntry, Observed, Promotion, Skipped, Stage,
        StageCandidate, StageStatus,
    },
    reason,
};
use controller::{Claim, Event, Reference, Turn, Verdict};
use jiff::Timestamp;
use kube::ResourceExt as _;
use pipeline::{
    bundle::Bundle,
    choice,
    creation::components,
    gate::Record,
    stage::{Attempt, Branch, Decision},
    value::Part,
};
use setters::stage::Site;

use super::{
    Asked, StageReconciler, View,
    see::{self, Seen},
    state,
};
use crate::{
    branch,
    deploy::{self, Eyes, Standing},
    gate, ledger, pipe,
    provider::{Provider, Reach},
    value,
};

/// How many ended promotions and skipped bundles are told.
const KEPT: usize = 20;
/// How many fields are told that differ.
const DRIFTED: usize = 100;

/// What a report is made of.
pub(super) struct Report<'a> {
    pub(super) stage: &'a Stage,
    pub(super) view: &'a View,
    pub(super) seen: &'a Seen,
    pub(super) decision: Decision,
    pub(super) asked: Asked,
    pub(super) now: Timestamp,
}

/// How what runs a stage stands.
struct Health {
    /// What is wrong with it.
    healthy: Result<(), String>,
    /// What tells that it changed.
    wake_on: Vec<Reference>,
    /// The commit that it runs.
    applied: Option<String>,
}

/// Whether a change of a stage matters to itself and to those that it feeds.
pub(super) fn matters(before: Option<&Stage>, after: Option<&Stage>) -> bool {
    let shown = |it: Option<&Stage>| {
        let status = it.and_then(|it| it.status.clone()).unwrap_or_default();
        let annotation = |key: &str| it.and_then(|it| it.annotations().get(key).cloned());
        let asked = [v1::RESUME_AT, v1::HOLD, v1::VERIFY_AT].map(annotation);
        let current = status.current.map(|it| (it.bundle, it.promotion));
        let generation = it.and_then(|it| it.metadata.generation);
        (generation, asked, current, status.healthy_since, status.hold)
    };
    shown(before) != shown(after)
}

impl Report<'_> {
    pub(super) async fn make(
        self,
        it: &StageReconciler,
        turn: &mut Turn,
        every: Duration,
    ) -> controller::Report<StageReconciler> {
        let mut status = self.stage.status.clone().unwrap_or_default();
        let events = self.events(&status);
        self.fill(&mut status);
        status.drift = self.drift(it);
        if let Some(candidate) = &mut status.candidate {
            candidate.gates = self.gates(it, &candidate.bundle);
        }
        let Health { healthy, wake_on, applied } = self.health(it).await;
        if self.seen.commit.is_some() {
            let applied = applied.map(|id| see::values_at(turn, &id)).unwrap_or_default();
            status.observed = self.observed(&applied);
        }
        let until = self.next_change();
        status.next_transition = until.map(time);
        self.conditions(&mut status, turn, &healthy);
        it.context.meters.stage(self.stage, &status, self.lag());
        let next = pipe::park(wake_on, until, every, self.now);
        let verdict = self.verdict(&mut status, turn, next);
        let mut report = controller::Report::new(status, verdict);
        report.events = events;
        report
    }

    fn fill(&self, status: &mut StageStatus) {
        let bundles = &self.view.bundles;
        state::write(&self.decision.state, bundles, status);
        let verified = status.handled.remove(v1::VERIFY_AT);
        status.handled.clone_from(&self.asked.handled);
        let begun = self.decision.create.as_ref().is_some_and(|it| it.verifies);
        let verified = self.asked.verify.clone().filter(|_| begun).or(verified);
        status.handled.extend(verified.map(|at| (v1::VERIFY_AT.to_owned(), at)));
        let version = |name: &str| {
            bundles.iter().find(|it| it.name == name).and_then(|it| it.version.clone())
        };
        let ended = self.decision.ended.iter().rev().map(|it| HistoryEntry {
            promotion: it.name.clone(),
            bundle: it.bundle.clone(),
            version: version(&it.bundle),
            kind: ledger::kind_word(it.kind),
            phase: ledger::phase_word(it.phase),
            reason: Some(it.reason.clone()).filter(|it| !it.is_empty()),
            commit: it.written.clone(),
            finished_at: time(it.finished.unwrap_or(self.now)),
        });
        status.history = ended.chain(std::mem::take(&mut status.history)).take(KEPT).collect();
        let skipped = self.decision.skipped.iter().map(|(name, reason)| Skipped {
            bundle: name.clone(),
            version: version(name),
            reason: reason.clone(),
            at: time(self.now),
        });
        let skipped: Vec<Skipped> = skipped.collect();
        status.skipped.retain(|it| !skipped.iter().any(|new| new.bundle == it.bundle));
        status.skipped =
            skipped.into_iter().chain(std::mem::take(&mut status.skipped)).take(KEPT).collect();
        status.candidate = self.candidate(&version);
        if self.is_news(status) {
            status.observed_commit.clone_from(&self.seen.commit);
        }
    }

    /// Whether the head is told: where many stages share a branch, it moves all the time, and only what
    /// moves the stage is news.
    fn is_news(&self, status: &StageStatus) -> bool {
        let told = status.observed.iter().map(|it| (&it.component, &it.head));
        let now = see::values(&self.seen.sites);
        let waited_for = |it: &Attempt| it.reason == "Foreign" && !it.phase.is_terminal();
        let moved = !told.eq(now.iter())
            || status.observed_commit.is_none()
            || self.decision.drifted
            || self.seen.attempts.iter().any(waited_for);
        moved && self.seen.commit.is_some()
    }

    fn candidate(&self, version: &dyn Fn(&str) -> Option<String>) -> Option<StageCandidate> {
        let choice = &self.view.choice;
        let current = self.decision.state.current.as_ref().map(|it| &it.bundle);
        let name = choice.prospect.as_ref().filter(|it| Some(*it) != current)?;
        let verdict = choice.verdicts.iter().find(|it| it.bundle == *name)?;
        let obstacles: Vec<String> = verdict.obstacles.iter().map(ToString::to_string).collect();
        let hold = self.decision.state.hold.as_ref().map(|it| format!("held: {}", it.reason));
        let manual = (!self.view.config.auto).then(|| "promote is Manual".to_owned());
        let blocked =
            obstacles.into_iter().chain(hold).chain(manual).collect::<Vec<_>>().join("; ");
        Some(StageCandidate {
            bundle: name.clone(),
            version: version(name),
            gates: Vec::new(),
            blocked_by: Some(blocked).filter(|it| !it.is_empty()),
        })
    }

    /// What lets the candidate through or holds it up: as its promotion has it, if there is one.
    fn gates(&self, it: &StageReconciler, candidate: &str) -> Vec<GateStatus> {
        let (namespace, name) = (self.stage.namespace().unwrap_or_default(), self.stage.name_any());
        let open = |it: &Arc<Promotion>| {
            let phase = it.status.as_ref().and_then(|it| it.phase).unwrap_or_default();
            it.spec.bundle == candidate && it.spec.dry_run != Some(true) && !phase.is_terminal()
        };
        let mut all = it.stores.promotions_of(&namespace, &name).into_iter();
        if let Some(gates) = all.find(open).and_then(|it| it.status.clone()).map(|it| it.gates)
            && !gates.is_empty()
        {
            return gates;
        }
        let Some(bundle) = self.view.bundles.iter().find(|it| it.name == candidate) else {
            return Vec::new();
        };
        let upstreams = super::upstreams(self.stage, &it.stores);
        let upstream = choice::upstream(&self.view.config.wants, bundle, &upstreams, self.now);
        let available = match (&bundle.unavailable, bundle.rejected_in(&name)) {
            (Some(why), _) => Err((why.clone(), None)),
            (None, Some(by)) => Err((format!("rejected by {by}"), None)),
            (None, None) => Ok("all values can be had".to_owned()),
        };
        let active = self.view.freezes.iter().find(|it| it.is_active(self.now));
        let frozen = active.map_or_else(
            || Ok("no freeze".to_owned()),
            |it| Err((format!("frozen by {}", it.why), it.next_change(self.now))),
        );
        let hold = self.decision.state.hold.as_ref();
        let stage = match hold {
            Some(it) => Err((format!("held by {}: {}", it.by, it.reason), None)),
            None if self.view.pipe.spec.suspend == Some(true) => Err(("suspended".into(), None)),
            None if !self.view.config.auto => Err(("promote is Manual".into(), None)),
            None => Ok("open".to_owned()),
        };
        let implicit = [
            ("available", available),
            ("upstream", standing(upstream)),
            ("freeze", frozen),
            ("stage", stage),
        ];
        let record = |(name, open)| gate::to_status(&Record::implicit(name, open));
        implicit.into_iter().map(record).collect()
    }

    /// The values on the branch, and at the revision that is applied, if it is known what was there.
    fn observed(&self, applied: &BTreeMap<String, String>) -> Vec<Observed> {
        let observed = |(component, head): (String, String)| Observed {
            applied: applied.get(&component).cloned(),
            component,
            head,
        };
        see::values(&self.seen.sites).into_iter().map(observed).collect()
    }

    /// What is wrong with what runs the stage, and what tells that it changed.
    async fn health(&self, it: &StageReconciler) -> Health {
        let pipe = &self.view.pipe;
        let Ok(targets) = deploy::targets(self.stage, pipe, &it.stores) else {
            let healthy = Err("deploy.health cannot be seen".to_owned());
            return Health { healthy, wake_on: Vec::new(), applied: None };
        };
        let namespace = self.stage.namespace().unwrap_or_default();
        let account = pipe.spec.service_account_name.as_deref();
        let current = self.decision.state.current.clone().unwrap_or_default();
        let eyes = Eyes {
            host: &it.host,
            client: deploy::as_account(&it.context.client, &namespace, account),
            now: self.now,
            context: deploy::commit_context(
                current.commit.as_deref(),
                &current.bundle,
                components(&self.runs(it)),
            ),
        };
        let (mut wrong, mut applied) = (Vec::new(), None);
        for target in &targets {
            let seen = match (target.is_status(), &current.commit) {
                (true, Some(commit)) => self.said(it, &target.name, commit).await,
                // What it runs was there before anybody said anything.
                (true, None) => continue,
                (false, _) => eyes.look(target).await,
            };
            let runs = seen.applied.as_deref().and_then(deploy::commit_of);
            let runs = runs.map(|id| id.to_string()).filter(|_| !target.is_status());
            // Whatever lags behind counts.
            if runs.is_some() && (applied.is_none() || runs != self.seen.commit) {
                applied = runs;
            }
            match seen.standing {
                Standing::Healthy => {}
                Standing::Waiting(why) | Standing::Failed(why) => wrong.push(why),
            }
        }
        if targets.is_empty() {
            wrong.push("no Kustomization applies the stage's paths; see deploy.health".to_owned());
        }
        let objects = targets.iter().filter(|it| !it.is_status());
        let wake_on = objects.map(deploy::Target::reference).collect();
        let healthy = if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) };
        Health { healthy, wake_on, applied }
    }

    /// What is said about the commit at the Git provider.
    async fn said(&self, it: &StageReconciler, context: &str, commit: &str) -> deploy::Seen {
        let (namespace, name) = (self.stage.namespace().unwrap_or_default(), self.stage.name_any());
        let reach = Reach {
            client: &it.context.client,
            forge: &it.context.forge,
            guard: &it.context.guard,
            promotion: (&namespace, &name),
        };
        let push = super::config::push(self.stage, &self.view.pipe, false);
        let key = branch::repository_key(self.stage, &self.view.pipe);
        let home = key.and_then(|(namespace, name)| it.stores.repositories.get(&namespace, &name));
        let url = home.map(|it| it.spec.url.clone()).unwrap_or_default();
        match Provider::open(&push, &url, &reach).await {
            Ok(provider) => provider.standing(context, &[commit.to_owned()]).await,
            Err(why) => {
                let standing = Standing::Waiting(format!("commitStatus/{context}: {why}"));
                deploy::Seen { standing, applied: None, attempted: None }
            }
        }
    }

    /// How many bundles are newer than what it runs.
    fn lag(&self) -> usize {
        let bundles = &self.view.bundles;
        let current = self.decision.state.current.as_ref();
        let Some(runs) = bundles.iter().find(|it| current.is_some_and(|at| at.bundle == it.name))
        else {
            return 0;
        };
        let order = self.view.config.wants.order;
        let newer = |it: &&Bundle| !it.adopted && order.compare(it, runs).is_gt();
        bundles.iter().filter(newer).count()
    }

    /// The values of what it runs.
    fn runs(&self, it: &StageReconciler) -> Vec<Part> {
        let namespace = self.stage.namespace().unwrap_or_default();
        let current = self.decision.state.current.as_ref();
        let bundle = current.and_then(|current| it.stores.bundles.get(&namespace, &current.bundle));
        bundle.map(|it| value::to_parts(&it.spec.components)).unwrap_or_default()
    }

    /// Where the branch differs from what it should run.
    fn drift(&self, it: &StageReconciler) -> Vec<DriftedField> {
        if !self.decision.drifted {
            return Vec::new();
        }
        let parts = self.runs(it);
        let (commit, author) = match &self.seen.branch {
            Branch::Holds { commit, author, .. } => (Some(commit.clone()), Some(author.clone())),
            Branch::Unknown | Branch::Unmarked | Branch::Copied => (None, None),
        };
        let differs = |site: &Site| {
            let part = parts.iter().find(|it| it.component == site.component)?;
            let want = value::to_setters(&part.value).get(site.attribute, site.pinned).ok()?;
            (want != site.value).then(|| DriftedField {
                file: site.file.clone(),
                field: site.marker.clone(),
                want,
                have: site.value.clone(),
                commit: commit.clone(),
                author: author.clone(),
            })
        };
        let edited = self.seen.edited.as_ref().map(|it| DriftedField {
            file: it.folder.clone(),
            field: "edit.copy".to_owned(),
            want: it.since.clone(),
            have: it.commit.clone(),
            commit: Some(it.commit.clone()),
            author: Some(it.author.clone()),
        });
        let fields = self.seen.sites.iter().filter_map(differs).chain(edited);
        fields.take(DRIFTED).collect()
    }

    fn next_change(&self) -> Option<Timestamp> {
        let freezes = self.view.freezes.iter().filter_map(|it| it.next_change(self.now));
        let all = freezes.chain(self.view.choice.next_change);
        all.filter(|at| *at > self.now).min()
    }

    fn frozen(&self) -> Option<&str> {
        let active = self.view.freezes.iter().find(|it| it.is_active(self.now));
        active.map(|it| it.why.as_str())
    }

    fn conditions(&self, status: &mut StageStatus, turn: &Turn, healthy: &Result<(), String>) {
        status.healthy_since = match healthy {
            Ok(()) => status.healthy_since.clone().or_else(|| Some(time(self.now))),
            Err(_) => None,
        };
        let mut all = turn.conditions_of(status);
        let message = healthy.as_ref().err().map_or("all that runs it is healthy", String::as_str);
        let (is, why) = match healthy {
            Ok(()) => ("True", "Healthy"),
            Err(_) => ("False", "NotHealthy"),
        };
        all.set(Claim { kind: "Healthy", status: is, reason: why, message });
        let cause = self.decision.state.hold.as_ref();
        let held = cause.map(|it| (format!("{:?}", it.kind), format!("{}: {}", it.by, it.reason)));
        let frozen = self.frozen().map(|it| ("Frozen".to_owned(), it.to_owned()));
        let drift = "the branch holds something else than the stage should run";
        let drifted = self.decision.drifted.then(|| ("Drifted".to_owned(), drift.to_owned()));
        for (kind, it) in [("Held", held), ("Frozen", frozen), ("Drifted", drifted)] {
            match it {
                Some((reason, message)) => {
                    all.set(Claim { kind, status: "True", reason: &reason, message: &message });
                }
                None => all.remove(kind),
            }
        }
        *status.conditions_mut() = all.list;
    }

    fn verdict(
        &self,
        status: &mut StageStatus,
        turn: &mut Turn,
        next: controller::Next,
    ) -> Verdict {
        let state = &self.decision.state;
        let runs = state.current.as_ref().map_or_else(
            || "runs nothing yet".to_owned(),
            |it| {
                let version = self.view.bundles.iter().find(|known| known.name == it.bundle);
                let version = version.and_then(|it| it.version.clone()).unwrap_or_default();
                format!("runs {version} ({})", it.bundle)
            },
        );
        let failed = state.current.as_ref().is_some_and(|it| {
            it.verified.is_none() && it.promotion.is_some() && state.turn.is_none()
        });
        let phase = if self.decision.drifted {
            "Drifted"
        } else if state.turn.is_some() {
            "Promoting"
        } else if failed {
            "Failed"
        } else if state.hold.is_some() {
            "Held"
        } else if self.frozen().is_some() {
            "Frozen"
        } else if state.current.is_none() {
            "Adopting"
        } else {
            "Steady"
        };
        status.phase = Some(phase.to_owned());
        match phase {
            "Promoting" => {
                let text = format!("{runs}; {}", state.turn.as_deref().unwrap_or_default());
                turn.note(format!("promoting: {text}"));
                turn.doubt(&text);
                Verdict::Pending { next }
            }
            "Drifted" => Verdict::Wait { reason: reason::DRIFTED, message: runs, next },
            "Failed" => Verdict::Wait { reason: reason::PROMOTION_FAILED, message: runs, next },
            _ => Verdict::Ready { reason: reason::SUCCEEDED, message: runs, next },
        }
    }

    fn events(&self, before: &StageStatus) -> Vec<Event> {
        let mut events = Vec::new();
        let decision = &self.decision;
        let held = |it: &v1::Hold| it.reason.clone();
        if let Some(hold) = &decision.state.hold
            && before.hold.as_ref().map(held).as_ref() != Some(&hold.reason)
        {
            let text = format!("held by {}: {}", hold.by, hold.reason);
            events.push(Event::info(reason::STAGE_HELD, text));
        }
        for (name, why) in &decision.skipped {
            events.push(Event::info(reason::BUNDLE_SKIPPED, format!("{name}: {why}")));
        }
        if let Some(new) = decision.create.as_ref().filter(|it| it.rollback_of.is_some()) {
            let text = format!("{} brings {} back: {}", new.name, new.bundle, new.reason);
            events.push(Event::error(reason::ROLLED_BACK, text));
        }
        let drifted = before.condition("Drifted").is_some();
        if decision.drifted && !drifted {
            let text = "the branch holds something else than the stage should run";
            events.push(Event::error(reason::DRIFTED, text));
        }
        events
    }
}

/// How upstream lets a bundle through, as a gate.
pub(crate) fn standing(it: choice::Standing) -> Result<String, (String, Option<Timestamp>)> {
    match it {
        choice::Standing::Passed(text) => Ok(text),
        choice::Standing::Unverified(why) => Err((why, None)),
        choice::Standing::Soaking(why, until) => Err((why, until)),
    }
}
