//! The state table in a world that crashes, races and is changed by people.
//!
//! Two stages write to one branch. Each run is a random sequence of turns, crashes between any two
//! writes, people's commits, requests and failures; after every write four invariants are checked, and
//! at the end, when nothing more happens, that nothing was left behind.
#![allow(clippy::print_stdout, reason = "seeds are printed")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test reads how long it shall run")]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use pipeline::{
    bundle::{Bundle, Order, Verified},
    choice::{Choice, Edge, Pick, SoakMode, Upstream, Wants, choose},
    gate::Record,
    promotion::{self, Action, Deployed, Kind, Phase},
    request::{Pull, Request},
    stage::{self, Attempt, Branch, Drift, OnFailure},
    write::{self, Write},
};
use serde_json::Map;

const STAGES: [&str; 2] = ["dev", "prod"];
const PATIENCE: i64 = 900;

/// `SplitMix64`: enough for a test, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone)]
struct Commit {
    promotion: Option<String>,
    values: [usize; 2],
}

/// A pull request on its forge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opened {
    /// It was made of this commit.
    Open(usize),
    Merged,
    Closed,
}

#[derive(Clone, Default)]
struct StageObject {
    state: stage::State,
    skipped: Vec<String>,
    /// Whether its hold is due to a person's commit.
    held_by_commit: bool,
    /// The bundle that was there before anything was promoted.
    first: usize,
}

#[derive(Clone)]
struct Object {
    attempt: Attempt,
    state: promotion::State,
    stage: usize,
    parent: Option<usize>,
    aborted: bool,
    /// Counts writes: none is over one that was not read.
    version: usize,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct World {
    random: Random,
    now: Timestamp,
    bundles: Vec<Bundle>,
    bad: Vec<bool>,
    commits: Vec<Commit>,
    stages: [StageObject; 2],
    promotions: Vec<Object>,
    frozen: bool,
    /// Whether a person's commit stands that no person gave free.
    human: [bool; 2],
    /// What automation wrote last.
    machine: [usize; 2],
    /// What the stage ran when a person last gave it free, until automation writes or adopts again.
    given: [Option<usize>; 2],
    pick: Pick,
    rollback: bool,
    fix_forward: bool,
    replaces: bool,
    /// Whether promotions are written by pull requests, and whether the stage merges them.
    requests: Option<bool>,
    pulls: BTreeMap<String, Opened>,
    calm: bool,
    /// How deep turns run within turns.
    depth: usize,
    /// What happened, to be read when something breaks.
    trace: Vec<String>,
}

/// A turn that was cut off.
struct Crash;

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let mut first = bundle(0, now);
        first.adopted = true;
        let picks = [Pick::Newest, Pick::Sequential, Pick::Newest];
        let pick = picks[random.below(3)];
        let (rollback, fix_forward) = (!random.one_in(3), random.one_in(2));
        let replaces = !random.one_in(4);
        let requests = [None, Some(false), Some(true)][random.below(3)];
        Self {
            random,
            now,
            bundles: vec![first],
            bad: vec![false],
            commits: vec![Commit { promotion: None, values: [0, 0] }],
            stages: Default::default(),
            promotions: Vec::new(),
            frozen: false,
            human: [false; 2],
            machine: [0; 2],
            given: [None; 2],
            pick,
            rollback,
            fix_forward,
            replaces,
            requests,
            pulls: BTreeMap::new(),
            calm: false,
            depth: 0,
            trace: Vec::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..30 {
            self.event();
            self.check();
        }
        self.settle();
    }

    /// Nothing happens any more but turns, until nothing changes.
    fn settle(&mut self) {
        self.calm = true;
        self.frozen = false;
        let mut quiet = 0;
        for _ in 0..400 {
            let before = self.summary();
            self.now = self.now.saturating_add(SignedDuration::from_secs(60)).unwrap();
            for stage in 0..STAGES.len() {
                let _ = self.stage_turn(stage);
            }
            for at in 0..self.promotions.len() {
                let _ = self.promotion_turn(at);
            }
            if self.requests == Some(false) {
                self.person_merges();
            }
            self.check();
            quiet = if self.summary() == before { quiet + 1 } else { 0 };
            if quiet > PATIENCE / 60 + 2 {
                break;
            }
        }
        self.at_rest();
    }

    /// What changes while something goes on.
    fn summary(&self) -> (usize, Vec<Phase>) {
        (self.commits.len(), self.promotions.iter().map(|it| it.state.phase).collect())
    }

    fn event(&mut self) {
        match self.random.below(18) {
            0 | 1 => self.new_bundle(),
            2 => self.person_commits(),
            3 => self.person_promotes(),
            4 => self.frozen = !self.frozen,
            5 => self.person_resumes(),
            6 => self.person_aborts(),
            8 => self.person_merges(),
            9 => self.person_closes(),
            7 => {
                let seconds = [30, 60, 600, 3600][self.random.below(4)];
                self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
            }
            _ => self.turn(),
        }
    }

    fn turn(&mut self) {
        let at = self.random.below(STAGES.len() + self.promotions.len());
        let _ = if at < STAGES.len() {
            self.stage_turn(at)
        } else {
            self.promotion_turn(at - STAGES.len())
        };
    }

    fn new_bundle(&mut self) {
        let n = self.bundles.len();
        if n < 10 {
            self.bundles.push(bundle(n, self.now));
            let bad = self.random.one_in(3);
            self.bad.push(bad);
        }
    }

    fn person_commits(&mut self) {
        let mut values = self.head().values;
        let stage = self.random.below(2);
        values[stage] = self.random.below(self.bundles.len());
        if values[stage] != self.head().values[stage] {
            self.human[stage] = self.is_a_person_s(stage, values[stage]);
        }
        self.trace.push(format!("a person commits {values:?}"));
        self.commits.push(Commit { promotion: None, values });
    }

    /// Whether a value that a person commits is neither what automation wrote nor what was given free.
    fn is_a_person_s(&self, stage: usize, value: usize) -> bool {
        value != self.machine[stage] && Some(value) != self.given[stage]
    }

    fn person_promotes(&mut self) {
        let (stage, to) = (self.random.below(2), self.random.below(self.bundles.len()));
        let name = format!("{}-by-hand-{}", STAGES[stage], self.promotions.len());
        self.create(stage, &name, Kind::Manual, to);
    }

    fn person_resumes(&mut self) {
        let stage = self.random.below(2);
        if self.stages[stage].state.hold.is_some() {
            self.trace.push(format!("a person resumes {}", STAGES[stage]));
            self.stages[stage].state.hold = None;
            if self.stages[stage].held_by_commit {
                // What the stage runs by then is given free; what it has not seen yet is not.
                let current = self.stages[stage].state.current.clone().unwrap();
                self.given[stage] = Some(self.number(&current.bundle));
                // What a promotion wrote over it since is no person's any more.
                if self.human[stage] {
                    self.machine[stage] = self.number(&current.bundle);
                    self.human[stage] = self.is_a_person_s(stage, self.head().values[stage]);
                }
                self.stages[stage].held_by_commit = false;
            }
        }
    }

    fn person_aborts(&mut self) {
        if let Some(n) = self.promotions.len().checked_sub(1) {
            let at = self.random.below(n + 1);
            self.promotions[at].aborted = true;
            self.promotions[at].version += 1;
        }
    }

    /// Merges a pull request that can be: nobody changed the same value meanwhile.
    fn person_merges(&mut self) {
        let names: Vec<String> = self.pulls.keys().cloned().collect();
        for name in names {
            if self.merge(&name) {
                let stage =
                    self.promotions.iter().find(|it| it.attempt.name == name).unwrap().stage;
                // A person wanted it.
                self.human[stage] = false;
                self.trace.push(format!("a person merges {name}"));
                return;
            }
        }
    }

    /// Whether it is merged now.
    fn merge(&mut self, name: &str) -> bool {
        let Some(Opened::Open(base)) = self.pulls.get(name).copied() else { return false };
        let it = self.promotions.iter().find(|it| it.attempt.name == name).unwrap();
        let (stage, to) = (it.stage, self.number(&it.attempt.bundle));
        let mut values = self.head().values;
        if self.commits[base].values[stage] != values[stage] {
            return false;
        }
        assert!(!self.commits.iter().any(|it| it.promotion.as_deref() == Some(name)), "twice");
        values[stage] = to;
        (self.machine[stage], self.given[stage]) = (to, None);
        self.commits.push(Commit { promotion: Some(name.to_owned()), values });
        self.pulls.insert(name.to_owned(), Opened::Merged);
        true
    }

    fn person_closes(&mut self) {
        let open = self.pulls.values_mut().find(|it| matches!(it, Opened::Open(_)));
        if let Some(it) = open {
            *it = Opened::Closed;
        }
    }

    fn create(&mut self, stage: usize, name: &str, kind: Kind, to: usize) {
        if self.promotions.iter().any(|it| it.attempt.name == name) {
            return;
        }
        let attempt = Attempt {
            name: name.to_owned(),
            kind,
            bundle: self.bundles[to].name.clone(),
            created: self.now,
            by: "alice".to_owned(),
            ..Attempt::default()
        };
        let request = if self.requests.is_some() { Request::Wanted } else { Request::No };
        let pending =
            promotion::State { kind, since: self.now, request, ..promotion::State::default() };
        self.promotions.push(Object {
            attempt,
            state: pending,
            stage,
            parent: None,
            aborted: false,
            version: 0,
        });
    }

    fn head(&self) -> &Commit {
        self.commits.last().unwrap()
    }

    fn number(&self, name: &str) -> usize {
        self.bundles.iter().position(|it| it.name == name).unwrap()
    }

    /// Cut off here, sometimes.
    fn crash(&mut self) -> Result<(), Crash> {
        if !self.calm && self.random.one_in(8) { Err(Crash) } else { Ok(()) }
    }

    /// Somebody else does something here, sometimes.
    fn meanwhile(&mut self) {
        if !self.calm && self.depth == 0 && self.random.one_in(4) {
            self.depth += 1;
            self.event();
            self.depth -= 1;
        }
    }

    fn attempts(&self, stage: usize) -> Vec<Attempt> {
        let own = self.promotions.iter().filter(|it| it.stage == stage);
        own.map(|it| Attempt {
            phase: it.state.phase,
            intended: it.state.intended,
            requested: it.state.request == Request::Made,
            written: it.state.written.clone(),
            ..it.attempt.clone()
        })
        .collect()
    }

    /// The bundles as the stages see them.
    fn known(&self) -> Vec<Bundle> {
        let mut bundles = self.bundles.clone();
        for (n, stage) in STAGES.iter().enumerate() {
            let attempts = self.attempts(n);
            let failed = stage::failed(&attempts);
            for bundle in &mut bundles {
                let verified = attempts
                    .iter()
                    .find(|it| it.phase == Phase::Succeeded && it.bundle == bundle.name);
                if let Some(at) = verified.and_then(|it| it.finished) {
                    let verified = Verified { at, withdrawn: false };
                    bundle.verified.insert((*stage).to_owned(), verified);
                }
                if failed.contains(&bundle.name) {
                    bundle.failed.insert((*stage).to_owned());
                }
            }
        }
        bundles
    }

    fn choice(&self, stage: usize, bundles: &[Bundle]) -> Choice {
        let edge = Edge {
            stage: STAGES[0].to_owned(),
            soak: SignedDuration::from_secs(120),
            mode: SoakMode::SinceVerified,
        };
        let wants = Wants {
            stage: STAGES[stage].to_owned(),
            from: if stage == 0 { Vec::new() } else { vec![edge] },
            pick: self.pick,
            current: self.stages[stage].state.current.as_ref().map(|it| it.bundle.clone()),
            ..Wants::default()
        };
        choose(&wants, bundles, &BTreeMap::<String, Upstream>::new(), self.now)
    }

    fn stage_turn(&mut self, stage: usize) -> Result<(), Crash> {
        let head = self.commits.len() - 1;
        let value = self.head().values[stage];
        self.meanwhile();
        // The stage is read before, and written only if nobody wrote it meanwhile.
        let before = self.stages[stage].state.clone();
        let (bundles, attempts) = (self.known(), self.attempts(stage));
        let choice = self.choice(stage, &bundles);
        let facts = stage::Facts {
            now: self.now,
            pipeline: "shop",
            stage: STAGES[stage],
            auto: true,
            stopped: self.frozen,
            replaces: self.replaces,
            pick: self.pick,
            order: Order::Discovered,
            on_failure: OnFailure {
                rollback: self.rollback,
                deploy: true,
                verify: true,
                fix_forward: self.fix_forward,
                manual: false,
            },
            drift: Drift::Adopt,
            choice: &choice,
            bundles: &bundles,
            attempts: &attempts,
            edited: None,
            branch: Branch::Holds {
                bundle: self.bundles[value].name.clone(),
                commit: head.to_string(),
                author: "alice".to_owned(),
                alike: Vec::new(),
            },
            hold: None,
            resume: false,
            verify: false,
        };
        let decision = stage::decide(&before, &facts);
        if let Some(new) = &decision.create {
            self.crash()?;
            let to = self.number(&new.bundle);
            self.create(stage, &new.name, new.kind, to);
            let made = self.promotions.iter_mut().find(|it| it.attempt.name == new.name).unwrap();
            made.attempt.rollback_of.clone_from(&new.rollback_of);
        }
        self.crash()?;
        if self.stages[stage].state != before {
            return Err(Crash);
        }
        if decision.adopted && before.current.is_none() {
            // What is there at first is where automation starts from.
            self.stages[stage].first = value;
            self.machine[stage] = value;
            self.human[stage] = self.head().values[stage] != value;
        }
        if decision.adopted && before.current.is_some() {
            self.stages[stage].held_by_commit = true;
            self.given[stage] = None;
        }
        if self.stages[stage].state != decision.state {
            let (current, hold) = (decision.state.current.as_ref(), decision.state.hold.as_ref());
            self.trace.push(format!(
                "{} runs {:?}, held {:?}, turn {:?}",
                STAGES[stage],
                current.map(|it| &it.bundle),
                hold.map(|it| &it.reason),
                decision.state.turn
            ));
        }
        self.stages[stage].state = decision.state;
        self.stages[stage].skipped.extend(decision.skipped.into_iter().map(|it| it.0));
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "a turn is one loop over what there is to do")]
    fn promotion_turn(&mut self, at: usize) -> Result<(), Crash> {
        let mut it = self.promotions[at].clone();
        let (mut plan, mut searched, mut deployed) = (None, false, None);
        let mut pull = None;
        for _ in 0..12 {
            let facts_of = |world: &Self, it: &Object| world.implicit(it);
            let implicit = facts_of(self, &it);
            let attempts = self.attempts(it.stage);
            let own = Attempt {
                phase: it.state.phase,
                intended: it.state.intended,
                requested: it.state.request == Request::Made,
                written: it.state.written.clone(),
                ..it.attempt.clone()
            };
            let superseded = stage::superseder(&own, &attempts, self.replaces);
            let context = Map::new();
            let answers = BTreeMap::new();
            let facts = promotion::Facts {
                now: self.now,
                turn: self.stages[it.stage].state.turn.as_ref() == Some(&it.attempt.name),
                stage_gone: None,
                aborted: it.aborted.then(|| "alice".to_owned()),
                rejected: None,
                superseded_by: superseded.map(|it| it.name.clone()),
                moot: stage::moot(&own, &self.stages[it.stage].state),
                implicit,
                artifact_gone: None,
                gates: &[],
                verify: &[],
                context: &context,
                approvals: &[],
                answers: &answers,
                plan: plan.clone(),
                searched,
                pull: pull.clone(),
                merges: self.requests == Some(true),
                patience: None,
                deployed: deployed.clone(),
                timeout: SignedDuration::from_secs(PATIENCE),
                bake: SignedDuration::from_secs(60),
            };
            let step = promotion::next(&it.state, &facts);
            it.state.healthy_since = step.healthy_since;
            match step.action {
                Action::Enter { phase, reason, .. } => self.enter(&mut it, phase, reason),
                Action::Plan => plan = Some(Ok(())),
                Action::Ask(names) => panic!("no gate asks anybody: {names:?}"),
                Action::Search => searched = self.search(&mut it),
                Action::Observe => deployed = Some(self.observe(&it)),
                Action::Look => pull = self.look(&mut it),
                Action::Close(_) => {
                    self.crash()?;
                    let name = it.attempt.name.clone();
                    if let Some(open @ Opened::Open(_)) = self.pulls.get_mut(&name) {
                        *open = Opened::Closed;
                    }
                    self.crash()?;
                    pull = None;
                }
                Action::Merge => {
                    let (name, open) = (it.attempt.name.clone(), self.implicit(&it));
                    assert!(
                        open.iter().all(|it| it.state.is_open()),
                        "{name} merged at a shut gate"
                    );
                    if !self.merge(&name) {
                        break;
                    }
                    assert!(
                        !self.human[it.stage],
                        "{name} merged over a person's commit: {:#?}",
                        self.trace
                    );
                    self.crash()?;
                    pull = None;
                }
                Action::Write if it.state.request != Request::No => {
                    if !self.propose(at, &mut it)? {
                        break;
                    }
                    pull = None;
                }
                Action::Write => {
                    if !self.write(at, &mut it)? {
                        break;
                    }
                }
                Action::Wait { .. } | Action::Done => break,
            }
        }
        self.crash()?;
        self.save(at, &mut it)
    }

    fn enter(&mut self, it: &mut Object, phase: Phase, reason: &str) {
        it.state.phase = phase;
        it.state.since = self.now;
        reason.clone_into(&mut it.attempt.reason);
        if phase.is_terminal() {
            it.attempt.finished = Some(self.now);
        }
    }

    /// Writes the object unless somebody else did; what ended stays as it is.
    fn save(&mut self, at: usize, it: &mut Object) -> Result<(), Crash> {
        let old = &self.promotions[at];
        if old.version != it.version {
            return Err(Crash);
        }
        assert!(
            !old.state.phase.is_terminal() || old.state.phase == it.state.phase,
            "{} changed after its end",
            it.attempt.name
        );
        if self.promotions[at].state != it.state {
            let (name, state) = (&it.attempt.name, &it.state);
            self.trace.push(format!("{name} is {:?}, written {:?}", state.phase, state.written));
        }
        it.version += 1;
        self.promotions[at] = it.clone();
        self.check();
        Ok(())
    }

    fn implicit(&self, it: &Object) -> Vec<Record> {
        let wait = |why: &str| Err((why.to_owned(), None));
        let frozen = self.frozen && it.state.kind != Kind::Rollback;
        let held = self.stages[it.stage].state.hold.is_some() && it.state.kind == Kind::Auto;
        let open = || Ok("open".to_owned());
        vec![
            Record::implicit("freeze", if frozen { wait("frozen") } else { open() }),
            Record::implicit("stage", if held { wait("held") } else { open() }),
        ]
    }

    /// Whether it was looked for and is not there.
    fn search(&mut self, it: &mut Object) -> bool {
        let found = self.find(it);
        if found.is_none() && it.parent != Some(self.commits.len() - 1) {
            // The head is another one: what was tried on the old one can no longer come through.
            it.state.intended = false;
        }
        it.state.written = found.map(|at| at.to_string());
        found.is_none()
    }

    fn find(&self, it: &Object) -> Option<usize> {
        let own = Some(&it.attempt.name);
        self.commits.iter().position(|commit| commit.promotion.as_ref() == own)
    }

    fn observe(&mut self, it: &Object) -> Deployed {
        let to = self.number(&it.attempt.bundle);
        if self.head().values[it.stage] != to {
            return Deployed::Overwritten("by a commit".to_owned());
        }
        match self.random.below(3) {
            0 if self.bad[to] => Deployed::Failed("crash loop".to_owned()),
            0 | 1 if !self.bad[to] => Deployed::Healthy,
            _ => Deployed::Waiting("not ready".to_owned()),
        }
    }

    fn look(&mut self, it: &mut Object) -> Option<Pull> {
        let head = self.commits.len() - 1;
        let holds = self.head().values[it.stage] == self.number(&it.attempt.bundle);
        Some(match self.pulls.get(&it.attempt.name) {
            Some(Opened::Merged) => {
                it.state.written = self.find(it).map(|at| at.to_string());
                return None;
            }
            _ if holds => {
                // What is proposed is there: by whom does not matter.
                self.human[it.stage] = false;
                it.state.written = Some(head.to_string());
                if let Some(open @ Opened::Open(_)) = self.pulls.get_mut(&it.attempt.name) {
                    *open = Opened::Closed;
                }
                return None;
            }
            None => Pull::Absent,
            Some(Opened::Closed) => Pull::Closed,
            Some(Opened::Open(base)) => Pull::Open {
                foreign: None,
                outdated: self.commits[*base].values[it.stage] != self.head().values[it.stage],
            },
        })
    }

    /// Writes a branch and opens a pull request; whether the turn goes on.
    fn propose(&mut self, at: usize, it: &mut Object) -> Result<bool, Crash> {
        let parent = self.commits.len() - 1;
        let (to, value) = (self.number(&it.attempt.bundle), self.head().values[it.stage]);
        let current = self.stages[it.stage].state.current.as_ref();
        let head = write::Head {
            found: None,
            holds_bundle: value == to,
            holds_current: current.is_some_and(|it| self.number(&it.bundle) == value),
        };
        match write::decide(it.state.kind, &head) {
            Write::Found(_) | Write::Overwritten(_) => unreachable!("nothing was looked for"),
            Write::Unchanged => {
                // What automation wrote last stays: whether this is kept is not known yet.
                self.human[it.stage] = false;
                it.state.written = Some(parent.to_string());
            }
            Write::Foreign => {
                self.enter(it, Phase::Gating, "Foreign");
                return Ok(false);
            }
            Write::Commit => {
                it.state.request = Request::Made;
                self.save(at, it)?;
                self.crash()?;
                self.meanwhile();
                let name = it.attempt.name.clone();
                if matches!(self.pulls.get(&name), None | Some(Opened::Open(_))) {
                    self.pulls.insert(name, Opened::Open(parent));
                }
                self.crash()?;
                if it.state.kind == Kind::Manual {
                    self.human[it.stage] = false;
                }
                self.enter(it, Phase::Proposed, "Proposed");
            }
        }
        Ok(true)
    }

    /// Whether the turn goes on.
    fn write(&mut self, at: usize, it: &mut Object) -> Result<bool, Crash> {
        for _ in 0..4 {
            let parent = self.commits.len() - 1;
            let to = self.number(&it.attempt.bundle);
            let value = self.head().values[it.stage];
            let current = self.stages[it.stage].state.current.as_ref();
            let head = write::Head {
                found: self.find(it).map(|at| at.to_string()),
                holds_bundle: value == to,
                holds_current: current.is_some_and(|it| self.number(&it.bundle) == value),
            };
            match write::decide(it.state.kind, &head) {
                Write::Found(commit) => it.state.written = Some(commit),
                Write::Overwritten(commit) => {
                    it.state.written = Some(commit);
                    self.enter(it, Phase::Failed, "Overwritten");
                }
                Write::Unchanged => {
                    it.state.written = Some(parent.to_string());
                    self.save(at, it)?;
                    // People and automation want the same, from when that is told.
                    (self.human[it.stage], self.machine[it.stage]) = (false, to);
                    self.given[it.stage] = None;
                }
                Write::Foreign => {
                    self.enter(it, Phase::Gating, "Foreign");
                    return Ok(false);
                }
                Write::Commit => {
                    it.state.intended = true;
                    it.parent = Some(parent);
                    self.save(at, it)?;
                    self.crash()?;
                    let open = self.implicit(it).iter().all(|it| it.state.is_open());
                    self.meanwhile();
                    if self.commits.len() - 1 != parent {
                        continue;
                    }
                    self.push(it, to, open);
                    self.crash()?;
                    it.state.written = Some((self.commits.len() - 1).to_string());
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn push(&mut self, it: &Object, to: usize, open: bool) {
        let name = &it.attempt.name;
        assert!(open, "{name} was written while a stateless gate was shut");
        assert!(self.find(it).is_none(), "{name} was written twice");
        if it.state.kind == Kind::Manual {
            self.human[it.stage] = false;
        }
        assert!(!self.human[it.stage], "{name} wrote over a person's commit: {:#?}", self.trace);
        let mut values = self.head().values;
        values[it.stage] = to;
        (self.machine[it.stage], self.given[it.stage]) = (to, None);
        self.commits.push(Commit { promotion: Some(name.clone()), values });
    }

    fn check(&self) {
        for (stage, name) in STAGES.iter().enumerate() {
            let active = |it: &&Object| {
                it.stage == stage && it.state.phase > Phase::Gating && !it.state.phase.is_terminal()
            };
            let active: Vec<&str> =
                self.promotions.iter().filter(active).map(|it| &*it.attempt.name).collect();
            assert!(active.len() <= 1, "{active:?} are active at once in {name}");
        }
    }

    /// What must hold once nothing more happens.
    fn at_rest(&self) {
        for (n, stage) in self.stages.iter().enumerate() {
            let name = STAGES[n];
            let open: Vec<_> = self
                .promotions
                .iter()
                .filter(|it| it.stage == n && !it.state.phase.is_terminal())
                .filter(|it| it.state.kind != Kind::Auto || stage.state.hold.is_none())
                .map(|it| (&it.attempt.name, it.state.phase))
                .collect();
            assert!(open.is_empty(), "{name}: {open:?} never ended: {:#?}", self.trace);
            let left = self.promotions.iter().filter(|it| it.state.phase.is_terminal());
            let left = left
                .filter(|it| it.stage == n)
                .find(|it| matches!(self.pulls.get(&it.attempt.name), Some(Opened::Open(_))));
            let left = left.map(|it| &it.attempt.name);
            assert!(left.is_none(), "{left:?} ended with an open pull request: {:#?}", self.trace);
            let Some(current) = &stage.state.current else { panic!("{name} runs nothing") };
            let held = self.head().values[n];
            let stuck =
                self.promotions.iter().any(|it| it.stage == n && !it.state.phase.is_terminal());
            assert!(
                stuck || self.number(&current.bundle) == held,
                "{name} does not run what its branch holds"
            );
            if stage.state.hold.is_none() {
                let candidate = self.choice(n, &self.known()).candidate;
                assert_eq!(candidate, None, "{name} stopped before its candidate");
            }
            // What failed is not there to stay: what it passed over may come yet.
            if current.verified.is_some() || current.promotion.is_none() {
                self.nothing_passed_over(n, &current.bundle);
            }
        }
    }

    fn nothing_passed_over(&self, stage: usize, current: &str) {
        let runs = self.number(current);
        let first = self.stages[stage].first + 1;
        for bundle in &self.bundles[first..runs.max(first)] {
            let tried = self
                .promotions
                .iter()
                .any(|it| it.stage == stage && it.attempt.bundle == bundle.name);
            let recorded = self.stages[stage].skipped.contains(&bundle.name);
            assert!(
                tried || recorded,
                "{} was passed over in {} without a record: {:#?}",
                bundle.name,
                STAGES[stage],
                self.trace
            );
        }
    }
}

fn bundle(n: usize, now: Timestamp) -> Bundle {
    Bundle {
        name: format!("shop-{n:02}"),
        version: Some(format!("1.{n}.0")),
        discovered: now
            .saturating_add(SignedDuration::from_secs(i64::try_from(n).unwrap()))
            .unwrap(),
        ..Bundle::default()
    }
}

#[test]
fn no_sequence_of_crashes_and_events_breaks_an_invariant() {
    let full = std::env::var_os("SLUICE_FULL").is_some();
    let runs: u64 = if full { 120_000 } else { 4_000 };
    let first = std::env::var("SLUICE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("pipeline model: seeds {first} to {}", first + runs - 1);
    let (mut commits, mut promotions) = (0, 0);
    for seed in first..first + runs {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.run();
            (world.commits.len(), world.promotions.len())
        });
        let Ok((written, made)) = outcome else { panic!("broken with SLUICE_SEED={seed}") };
        commits += written;
        promotions += made;
    }
    println!("pipeline model: {runs} runs, {promotions} promotions, {commits} commits");
    assert!(commits > usize::try_from(runs).unwrap(), "the model does nothing");
}
