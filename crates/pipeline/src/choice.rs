//! Which bundle comes next into a stage, and why no other does.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::bundle::{Bundle, Order};

/// What a stage wants.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// Name of the stage.
    pub stage: String,
    /// The stages in which a bundle must be verified.
    pub from: Vec<Edge>,
    /// In how many of them.
    pub policy: Policy,
    /// Which of several bundles.
    pub pick: Pick,
    /// The bundle it shall run, whatever else there is.
    pub pin: Option<String>,
    /// The bundle it runs.
    pub current: Option<String>,
    /// Which of two bundles is newer.
    pub order: Order,
}

/// A stage in which a bundle must be verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    /// Its name.
    pub stage: String,
    /// How long.
    pub soak: SignedDuration,
    /// What counts.
    pub mode: SoakMode,
}

/// What counts as being in a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SoakMode {
    /// It still runs there, and the stage is healthy.
    #[default]
    Continuous,
    /// It was verified there, and nobody withdrew that.
    SinceVerified,
}

/// In how many of the stages it comes from a bundle must be verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// In all.
    #[default]
    All,
    /// In one.
    Any,
}

/// Which of several bundles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pick {
    /// The newest.
    #[default]
    Newest,
    /// What the stage upstream runs.
    Upstream,
    /// The oldest that is newer than what runs.
    Sequential,
}

/// How a stage upstream stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The bundle it runs.
    pub current: Option<String>,
    /// Since when it is healthy; not when it is not.
    pub healthy_since: Option<Timestamp>,
}

/// Why a bundle does not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Something of it can no longer be had.
    Unavailable(String),
    /// Somebody does not want it.
    Rejected(String),
    /// It failed there.
    Failed,
    /// It is verified in too few stages; the text says in which.
    Unverified(String),
    /// It has not been long enough where it is.
    Soaking(String),
    /// The stage runs it, or something newer.
    NotNewer,
    /// The stage shall run another one.
    Pinned,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "not available: {why}"),
            Self::Rejected(by) => write!(f, "rejected by {by}"),
            Self::Failed => f.write_str("failed in this stage before"),
            Self::Unverified(why) | Self::Soaking(why) => f.write_str(why),
            Self::NotNewer => f.write_str("not newer than what runs"),
            Self::Pinned => f.write_str("the stage is pinned to another bundle"),
        }
    }
}

/// How one edge stands for one bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It lets it through; the text says since when.
    Passed(String),
    /// It was not verified there, or that was withdrawn.
    Unverified(String),
    /// It must be there for longer; when that can be over.
    Soaking(String, Option<Timestamp>),
}

/// What is decided about one bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its name.
    pub bundle: String,
    /// What is in its way; nothing if it may come.
    pub obstacles: Vec<Obstacle>,
    /// When that can change by itself.
    pub until: Option<Timestamp>,
}

/// What comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The bundle that may come.
    pub candidate: Option<String>,
    /// The bundle that would, if what is in its way were not: the one to show when none may.
    pub prospect: Option<String>,
    /// What is decided about every bundle, oldest first.
    pub verdicts: Vec<Verdict>,
    /// When the choice can change by itself.
    pub next_change: Option<Timestamp>,
}

/// How an edge stands for a bundle.
pub fn edge(edge: &Edge, bundle: &Bundle, upstream: Option<&Upstream>, now: Timestamp) -> Standing {
    let stage = &edge.stage;
    let Some(verified) = bundle.verified.get(stage) else {
        return Standing::Unverified(format!("not verified in {stage} yet"));
    };
    if verified.withdrawn {
        return Standing::Unverified(format!("its verification in {stage} was withdrawn"));
    }
    if edge.soak <= SignedDuration::ZERO {
        return Standing::Passed(format!("verified in {stage} at {}", verified.at));
    }
    let since = match edge.mode {
        SoakMode::SinceVerified => verified.at,
        SoakMode::Continuous => {
            let running = upstream.filter(|it| it.current.as_ref() == Some(&bundle.name));
            let Some(upstream) = running else {
                let why = format!("no longer runs in {stage}; soakMode Continuous wants it to");
                return Standing::Soaking(why, None);
            };
            let Some(healthy) = upstream.healthy_since else {
                return Standing::Soaking(format!("{stage} is not healthy"), None);
            };
            verified.at.max(healthy)
        }
    };
    let until = since.saturating_add(edge.soak).unwrap_or(Timestamp::MAX);
    if until <= now {
        return Standing::Passed(format!("verified in {stage} at {}, soaked", verified.at));
    }
    Standing::Soaking(format!("soaks in {stage} until {until}"), Some(until))
}

/// How all edges together stand for a bundle.
pub fn upstream(
    wants: &Wants,
    bundle: &Bundle,
    upstreams: &BTreeMap<String, Upstream>,
    now: Timestamp,
) -> Standing {
    if wants.from.is_empty() {
        return Standing::Passed("straight from the pipeline".to_owned());
    }
    let standings = wants.from.iter().map(|it| edge(it, bundle, upstreams.get(&it.stage), now));
    let standings: Vec<Standing> = standings.collect();
    let passed = |it: &&Standing| matches!(it, Standing::Passed(_));
    let enough = match wants.policy {
        Policy::All => standings.iter().all(|it| passed(&it)),
        Policy::Any => standings.iter().any(|it| passed(&it)),
    };
    if enough {
        let texts = standings.iter().filter_map(|it| match it {
            Standing::Passed(text) => Some(text.as_str()),
            Standing::Unverified(_) | Standing::Soaking(..) => None,
        });
        return Standing::Passed(texts.collect::<Vec<_>>().join("; "));
    }
    combine(standings, wants.policy)
}

/// What is missing: with All the last to come counts, with Any the first.
fn combine(standings: Vec<Standing>, policy: Policy) -> Standing {
    let (mut unverified, mut soaking, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for standing in standings {
        match standing {
            Standing::Passed(_) => {}
            Standing::Unverified(why) => unverified.push(why),
            Standing::Soaking(why, until) => {
                soaking.push(why);
                times.push(until);
            }
        }
    }
    let blocked = match policy {
        Policy::All => !unverified.is_empty(),
        Policy::Any => soaking.is_empty(),
    };
    if blocked {
        return Standing::Unverified(unverified.join("; "));
    }
    let until = match policy {
        Policy::All => {
            times.iter().copied().collect::<Option<Vec<_>>>().and_then(|it| it.into_iter().max())
        }
        Policy::Any => times.into_iter().flatten().min(),
    };
    Standing::Soaking(soaking.join("; "), until)
}

/// Chooses among all bundles of a pipeline.
pub fn choose(
    wants: &Wants,
    bundles: &[Bundle],
    upstreams: &BTreeMap<String, Upstream>,
    now: Timestamp,
) -> Choice {
    let mut sorted: Vec<&Bundle> = bundles.iter().collect();
    sorted.sort_by(|a, b| wants.order.compare(a, b));
    let current = sorted.iter().find(|it| Some(&it.name) == wants.current.as_ref()).copied();
    let verdicts: Vec<Verdict> =
        sorted.iter().map(|it| verdict(wants, it, current, upstreams, now)).collect();
    let free = |it: &&Verdict| it.obstacles.is_empty();
    let from_upstream = |it: &&Verdict| {
        wants.pick != Pick::Upstream
            || wants.from.is_empty()
            || wants.from.iter().any(|edge| {
                upstreams.get(&edge.stage).is_some_and(|up| up.current.as_ref() == Some(&it.bundle))
            })
    };
    let mut eligible =
        verdicts.iter().filter(free).filter(|it| wants.pin.is_some() || from_upstream(it));
    let candidate = match wants.pick {
        Pick::Sequential => eligible.next(),
        Pick::Newest | Pick::Upstream => eligible.next_back(),
    };
    let candidate = candidate.map(|it| it.bundle.clone());
    let coming = |it: &&Verdict| it.until.is_some() || it.obstacles.iter().all(is_upstream);
    let prospect = verdicts.iter().rev().find(coming).map(|it| it.bundle.clone());
    let next_change = verdicts.iter().filter_map(|it| it.until).min();
    Choice { prospect: candidate.clone().or(prospect), candidate, verdicts, next_change }
}

fn is_upstream(obstacle: &Obstacle) -> bool {
    matches!(obstacle, Obstacle::Unverified(_) | Obstacle::Soaking(_))
}

fn verdict(
    wants: &Wants,
    bundle: &Bundle,
    current: Option<&Bundle>,
    upstreams: &BTreeMap<String, Upstream>,
    now: Timestamp,
) -> Verdict {
    let mut obstacles = Vec::new();
    let mut until = None;
    if let Some(why) = &bundle.unavailable {
        obstacles.push(Obstacle::Unavailable(why.clone()));
    }
    if let Some(by) = bundle.rejected_in(&wants.stage) {
        obstacles.push(Obstacle::Rejected(by.to_owned()));
    }
    let runs = current.is_some_and(|it| it.name == bundle.name);
    if let Some(pin) = &wants.pin {
        if *pin != bundle.name {
            obstacles.push(Obstacle::Pinned);
        } else if runs {
            obstacles.push(Obstacle::NotNewer);
        }
    } else {
        if bundle.failed.contains(&wants.stage) {
            obstacles.push(Obstacle::Failed);
        }
        // What was read from a branch is where it is; automation takes it nowhere else.
        let newer =
            !bundle.adopted && current.is_none_or(|it| wants.order.compare(bundle, it).is_gt());
        if !newer {
            obstacles.push(Obstacle::NotNewer);
        }
    }
    let pinned_back = wants.pin.is_some() && bundle.verified.contains_key(&wants.stage);
    if obstacles.is_empty() && !pinned_back {
        match upstream(wants, bundle, upstreams, now) {
            Standing::Passed(_) => {}
            Standing::Unverified(why) => obstacles.push(Obstacle::Unverified(why)),
            Standing::Soaking(why, at) => {
                until = at;
                obstacles.push(Obstacle::Soaking(why));
            }
        }
    }
    Verdict { bundle: bundle.name.clone(), obstacles, until }
}
