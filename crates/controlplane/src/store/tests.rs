//! Properties of the store, and what happens when its log fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const RESOURCE: &str = "/things";
const SMALL: Window = Window { events: 8, bytes: 1 << 20 };

fn thing(name: &str, label: u8) -> Draft {
    Draft::new(&json!({
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {"name": name, "uid": name, "labels": {"l": label.to_string()}},
    }))
}

fn change(name: &str, expect: Option<u64>, label: u8, delete: bool) -> Change {
    Change {
        resource: RESOURCE.into(),
        path: name.into(),
        expect,
        within: None,
        draft: thing(name, label),
        delete,
    }
}

/// Creates, changes or deletes one of a few objects.
fn step(store: &Store, name: &str, label: u8, delete: bool) {
    let expect = store.get(RESOURCE, name).map(|o| o.revision);
    let delete = delete && expect.is_some();
    store.commit_blocking(change(name, expect, label, delete)).unwrap();
}

type Snapshot = BTreeMap<String, Value>;

fn snapshot(store: &Store, start: Start) -> Result<Snapshot, Expired> {
    let selector = Selector::default();
    let query = Query { resource: RESOURCE, prefix: "", selector: &selector, limit: 0, start };
    let page = store.list(&query)?;
    Ok(page.objects.into_iter().map(|(path, o)| (path.into(), o.value())).collect())
}

fn steps() -> impl Strategy<Value = Vec<(u8, u8, bool)>> {
    prop::collection::vec((0..6_u8, 0..3_u8, any::<bool>()), 1..40)
}

proptest! {
    #[test]
    fn the_past_is_what_it_was_or_forgotten(steps in steps()) {
        let store = Store::in_memory(SMALL);
        let mut past = vec![(store.revision(), Snapshot::new())];
        for (name, label, delete) in &steps {
            step(&store, &format!("o{name}"), *label, *delete);
            past.push((store.revision(), snapshot(&store, Start::Now).unwrap()));
        }
        let newest = store.revision();
        for (revision, then) in past {
            match snapshot(&store, Start::At(revision)) {
                Ok(found) => prop_assert_eq!(found, then),
                Err(Expired(oldest)) => {
                    prop_assert!(revision < oldest, "{revision} is kept since {oldest}");
                    prop_assert!(newest - revision > SMALL.events as u64, "too early");
                }
            }
        }
    }

    #[test]
    fn pages_make_up_the_list_whatever_happens_between(
        before in steps(),
        between in prop::collection::vec((0..6_u8, 0..3_u8, any::<bool>()), 0..4),
        limit in 1..4_usize,
    ) {
        let store = Store::in_memory(Window { events: 1000, ..SMALL });
        for (name, label, delete) in &before {
            step(&store, &format!("o{name}"), *label, *delete);
        }
        let whole = snapshot(&store, Start::Now).unwrap();
        let mut between = between.iter();
        let mut pages = Snapshot::new();
        let mut start = Start::Now;
        loop {
            let selector = Selector::default();
            let query = Query { resource: RESOURCE, prefix: "", selector: &selector, limit, start };
            let page = store.list(&query).unwrap();
            prop_assert!(page.objects.len() <= limit);
            pages.extend(page.objects.into_iter().map(|(path, o)| (path.into(), o.value())));
            let Some(next) = page.next else { break };
            start = Start::After(next.into(), page.revision);
            if let Some((name, label, delete)) = between.next() {
                step(&store, &format!("o{name}"), *label, *delete);
            }
        }
        prop_assert_eq!(pages, whole);
    }

    #[test]
    fn a_watcher_that_keeps_up_sees_the_same(steps in steps(), pull_every in 1..6_usize) {
        let store = Store::in_memory(SMALL);
        let (mut seen, mut cursor) = (Snapshot::new(), store.revision());
        for (position, (name, label, delete)) in steps.iter().enumerate() {
            step(&store, &format!("o{name}"), *label, *delete);
            if position % pull_every == 0 || position + 1 == steps.len() {
                let (events, next) = store.since(RESOURCE, cursor, usize::MAX).unwrap();
                prop_assert!(events.windows(2).all(|w| w[0].revision < w[1].revision));
                for event in events {
                    prop_assert_eq!(event.previous.is_some(), seen.contains_key(&*event.path));
                    if event.deleted {
                        seen.remove(&*event.path);
                    } else {
                        seen.insert(event.path.to_string(), event.object.value());
                    }
                }
                cursor = next;
            }
        }
        prop_assert_eq!(seen, snapshot(&store, Start::Now).unwrap());
    }
}

proptest! {
    // Every case waits for the disk many times.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_log_gives_back_what_it_was_given(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let log = crate::log::Disk::open(folder.path()).unwrap();
            Store::durable(SMALL, Box::new(log)).unwrap()
        };
        let (half, rest) = steps.split_at(steps.len() / 2);
        let memory = Store::in_memory(SMALL);
        for part in [half, rest] {
            let disk = open();
            for (name, label, delete) in part {
                step(&disk, &format!("o{name}"), *label, *delete);
                step(&memory, &format!("o{name}"), *label, *delete);
            }
        }
        let disk = open();
        prop_assert_eq!(disk.revision(), memory.revision());
        prop_assert_eq!(snapshot(&disk, Start::Now), snapshot(&memory, Start::Now));
        let history = |store: &Store| {
            let from = store.revision().saturating_sub(SMALL.events as u64);
            let (events, _) = store.since(RESOURCE, from, usize::MAX).unwrap();
            events.iter().map(|e| (e.revision, e.path.clone(), e.deleted, e.previous.is_some())).collect::<Vec<_>>()
        };
        prop_assert_eq!(history(&disk), history(&memory));
    }
}

#[test]
fn two_writers_cannot_both_win() {
    let store = Store::in_memory(SMALL);
    let made = store.commit_blocking(change("a", None, 0, false)).unwrap();
    assert!(matches!(store.commit_blocking(change("a", None, 0, false)), Err(Refusal::Exists)));
    let seen = Some(made.revision);
    store.commit_blocking(change("a", seen, 1, false)).unwrap();
    assert!(matches!(store.commit_blocking(change("a", seen, 2, false)), Err(Refusal::Moved)));
    assert!(matches!(store.commit_blocking(change("b", seen, 2, false)), Err(Refusal::Gone)));
    let homeless =
        Change { within: Some(("/homes".into(), "h".into())), ..change("c", None, 0, false) };
    assert!(matches!(store.commit_blocking(homeless), Err(Refusal::Homeless)));
}

/// A disk that can be full.
struct Full {
    full: Arc<AtomicBool>,
    kept: Arc<Mutex<Vec<u64>>>,
}

impl Log for Full {
    fn load(&mut self, _: &mut State) -> Result<(), Error> {
        Ok(())
    }

    fn append(&mut self, events: &[Arc<Event>], _: Trim) -> Result<(), Error> {
        if self.full.load(Ordering::SeqCst) {
            return Err(Error::Log("no space left on device".to_owned()));
        }
        self.kept.lock().extend(events.iter().map(|e| e.revision));
        Ok(())
    }
}

#[test]
fn a_full_disk_refuses_writes_and_lets_reads_go_on() {
    let (full, kept) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let log = Full { full: full.clone(), kept: kept.clone() };
    let store = Store::durable(SMALL, Box::new(log)).unwrap();
    let first = store.commit_blocking(change("a", None, 0, false)).unwrap();
    full.store(true, Ordering::SeqCst);
    match store.commit_blocking(change("b", None, 0, false)) {
        Err(Refusal::Unkept(why)) => assert!(why.contains("no space left"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(store.get(RESOURCE, "b").is_none(), "nothing half-written is seen");
    assert_eq!(store.revision(), first.revision);
    assert!(store.get(RESOURCE, "a").is_some(), "reads go on");
    full.store(false, Ordering::SeqCst);
    let second = store.commit_blocking(change("b", None, 0, false)).unwrap();
    assert_eq!(*kept.lock(), [first.revision, second.revision]);
}
