//! What a promotion does besides writing: plan, ask, search, observe.

use api::{
    meta::time,
    promotion::{self as v1, Plan, PlanChange},
    reason,
};
use controller::{Event, Stop};
use git::{Id, Snapshot};
use jiff::Timestamp;
use kube::ResourceExt as _;
use pipeline::{
    creation::components,
    gate::{Answer, Kind as GateKind, State as GateState},
    promotion::{Deployed, Phase, Reason},
    value::{Part, Value},
};
use setters::stage as edit;

use super::{About, Run};
use crate::{
    branch::{self, Source, Values},
    component,
    deploy::{self, Eyes, Standing, Target},
    gate::{self, Asked},
    ledger, message,
    origin::Unknown,
    tree, value,
};

/// How many changes a status shows.
const SHOWN: usize = 100;
/// How many commits are looked through for one of a promotion.
const HISTORY: usize = 20_000;

impl About {
    /// The values of the bundle.
    pub(super) fn parts(&self) -> Vec<Part> {
        self.bundle.as_ref().map(|it| value::to_parts(&it.spec.components)).unwrap_or_default()
    }
}

impl Run<'_> {
    /// Enters a phase.
    pub(super) fn enter(&mut self, phase: Phase, reason: &str, message: &str, now: Timestamp) {
        let phase = ledger::phase_word(phase);
        let status = &mut self.status;
        if status.phase != Some(phase) {
            status.phase_times.insert(format!("{phase:?}"), time(now));
        }
        let began = status.phase.unwrap_or_default() == v1::Phase::Pending;
        status.phase = Some(phase);
        status.reason = Some(reason.to_owned());
        status.message = Some(message.to_owned());
        if began && phase == v1::Phase::Gating {
            status.started_at = Some(time(now));
            let text = format!("{} into {}", self.it.spec.bundle, self.it.spec.stage);
            self.events.push(Event::info(reason::PROMOTION_STARTED, text));
        }
        if phase == v1::Phase::Superseded {
            let by = message.strip_prefix("superseded by ").map(str::to_owned);
            self.status.superseded_by = by;
        }
        if phase.is_terminal() {
            self.status.finished_at = Some(time(now));
            self.status.next_transition = None;
        }
        // What was seen in another phase says nothing about this one.
        self.deployed = None;
    }

    /// The values that the stage runs now.
    pub(super) fn before(&self) -> Vec<Part> {
        let namespace = self.it.namespace().unwrap_or_default();
        let current = self.stage_now().current.map(|it| it.bundle);
        let bundle = current.and_then(|name| self.stores.bundles.get(&namespace, &name));
        bundle.map(|it| value::to_parts(&it.spec.components)).unwrap_or_default()
    }

    pub(super) fn need(&self) -> Result<About, Stop> {
        let gone = || Stop::fail(reason::FAILED, "the stage is gone");
        self.about.clone().ok_or_else(gone)
    }

    pub(super) async fn source(&self) -> Result<Source, Stop> {
        let about = self.need()?;
        let source = branch::source(&about.stage, &about.pipe, self.stores, self.context).await?;
        Ok(Source { since: self.since, ..source })
    }

    /// What the bundle changes in a tree.
    pub(super) async fn planned(&self, head: &Snapshot) -> Result<edit::Plan, Stop> {
        let about = self.need()?;
        let (new, previous) = (about.parts(), self.before());
        let values = Values { new: &new, previous: &previous };
        let writer = branch::to_setters(&about.stage, &about.pipe, &values, self.stores);
        let writer = writer.map_err(|why| Stop::stall(reason::INVALID_PATH, why))?;
        branch::plan(head, writer, self.copies(&about, &new).await?, self.context).await
    }

    /// The folders of components' commits that the stage copies.
    async fn copies(&self, about: &About, parts: &[Part]) -> Result<Vec<edit::Copy>, Stop> {
        let namespace = self.it.namespace().unwrap_or_default();
        let copied = about.stage.spec.edit.iter().flat_map(|it| &it.copy);
        let mut all = Vec::new();
        for it in copied {
            let failed = |why: &str| {
                let text = format!("edit.copy of component '{}': {why}", it.component);
                Stop::fail(reason::GIT_OPERATION_FAILED, text)
            };
            let value = parts.iter().find(|part| part.component == it.component);
            let Some(Value::Git { commit, .. }) = value.map(|it| &it.value) else {
                return Err(failed("it is no commit"));
            };
            let id = commit.parse::<Id>().map_err(|_| failed("it has no commit id"))?;
            let spec = component::named(&about.pipe, &it.component);
            let spec = spec.and_then(|it| it.git_ref.clone()).unwrap_or_default();
            let place = spec.namespace.clone().filter(|it| !it.is_empty());
            let place = place.unwrap_or_else(|| namespace.clone());
            let source = self.stores.repositories.get(&place, &spec.name);
            let source = source.ok_or_else(|| failed("its GitRepository does not exist"))?;
            let copy = tree::folder(it, (&source, id), self.context).await;
            all.push(copy.map_err(|why| match why {
                Unknown::Gone(why) | Unknown::Later(why) => failed(&why),
            })?);
        }
        Ok(all)
    }

    /// Makes the plan on the branch's head.
    pub(super) async fn make_plan(&mut self, now: Timestamp) -> Result<(), Stop> {
        if self.about.as_ref().is_some_and(|it| it.bundle.is_none()) {
            // The gate says so.
            self.plan = Some(Ok(()));
            return Ok(());
        }
        let source = self.source().await?;
        let head = source.head(false, self.context).await?;
        let plan = self.planned(&head).await?;
        self.plan = Some(judged(&plan));
        let base = head.commit_id().to_string();
        let kept = self.status.plan.take().filter(|it| it.base == base);
        let computed_at = kept.as_ref().and_then(|it| it.computed_at.clone());
        let mut new = shown(&plan, base, computed_at.unwrap_or_else(|| time(now)));
        let same = kept.filter(|it| it.changes == new.changes && it.total == new.total);
        new.rendered = match same.and_then(|it| it.rendered) {
            Some(known) => Some(known),
            None => Some(self.rendered(&head, plan).await?),
        };
        self.status.plan = Some(new);
        Ok(())
    }

    /// Finds out about gates.
    pub(super) async fn ask(&mut self, names: &[String], now: Timestamp) -> Result<(), Stop> {
        let about = self.need()?;
        for name in names {
            let all = about.config.gates.iter().chain(&about.config.verify);
            let Some(found) = all.into_iter().find(|it| it.gate.name == *name) else { continue };
            let answer = if found.gate.kind() == GateKind::Health {
                self.health(&about, &found.spec, now).await
            } else {
                self.outside(&about, found, now).await
            };
            self.answers.insert(name.clone(), answer);
        }
        Ok(())
    }

    async fn outside(&self, about: &About, named: &gate::Named, now: Timestamp) -> Answer {
        let error = |message: &str| Answer {
            state: GateState::Error,
            message: message.to_owned(),
            ..Answer::default()
        };
        let Some(adapter) = self.context.gates.of(named.gate.kind()) else {
            return error("nobody can ask this gate");
        };
        let Some(bundle) = about.bundle.clone() else { return error("the bundle does not exist") };
        let records = self.status.gates.iter().chain(&self.status.verify);
        let mut records = records.map(gate::from_status);
        let asked = Asked {
            name: named.gate.name.clone(),
            gate: named.spec.clone(),
            before: records.find(|it| it.name == named.gate.name && it.since.is_some()),
            promotion: std::sync::Arc::new(v1::Promotion {
                status: Some(self.status.clone()),
                ..(*self.it).clone()
            }),
            stage: std::sync::Arc::clone(&about.stage),
            pipeline: std::sync::Arc::clone(&about.pipe),
            bundle,
            commit: self.status.commits.last().map(|it| it.sha.clone()),
            now,
        };
        adapter.ask(&asked).await
    }

    async fn health(&mut self, about: &About, spec: &v1::Gate, now: Timestamp) -> Answer {
        let gate = spec.health.clone().unwrap_or_default();
        let namespace = self.it.namespace().unwrap_or_default();
        let mut wrong = Vec::new();
        if let Some(name) = &gate.stage {
            let stage = self.stores.stages.get(&namespace, name);
            let status = stage.and_then(|it| it.status.clone()).unwrap_or_default();
            if status.healthy_since.is_none() {
                wrong.push(format!("stage '{name}' is not healthy"));
            }
            self.wake_on.push(controller::Reference::object::<v1::Stage>(&namespace, name));
        }
        let eyes = self.eyes(about, now);
        let mut wake_on = Vec::new();
        for it in &gate.objects {
            match deploy::target(it, &namespace) {
                Err(Stop::Stall { message, .. }) => wrong.push(message),
                Err(_) => {}
                Ok(target) => {
                    wake_on.push(target.reference());
                    match eyes.look(&target).await.standing {
                        Standing::Healthy => {}
                        Standing::Waiting(why) | Standing::Failed(why) => wrong.push(why),
                    }
                }
            }
        }
        self.wake_on.extend(wake_on);
        let (state, message) = if wrong.is_empty() {
            (GateState::Passed, "healthy".to_owned())
        } else {
            (GateState::Pending, wrong.join("; "))
        };
        Answer { state, message, ..Answer::default() }
    }

    /// Reads what expressions want to see; what is not there they do not see.
    pub(super) async fn read_objects(&mut self, now: Timestamp) {
        let Some(about) = self.about.clone() else { return };
        let namespace = self.it.namespace().unwrap_or_default();
        let gates = about.config.gates.iter().chain(&about.config.verify);
        let wanted: Vec<_> = gates
            .filter_map(|it| it.spec.cel.as_ref())
            .flat_map(|it| it.objects.iter().cloned())
            .collect();
        for it in wanted {
            let target = Target {
                api_version: it.object.api_version.clone().unwrap_or_else(|| "v1".to_owned()),
                kind: it.object.kind.clone(),
                namespace: it.object.namespace.clone().unwrap_or_else(|| namespace.clone()),
                name: it.object.name.clone(),
                expr: None,
            };
            let found = self.eyes(&about, now).read(&target).await;
            self.wake_on.push(target.reference());
            if let Ok(Some(found)) = found {
                self.objects.insert(it.alias, found);
            }
        }
    }

    fn eyes(&self, about: &About, now: Timestamp) -> Eyes<'_> {
        let namespace = self.it.namespace().unwrap_or_default();
        let account = about.pipe.spec.service_account_name.as_deref();
        let commit = self.status.commits.last().map(|it| it.sha.clone());
        let values = components(&about.parts());
        Eyes {
            host: self.host,
            client: deploy::as_account(&self.context.client, &namespace, account),
            now,
            context: deploy::commit_context(commit.as_deref(), &self.it.spec.bundle, values),
        }
    }

    /// Looks for the commit: it may have been pushed.
    pub(super) async fn search(&mut self, now: Timestamp) -> Result<(), Stop> {
        let source = self.source().await?;
        let head = source.head(true, self.context).await?;
        if let Some(id) = self.find(&head).await? {
            self.record(&source, &id, (false, now));
            return Ok(());
        }
        self.searched = true;
        let head = head.commit_id().to_string();
        if self.status.intent.as_ref().is_some_and(|it| it.parent != head) {
            // What was tried on another head can no longer come through.
            self.status.intent = None;
        }
        Ok(())
    }

    /// The promotion's commit among those since its intent.
    pub(super) async fn find(&self, head: &Snapshot) -> Result<Option<String>, Stop> {
        let Some(intent) = &self.status.intent else { return Ok(None) };
        let failed = |why: String| Stop::fail(reason::GIT_OPERATION_FAILED, why);
        let parent: Id = intent.parent.parse().map_err(|_| failed("no commit id".to_owned()))?;
        let since = head.since(parent, HISTORY).await.map_err(|why| failed(why.to_string()))?;
        let since = since
            .ok_or_else(|| failed(format!("the history since {} cannot be read", intent.parent)))?;
        let uid = self.it.uid().unwrap_or_default();
        let own = since.iter().find(|(_, text)| message::is_of(text, &uid));
        Ok(own.map(|(id, _)| id.to_string()))
    }

    /// Records the commit.
    pub(super) fn record(&mut self, source: &Source, id: &str, at: (bool, Timestamp)) {
        let (unchanged, now) = at;
        self.status.commits = vec![v1::Commit {
            sha: id.to_owned(),
            branch: source.branch.clone(),
            wave: None,
            at: time(now),
            unchanged: unchanged.then_some(true),
        }];
        let text = if unchanged {
            format!("the branch holds {} already, at {id}", self.it.spec.bundle)
        } else {
            format!("committed {id} to {}", source.branch)
        };
        self.events.push(Event::info(reason::PROMOTION_COMMITTED, text));
    }

    /// Sees how what must run the commit stands.
    pub(super) async fn observe(&mut self, now: Timestamp) -> Result<(), Stop> {
        let about = self.need()?;
        let Some(commit) = self.status.commits.last().map(|it| it.sha.clone()) else {
            self.deployed = Some(Deployed::Waiting("there is no commit yet".to_owned()));
            return Ok(());
        };
        let source = self.source().await?;
        let head = source.head(false, self.context).await?;
        let overwritten = format!("the values were changed again by {}", head.commit_id());
        if head.commit_id().to_string() != commit && !self.planned(&head).await?.is_empty() {
            self.deployed = Some(Deployed::Overwritten(overwritten));
            return Ok(());
        }
        let targets = deploy::targets(&about.stage, &about.pipe, self.stores)?;
        if targets.is_empty() {
            let text = "no Kustomization of this cluster applies the stage's paths: name what runs \
                        them in deploy.health";
            self.deployed = Some(Deployed::Waiting(text.to_owned()));
            return Ok(());
        }
        self.deployed = Some(self.look_at(&about, &source, &targets, now).await);
        Ok(())
    }

    async fn look_at(
        &mut self,
        about: &About,
        source: &Source,
        targets: &[Target],
        now: Timestamp,
    ) -> Deployed {
        let commit = self.status.commits.last().map(|it| it.sha.clone()).unwrap_or_default();
        let deploying = self.status.phase == Some(v1::Phase::Deploying);
        let (mut shown, mut waiting, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            let seen = if target.is_status() {
                self.said(&target.name, source).await
            } else {
                self.eyes(about, now).look(target).await
            };
            let runs = target.tells_no_revision(&seen)
                || self.reached(source, seen.applied.as_deref(), &commit).await;
            let tried = self.reached(source, seen.attempted.as_deref(), &commit).await;
            let before = self.status.deploy.iter().find(|it| it.target == target.text()).cloned();
            let mut it = deploy::applied(target, &seen, Some(&commit));
            let standing = match seen.standing.clone() {
                Standing::Healthy if runs => Standing::Healthy,
                Standing::Healthy => {
                    let at = seen.applied.as_deref().unwrap_or("nothing");
                    Standing::Waiting(format!("{} runs {at}", target.text()))
                }
                Standing::Failed(why) if !tried && !runs => Standing::Waiting(why),
                other => other,
            };
            it.latched_at = before.and_then(|it| it.latched_at);
            if standing == Standing::Healthy && it.latched_at.is_none() {
                it.latched_at = Some(time(now));
            }
            it.ready = standing == Standing::Healthy;
            let latched = deploying && it.latched_at.is_some();
            match standing {
                Standing::Healthy => {}
                Standing::Waiting(_) | Standing::Failed(_) if latched => {}
                Standing::Waiting(why) => waiting.push(why),
                Standing::Failed(why) => failed.push(why),
            }
            if !target.is_status() {
                self.wake_on.push(target.reference());
            }
            shown.push(it);
        }
        self.status.deploy = shown;
        if !failed.is_empty() {
            Deployed::Failed(failed.join("; "))
        } else if !waiting.is_empty() {
            Deployed::Waiting(waiting.join("; "))
        } else {
            Deployed::Healthy
        }
    }

    /// What is said at the provider about the commit, or about the head if that still holds the bundle:
    /// Flux may have gone on to it at once.
    async fn said(&self, context: &str, source: &Source) -> deploy::Seen {
        let provider = match self.provider().await {
            Ok(provider) => provider,
            Err(why) => {
                let standing = Standing::Waiting(format!("commitStatus/{context}: {why}"));
                return deploy::Seen { standing, applied: None, attempted: None };
            }
        };
        let mut commits: Vec<String> =
            self.status.commits.iter().map(|it| it.sha.clone()).collect();
        if let Ok(head) = source.head(false, self.context).await {
            commits.push(head.commit_id().to_string());
        }
        commits.dedup();
        provider.standing(context, &commits).await
    }

    /// Whether a revision is the commit, or comes after it and still holds the bundle.
    async fn reached(&self, source: &Source, revision: Option<&str>, commit: &str) -> bool {
        let Some(id) = revision.and_then(deploy::commit_of) else { return false };
        if id.to_string() == commit {
            return true;
        }
        let Ok(wanted) = commit.parse::<Id>() else { return false };
        let Some(runs) = source.commit(id, self.context).await else { return false };
        let after = runs.contains(wanted).await.is_ok_and(|it| it == Some(true));
        after && self.planned(&runs).await.is_ok_and(|plan| plan.is_empty())
    }
}

/// Whether a plan may be committed.
pub(super) fn judged(plan: &edit::Plan) -> Result<(), (Reason, String)> {
    let Some(problem) = plan.problems.first() else { return Ok(()) };
    let reason = match problem.reason {
        edit::Reason::NoMarkers => Reason::NoMarkers,
        edit::Reason::NotExpressible => Reason::NotExpressible,
    };
    let all: Vec<String> = plan.problems.iter().take(5).map(ToString::to_string).collect();
    Err((reason, all.join("; ")))
}

/// The changes of a plan, as far as they are shown.
pub(super) fn changes(plan: &edit::Plan) -> Vec<PlanChange> {
    let change = |it: &edit::Change| PlanChange {
        file: it.file.clone(),
        object: Some(format!("{}/{}/{}", it.object.kind, it.object.namespace, it.object.name)),
        path: Some(it.path.clone()),
        old: it.old.clone(),
        new: it.new.clone(),
        marker: Some(it.marker.clone()),
    };
    plan.changes.iter().take(SHOWN).map(change).collect()
}

fn shown(plan: &edit::Plan, base: String, computed_at: api::meta::Time) -> Plan {
    Plan {
        base,
        changes: changes(plan),
        total: i32::try_from(plan.changes.len()).ok(),
        rendered: None,
        patch_url: None,
        patch_digest: None,
        computed_at: Some(computed_at),
    }
}
