//! How a Deployment moves its replicas from old ReplicaSets to the new one.

use serde_json::Value;

/// One ReplicaSet of a Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) name: String,
    /// How many replicas it is told to have.
    pub(super) wanted: i64,
    /// How many Pods it has.
    pub(super) actual: i64,
    /// How many of them are available.
    pub(super) available: i64,
}

/// How far a rolling update may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) replicas: i64,
    /// So many more than wanted there may be.
    pub(super) surge: i64,
    /// So many of the wanted may be missing.
    pub(super) unavailable: i64,
}

impl Limits {
    /// The limits of a Deployment: shares are of its replicas.
    pub(super) fn of(deployment: &Value) -> Self {
        let spec = &deployment["spec"];
        let replicas = spec["replicas"].as_i64().unwrap_or(1);
        let update = &spec["strategy"]["rollingUpdate"];
        let surge = amount(&update["maxSurge"], replicas, true);
        let mut unavailable = amount(&update["maxUnavailable"], replicas, false);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas) }
    }
}

/// A number, or a percentage of `whole`.
pub(super) fn amount(value: &Value, whole: i64, up: bool) -> i64 {
    let Some(percent) = value.as_str().and_then(|it| it.strip_suffix('%')?.parse::<i64>().ok())
    else {
        return value.as_i64().unwrap_or(0);
    };
    (whole * percent + if up { 99 } else { 0 }) / 100
}

/// What the new set is to have when it is made.
pub(super) fn initial(limits: Limits, old: &[Set], recreate: bool) -> i64 {
    let present: i64 = old.iter().map(|set| set.wanted).sum();
    if recreate {
        let left: i64 = old.iter().map(|set| set.actual).sum();
        return if present + left == 0 { limits.replicas } else { 0 };
    }
    (limits.replicas + limits.surge - present).clamp(0, limits.replicas)
}

/// The next step: which sets are told other numbers. None when it is done or must wait.
pub(super) fn step(limits: Limits, new: &Set, old: &[Set], recreate: bool) -> Vec<(String, i64)> {
    let tell = |set: &Set, replicas: i64| (set.name.clone(), replicas);
    if recreate {
        let living = old.iter().filter(|set| set.wanted > 0);
        let down: Vec<_> = living.map(|set| tell(set, 0)).collect();
        if !down.is_empty() {
            return down;
        }
        let ended = old.iter().all(|set| set.actual == 0);
        let up = ended && new.wanted != limits.replicas;
        return if up { vec![tell(new, limits.replicas)] } else { Vec::new() };
    }
    let present: i64 = new.wanted + old.iter().map(|set| set.wanted).sum::<i64>();
    if new.wanted > limits.replicas {
        return vec![tell(new, limits.replicas)];
    }
    let up = (limits.replicas + limits.surge - present).clamp(0, limits.replicas - new.wanted);
    if up > 0 {
        return vec![tell(new, new.wanted + up)];
    }
    down(limits, new, old, present)
}

/// Takes away old replicas: first those that do not work, then as many as may be missed.
fn down(limits: Limits, new: &Set, old: &[Set], present: i64) -> Vec<(String, i64)> {
    let needed = limits.replicas - limits.unavailable;
    let mut budget = present - needed - (new.wanted - new.available);
    let mut wanted: Vec<i64> = old.iter().map(|set| set.wanted).collect();
    for (set, wanted) in old.iter().zip(&mut wanted) {
        let broken = (set.wanted - set.available).clamp(0, budget.max(0));
        *wanted -= broken;
        budget -= broken;
    }
    let available: i64 = new.available + old.iter().map(|set| set.available).sum::<i64>();
    let mut spare = available - needed;
    for wanted in &mut wanted {
        let less = (*wanted).clamp(0, spare.max(0));
        *wanted -= less;
        spare -= less;
    }
    let changed = old.iter().zip(wanted).filter(|(set, wanted)| set.wanted != *wanted);
    changed.map(|(set, wanted)| (set.name.clone(), wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(name: &str, wanted: i64, available: i64) -> Set {
        Set { name: name.to_owned(), wanted, actual: wanted, available }
    }

    fn limits(replicas: i64, surge: &str, unavailable: &str) -> Limits {
        Limits::of(&json!({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": {
            "maxSurge": surge, "maxUnavailable": unavailable}}}}))
    }

    #[test]
    fn shares_are_rounded_in_favour_of_the_running() {
        let of = limits(10, "25%", "25%");
        assert_eq!(of, Limits { replicas: 10, surge: 3, unavailable: 2 });
        assert_eq!(limits(1, "0%", "0%").unavailable, 1);
    }

    #[test]
    fn a_rolling_update_comes_to_its_end_and_keeps_enough() {
        let limits = limits(4, "25%", "25%");
        let mut old = vec![set("old", 4, 4)];
        let mut new = set("new", initial(limits, &old, false), 0);
        for _ in 0..20 {
            new.available = new.wanted;
            for (name, wanted) in step(limits, &new, &old, false) {
                let set = if name == "new" { &mut new } else { &mut old[0] };
                set.wanted = wanted;
                set.available = set.available.min(wanted);
            }
            let available = new.available + old[0].available;
            assert!(available >= 3, "{available} are left");
            assert!(new.wanted + old[0].wanted <= 5);
        }
        assert_eq!((new.wanted, old[0].wanted), (4, 0));
    }

    #[test]
    fn an_update_that_does_not_get_ready_keeps_the_old() {
        let limits = limits(4, "25%", "25%");
        let (new, old) = (set("new", 2, 0), [set("old", 3, 3)]);
        assert_eq!(step(limits, &new, &old, false), []);
    }

    #[test]
    fn recreating_ends_all_before_it_makes_any() {
        let limits = limits(2, "25%", "25%");
        let (new, old) = (set("new", 0, 0), set("old", 2, 2));
        assert_eq!(initial(limits, std::slice::from_ref(&old), true), 0);
        assert_eq!(step(limits, &new, std::slice::from_ref(&old), true), [("old".to_owned(), 0)]);
        let ending = Set { wanted: 0, ..old };
        assert_eq!(step(limits, &new, std::slice::from_ref(&ending), true), []);
        let ended = Set { actual: 0, ..ending };
        assert_eq!(step(limits, &new, &[ended], true), [("new".to_owned(), 2)]);
    }
}
