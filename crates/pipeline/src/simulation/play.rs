//! The clock, the stages and their promotions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{Entry, Scenario, Stage, Standing, Story, What, word};
use crate::{
    approval::Approval,
    bundle::{Bundle, Verified},
    choice::{self, Choice, Upstream, choose},
    creation::components,
    gate::{Answer, Kind as GateKind, Record, State as GateState},
    promotion::{self, Action, Deployed, Kind, Phase},
    stage::{self, Attempt, Branch, Current, decide, failed, superseder},
};

/// How many things may happen.
const STEPS: usize = 100_000;

/// Plays a scenario to its end.
pub fn play(scenario: &Scenario) -> Story {
    let mut world = World::new(scenario);
    let mut events = scenario.events.clone();
    events.sort_by_key(|it| it.at);
    let mut events = events.into_iter().peekable();
    while world.now <= scenario.end {
        while let Some(event) = events.next_if(|it| it.at <= world.now) {
            world.happen(event.what);
        }
        if !world.settle() {
            world.story.cut = true;
            break;
        }
        let next = world.wakes.iter().copied().filter(|at| *at > world.now).min();
        let event = events.peek().map(|it| it.at);
        match next.into_iter().chain(event).min() {
            Some(at) => world.advance(at),
            None => break,
        }
    }
    world.end()
}

/// One promotion.
struct Run {
    stage: usize,
    attempt: Attempt,
    state: promotion::State,
    approvals: Vec<Approval>,
    rejected: Option<String>,
    answers: BTreeMap<String, Answer>,
    /// When gates outside were asked first.
    asked: BTreeMap<String, Timestamp>,
    /// What it waited for when it was told last.
    waits: String,
}

/// One stage.
struct Place<'a> {
    rules: &'a Stage,
    state: stage::State,
    healthy: Option<Timestamp>,
    /// What its branch holds.
    branch: String,
    hold: Option<(String, String)>,
    resume: bool,
    choice: Choice,
}

struct World<'a> {
    scenario: &'a Scenario,
    now: Timestamp,
    bundles: Vec<(String, Bundle)>,
    places: Vec<Place<'a>>,
    runs: Vec<Run>,
    /// Stage and bundle that do not work together.
    broken: Vec<(String, String)>,
    wakes: Vec<Timestamp>,
    story: Story,
    steps: usize,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut bundles = scenario.bundles.clone();
        let mut places = Vec::new();
        for rules in &scenario.stages {
            let first = format!("{}-initial", rules.pipeline);
            if rules.wants.current.is_none() && !bundles.iter().any(|(_, it)| it.name == first) {
                let it = Bundle {
                    name: first.clone(),
                    version: Some("initial".to_owned()),
                    adopted: true,
                    ..Bundle::default()
                };
                bundles.push((rules.pipeline.clone(), it));
            }
            let runs = rules.wants.current.clone().unwrap_or(first);
            let current = Current {
                bundle: runs.clone(),
                since: scenario.start,
                verified: Some(scenario.start),
                ..Current::default()
            };
            let state = stage::State {
                current: Some(current.clone()),
                last_good: Some(current),
                ..stage::State::default()
            };
            places.push(Place {
                rules,
                state,
                healthy: Some(scenario.start),
                branch: runs,
                hold: None,
                resume: false,
                choice: Choice::default(),
            });
        }
        let (now, story) = (scenario.start, Story::default());
        let (runs, broken, wakes) = (Vec::new(), Vec::new(), Vec::new());
        Self { scenario, now, bundles, places, runs, broken, wakes, story, steps: 0 }
    }

    fn advance(&mut self, to: Timestamp) {
        self.now = to;
        // What was found out before says nothing about now.
        self.runs.iter_mut().for_each(|run| run.answers.clear());
    }

    fn tell(&mut self, stage: &str, bundle: &str, what: &str, why: &str) {
        let bundle = self.label(bundle);
        let (stage, what, why) = (stage.to_owned(), what.to_owned(), why.to_owned());
        self.story.entries.push(Entry { at: self.now, stage, bundle, what, why });
    }

    /// What people call a bundle.
    fn label(&self, name: &str) -> String {
        let known = self.bundles.iter().find(|(_, it)| it.name == name);
        known.and_then(|(_, it)| it.version.clone()).unwrap_or_else(|| name.to_owned())
    }

    /// The bundle of a stage's pipeline by its name or version.
    fn named(&self, stage: &str, wanted: &str) -> Option<String> {
        let place = self.places.iter().find(|it| it.rules.wants.stage == stage)?;
        let own = self.bundles.iter().filter(|(pipe, _)| *pipe == place.rules.pipeline);
        let mut all = own.map(|(_, it)| it);
        let is = |it: &&Bundle| it.name == wanted || it.version.as_deref() == Some(wanted);
        all.find(is).map(|it| it.name.clone())
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Bundle { pipeline, name, version } => {
                let bundle = Bundle {
                    name: name.clone(),
                    version: Some(version),
                    discovered: self.now,
                    ..Bundle::default()
                };
                self.bundles.push((pipeline.clone(), bundle));
                self.tell("", &name, "new bundle", &format!("of pipeline {pipeline}"));
            }
            What::Promote { stage, bundle, by } => self.asked_for(&stage, bundle.as_deref(), &by),
            What::Approve { stage, by, group } => {
                let at = self.now;
                let approval = Approval { by: by.clone(), group, at, allowed: true };
                self.on_waiting(&stage, &format!("approved by {by}"), |run| {
                    run.approvals.push(approval);
                });
            }
            What::Reject { stage, by } => {
                let why = format!("by {by}");
                self.on_waiting(&stage, &format!("rejected by {by}"), |run| {
                    run.rejected = Some(why);
                });
            }
            What::Hold { stage, by } => {
                if let Some(place) = self.place(&stage) {
                    place.hold = Some((by, "held by hand".to_owned()));
                }
            }
            What::Resume { stage } => {
                if let Some(place) = self.place(&stage) {
                    place.resume = true;
                }
                self.tell(&stage, "", "resumed", "");
            }
            What::Fails { stage, bundle } => {
                let bundle = self.named(&stage, &bundle).unwrap_or(bundle);
                self.broken.push((stage, bundle));
            }
        }
    }

    fn place(&mut self, stage: &str) -> Option<&mut Place<'a>> {
        self.places.iter_mut().find(|it| it.rules.wants.stage == stage)
    }

    /// Does something to the promotion that waits in a stage.
    fn on_waiting(&mut self, stage: &str, what: &str, change: impl FnOnce(&mut Run)) {
        let own =
            |it: &&mut Run| it.attempt_is_open(&self.places[it.stage].rules.wants.stage, stage);
        let Some(run) = self.runs.iter_mut().rev().find(own) else {
            return self.tell(stage, "", what, "but nothing waits here");
        };
        change(run);
        let bundle = run.attempt.bundle.clone();
        self.tell(stage, &bundle, what, "");
    }

    fn asked_for(&mut self, stage: &str, bundle: Option<&str>, by: &str) {
        let Some(at) = self.places.iter().position(|it| it.rules.wants.stage == stage) else {
            return self.tell(stage, "", "asked for", "but there is no such stage");
        };
        let found = match bundle {
            Some(wanted) => self.named(stage, wanted),
            None => self.places[at].choice.prospect.clone(),
        };
        let Some(bundle) = found else {
            return self.tell(stage, "", "asked for", "but there is no such bundle");
        };
        let name = format!("{stage}-by-{by}-{}", self.runs.len() + 1);
        self.tell(stage, &bundle, "asked for", &format!("by {by}"));
        self.start(at, (name, Kind::Manual, bundle), by, None);
    }

    fn start(
        &mut self,
        at: usize,
        (name, kind, bundle): (String, Kind, String),
        by: &str,
        rollback_of: Option<String>,
    ) {
        let count = i32::try_from(self.runs.len()).unwrap_or(i32::MAX);
        let created = self.now.saturating_add(jiff::SignedDuration::new(0, count));
        let attempt = Attempt {
            name,
            kind,
            bundle,
            created: created.unwrap_or(self.now),
            by: by.to_owned(),
            rollback_of,
            ..Attempt::default()
        };
        let state = promotion::State {
            kind,
            since: self.now,
            requester: (kind == Kind::Manual).then(|| by.to_owned()),
            ..promotion::State::default()
        };
        self.runs.push(Run {
            stage: at,
            attempt,
            state,
            approvals: Vec::new(),
            rejected: None,
            answers: BTreeMap::new(),
            asked: BTreeMap::new(),
            waits: String::new(),
        });
    }

    /// Goes on until nothing changes any more at this time; `false` if that never comes.
    fn settle(&mut self) -> bool {
        loop {
            self.wakes.clear();
            let mut moved = false;
            for at in 0..self.places.len() {
                moved |= self.stage(at);
            }
            for at in 0..self.runs.len() {
                moved |= self.run(at);
            }
            self.steps += 1;
            if !moved {
                return true;
            }
            if self.steps > STEPS {
                return false;
            }
        }
    }

    fn upstreams(&self, rules: &Stage) -> BTreeMap<String, Upstream> {
        let feeds = |it: &&Place<'_>| {
            rules.wants.from.iter().any(|edge| edge.stage == it.rules.wants.stage)
        };
        let upstream = |it: &Place<'_>| {
            let current = it.state.current.as_ref().map(|it| it.bundle.clone());
            (it.rules.wants.stage.clone(), Upstream { current, healthy_since: it.healthy })
        };
        self.places.iter().filter(feeds).map(upstream).collect()
    }

    fn bundles_of(&self, pipeline: &str) -> Vec<Bundle> {
        let own = self.bundles.iter().filter(|(pipe, _)| pipe == pipeline);
        own.map(|(_, it)| it.clone()).collect()
    }

    fn attempts(&self, at: usize) -> Vec<Attempt> {
        self.runs.iter().filter(|it| it.stage == at).map(|it| it.attempt.clone()).collect()
    }

    /// Decides on a stage; whether something changed.
    fn stage(&mut self, at: usize) -> bool {
        let rules = self.places[at].rules;
        let (name, now) = (rules.wants.stage.clone(), self.now);
        let attempts = self.attempts(at);
        let mut bundles = self.bundles_of(&rules.pipeline);
        let bad = failed(&attempts);
        for it in bundles.iter_mut().filter(|it| bad.contains(&it.name)) {
            it.failed.insert(name.clone());
        }
        let mut wants = rules.wants.clone();
        let state = self.places[at].state.clone();
        wants.current = state.current.as_ref().map(|it| it.bundle.clone());
        let choice = choose(&wants, &bundles, &self.upstreams(rules), now);
        self.wakes.extend(choice.next_change);
        self.wakes.extend(rules.freezes.iter().filter_map(|it| it.next_change(now)));
        let place = &mut self.places[at];
        let (hold, resume) = (place.hold.take(), std::mem::take(&mut place.resume));
        let by_hand = hold.is_some();
        let decision = decide(
            &state,
            &stage::Facts {
                now,
                pipeline: &rules.pipeline,
                stage: &name,
                auto: rules.auto,
                stopped: rules.freezes.iter().any(|it| it.is_active(now)),
                replaces: rules.replaces,
                pick: rules.wants.pick,
                order: rules.wants.order,
                on_failure: rules.on_failure,
                drift: rules.drift,
                choice: &choice,
                bundles: &bundles,
                attempts: &attempts,
                edited: None,
                branch: Branch::Holds {
                    bundle: place.branch.clone(),
                    commit: String::new(),
                    author: String::new(),
                    alike: Vec::new(),
                },
                hold,
                resume,
                verify: false,
            },
        );
        let changed = decision.state != state || resume;
        place.state = decision.state;
        place.choice = choice;
        let new_hold =
            place.state.hold.clone().filter(|it| {
                state.hold.as_ref().map(|it| &it.reason) != Some(&it.reason) || by_hand
            });
        if let Some(hold) = new_hold {
            self.tell(&name, "", "held", &format!("{}: {}", hold.by, hold.reason));
        }
        for (bundle, why) in &decision.skipped {
            self.tell(&name, bundle, "skipped", why);
        }
        let Some(new) = decision.create else { return changed };
        let what = if new.kind == Kind::Rollback { "rolls back" } else { "promotion" };
        self.tell(&name, &new.bundle, what, &new.reason);
        self.start(at, (new.name, new.kind, new.bundle), "stage", new.rollback_of);
        true
    }

    /// Decides on a promotion; whether something changed.
    fn run(&mut self, at: usize) -> bool {
        if self.runs[at].state.phase.is_terminal() {
            return false;
        }
        let step = self.next(at);
        let run = &mut self.runs[at];
        if let Some(gates) = step.gates {
            run.state.gates = gates;
        }
        if let Some(verify) = step.verify {
            run.state.verify = verify;
        }
        run.state.healthy_since = step.healthy_since;
        match step.action {
            Action::Enter { phase, reason, message } => self.enter(at, phase, reason, &message),
            Action::Ask(names) => self.ask(at, names),
            Action::Write => {
                let (stage, bundle) = (run.stage, run.attempt.bundle.clone());
                let commit = format!("commit-{at}");
                run.state.intended = true;
                run.state.written = Some(commit.clone());
                (run.attempt.intended, run.attempt.written) = (true, Some(commit));
                self.places[stage].branch = bundle;
            }
            Action::Wait { until, blocked_by } => {
                self.wakes.extend(until);
                self.wait(at, &blocked_by);
                return false;
            }
            Action::Plan
            | Action::Search
            | Action::Observe
            | Action::Look
            | Action::Merge
            | Action::Close(_)
            | Action::Done => return false,
        }
        true
    }

    /// Tells what a promotion waits for, if that is news.
    fn wait(&mut self, at: usize, blocked_by: &str) {
        let run = &mut self.runs[at];
        let deploying = run.state.phase == Phase::Deploying;
        if run.waits == blocked_by || deploying {
            return;
        }
        blocked_by.clone_into(&mut run.waits);
        let (stage, bundle) = (run.stage, run.attempt.bundle.clone());
        let stage = self.places[stage].rules.wants.stage.clone();
        self.tell(&stage, &bundle, "waits", blocked_by);
    }

    fn enter(&mut self, at: usize, phase: Phase, reason: &str, message: &str) {
        let now = self.now;
        let run = &mut self.runs[at];
        (run.state.phase, run.state.since) = (phase, now);
        (run.attempt.phase, run.attempt.reason) = (phase, reason.to_owned());
        run.waits = String::new();
        let (place, bundle) = (run.stage, run.attempt.bundle.clone());
        if phase.is_terminal() {
            run.attempt.finished = Some(now);
        }
        let stage = self.places[place].rules.wants.stage.clone();
        if phase == Phase::Succeeded {
            let known = self.bundles.iter_mut().find(|(_, it)| it.name == bundle);
            if let Some((_, it)) = known {
                it.verified.entry(stage.clone()).or_insert(Verified { at: now, withdrawn: false });
            }
        }
        // While it comes, the stage is not known to be healthy.
        self.places[place].healthy = match phase {
            Phase::Deploying | Phase::Failed if self.runs[at].state.written.is_some() => None,
            Phase::Verifying => Some(now),
            _ => self.places[place].healthy,
        };
        if !matches!(phase, Phase::Writing | Phase::Gating) {
            let why = if reason == "Succeeded" { "" } else { message };
            self.tell(&stage, &bundle, word(phase), why);
        }
    }

    fn ask(&mut self, at: usize, names: Vec<String>) {
        let now = self.now;
        let rules = self.places[self.runs[at].stage].rules;
        for name in names {
            let mut gates = rules.gates.iter().chain(&rules.verify);
            let kind = gates.find(|it| it.name == name).map(crate::gate::Gate::kind);
            let run = &mut self.runs[at];
            let since = *run.asked.entry(name.clone()).or_insert(now);
            let due = since.saturating_add(self.scenario.outside).unwrap_or(Timestamp::MAX);
            let answer = if kind == Some(GateKind::Health) || due <= now {
                Answer {
                    state: GateState::Passed,
                    message: "assumed to go well".to_owned(),
                    ..Answer::default()
                }
            } else {
                self.wakes.push(due);
                Answer {
                    message: "is asked".to_owned(),
                    next_check: Some(due),
                    ..Answer::default()
                }
            };
            run.answers.insert(name, answer);
        }
    }

    fn next(&mut self, at: usize) -> promotion::Step {
        let run = &self.runs[at];
        let place = &self.places[run.stage];
        let rules = place.rules;
        let attempts = self.attempts(run.stage);
        let context = self.context(run);
        let replaced = superseder(&run.attempt, &attempts, rules.replaces);
        let deployed = self.deployed(run);
        let facts = promotion::Facts {
            now: self.now,
            turn: place.state.turn.as_ref() == Some(&run.attempt.name),
            stage_gone: None,
            aborted: None,
            rejected: run.rejected.clone(),
            superseded_by: replaced.map(|it| it.name.clone()),
            moot: stage::moot(&run.attempt, &place.state),
            implicit: self.implicit(run),
            artifact_gone: None,
            gates: &rules.gates,
            verify: &rules.verify,
            context: &context,
            approvals: &run.approvals,
            answers: &run.answers,
            plan: Some(Ok(())),
            searched: true,
            // Pull requests are taken for commits: who merges them, and when, nobody knows.
            pull: None,
            merges: false,
            patience: None,
            deployed: Some(deployed),
            timeout: rules.timeout,
            bake: rules.bake,
        };
        let step = promotion::next(&run.state, &facts);
        let until = match self.runs[at].state.phase {
            Phase::Deploying => {
                let since = self.runs[at].state.since;
                since.saturating_add(self.scenario.deploy).ok()
            }
            _ => None,
        };
        self.wakes.extend(until);
        step
    }

    fn deployed(&self, run: &Run) -> Deployed {
        let stage = &self.places[run.stage].rules.wants.stage;
        let due = run.state.since.saturating_add(self.scenario.deploy).unwrap_or(Timestamp::MAX);
        if run.state.phase == Phase::Deploying && due > self.now {
            return Deployed::Waiting("it is being deployed".to_owned());
        }
        let broken =
            self.broken.iter().any(|(at, what)| at == stage && *what == run.attempt.bundle);
        if broken { Deployed::Failed("an event says so".to_owned()) } else { Deployed::Healthy }
    }

    fn implicit(&self, run: &Run) -> Vec<Record> {
        let (place, kind) = (&self.places[run.stage], run.attempt.kind);
        let rules = place.rules;
        let known = self.bundles.iter().map(|(_, it)| it).find(|it| it.name == run.attempt.bundle);
        let available = match known {
            None => Err(("the bundle does not exist".to_owned(), None)),
            Some(it) => match it.rejected_in(&rules.wants.stage) {
                Some(by) => Err((format!("rejected by {by}"), None)),
                None => Ok("all values can be had".to_owned()),
            },
        };
        let upstream = match known {
            Some(it) if kind != Kind::Rollback && !it.verified.contains_key(&rules.wants.stage) => {
                match choice::upstream(&rules.wants, it, &self.upstreams(rules), self.now) {
                    choice::Standing::Passed(text) => Ok(text),
                    choice::Standing::Unverified(why) => Err((why, None)),
                    choice::Standing::Soaking(why, until) => Err((why, until)),
                }
            }
            _ => Ok("it was verified in this stage before".to_owned()),
        };
        let frozen =
            rules.freezes.iter().find(|it| it.is_active(self.now) && !it.excepts(kind, false));
        let freeze = match frozen {
            Some(it) => Err((format!("frozen by {}", it.why), it.next_change(self.now))),
            None => Ok("no freeze".to_owned()),
        };
        let hold = place.state.hold.as_ref().filter(|_| kind == Kind::Auto);
        let open = match hold {
            Some(it) => Err((format!("held by {}: {}", it.by, it.reason), None)),
            None => Ok("open".to_owned()),
        };
        vec![
            Record::implicit("available", available),
            Record::implicit("upstream", upstream),
            Record::implicit("freeze", freeze),
            Record::implicit("stage", open),
        ]
    }

    /// What expressions see.
    fn context(&self, run: &Run) -> Map<String, Json> {
        let rules = self.places[run.stage].rules;
        let bundle = &run.attempt.bundle;
        let parts = self.scenario.parts.get(bundle).cloned().unwrap_or_default();
        let upstreams: Map<String, Json> = self
            .upstreams(rules)
            .into_iter()
            .map(|(name, it)| {
                let healthy = it.healthy_since.is_some();
                (name, json!({"bundle": it.current.unwrap_or_default(), "healthy": healthy}))
            })
            .collect();
        let kind = format!("{:?}", run.attempt.kind);
        let requester = run.state.requester.clone().unwrap_or_default();
        let all = json!({
            "bundle": {"name": bundle, "version": self.label(bundle)},
            "components": components(&parts),
            "stage": {"name": rules.wants.stage, "labels": rules.labels},
            "upstream": upstreams,
            "promotion": {"name": run.attempt.name, "kind": kind, "requestedBy": requester},
            "objects": {},
        });
        all.as_object().cloned().unwrap_or_default()
    }

    fn end(mut self) -> Story {
        let places = std::mem::take(&mut self.places);
        for (at, place) in places.iter().enumerate() {
            let runs = place.state.current.as_ref().map(|it| self.label(&it.bundle));
            let open = |it: &&Run| it.stage == at && !it.state.phase.is_terminal();
            let open = self.runs.iter().find(open).map(|it| {
                let waits = if it.waits.is_empty() { word(it.state.phase) } else { &it.waits };
                (self.label(&it.attempt.bundle), waits.to_owned())
            });
            let current = place.state.current.as_ref().map(|it| &it.bundle);
            let prospect = place.choice.prospect.as_ref().filter(|it| Some(*it) != current);
            let next = open.or_else(|| Some((self.label(prospect?), blocked(place, prospect?))));
            let until = place.choice.next_change.filter(|_| next.is_some());
            self.story.standings.push(Standing {
                stage: place.rules.wants.stage.clone(),
                runs: runs.unwrap_or_default(),
                next,
                until,
            });
        }
        self.story
    }
}

/// Why the candidate is not on its way.
fn blocked(place: &Place<'_>, bundle: &str) -> String {
    let verdict = place.choice.verdicts.iter().find(|it| it.bundle == bundle);
    let mut all: Vec<String> =
        verdict.iter().flat_map(|it| it.obstacles.iter().map(ToString::to_string)).collect();
    all.extend(place.state.hold.as_ref().map(|it| format!("held: {}", it.reason)));
    if !place.rules.auto {
        all.push("promote is Manual".to_owned());
    }
    all.join("; ")
}

impl Run {
    fn attempt_is_open(&self, own: &str, stage: &str) -> bool {
        own == stage && !self.state.phase.is_terminal()
    }
}
