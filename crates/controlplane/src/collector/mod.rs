//! What follows by itself: dependents go with their owners, contents with their namespace, instances
//! with their definition; Events end after an hour.
//!
//! One thread hears of every change and answers with further ones, as the controllers of
//! kube-controller-manager do. What fails is tried again every second.

mod aggregate;
mod content;
mod owner;
mod protection;

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::Error;
use crate::api::Api;
use crate::catalog::{DEFINITIONS, NAMESPACES};
use crate::object::{DeleteOptions, Target, Write};
use crate::status::Served;
use crate::store::{self, Event, Path, ResourceId};

/// How long Events are kept.
const EVENT_LIFE: SignedDuration = SignedDuration::from_hours(1);
const EVENTS: &str = "/events";
/// The name of the `ConfigMap` that tells every namespace by which certificates the server is known.
const AUTHORITY: &str = "kube-root-ca.crt";
const AUTHORITY_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
/// How often it is looked for Events that are too old.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How long failed work waits.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// An object that may have lost its owners.
    Owned(ResourceId, Path),
    /// An object on its way out.
    Leaving(ResourceId, Path),
    /// A namespace that is new, or lost what each has.
    Settle(Path),
    /// `ClusterRoles` that gather the rules of others.
    Gather,
}

/// The thread.
pub(crate) struct Collector {
    thread: JoinHandle<()>,
}

impl Collector {
    /// Starts on what `api` holds and goes on with what changes.
    pub(crate) fn start(api: &Arc<Api>, authority: Option<String>) -> Result<Self, Error> {
        let (sender, events) = mpsc::channel();
        api.store.observe(sender);
        let mut work = Work { api: api.clone(), authority, todo: BTreeSet::new() };
        work.review_everything();
        work.work();
        let thread = std::thread::Builder::new()
            .name("controlplane-gc".to_owned())
            .spawn(move || work.run(&events))
            .map_err(|e| Error::Start(format!("collector thread: {e}")))?;
        Ok(Self { thread })
    }

    /// Waits for the thread, which ends when the store no longer tells it of changes.
    pub(crate) fn join(self) {
        // A panic in the thread has been reported by the panic hook already.
        let _ = self.thread.join();
    }
}

struct Work {
    api: Arc<Api>,
    /// What goes into the `ConfigMap` of every namespace.
    authority: Option<String>,
    todo: BTreeSet<Task>,
}

impl Work {
    fn run(&mut self, events: &mpsc::Receiver<Arc<Event>>) {
        let mut sweep = Instant::now();
        loop {
            let wait = if self.todo.is_empty() { SWEEP_EVERY } else { RETRY_AFTER };
            match events.recv_timeout(wait) {
                Ok(event) => {
                    self.hear(&event);
                    for event in events.try_iter() {
                        self.hear(&event);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.work();
            if sweep.elapsed() >= SWEEP_EVERY {
                sweep = Instant::now();
                self.sweep_events();
            }
        }
    }

    /// After a restart: whatever was not finished.
    fn review_everything(&mut self) {
        self.todo.insert(Task::Gather);
        for resource in self.api.store.resources() {
            for (path, object) in self.api.store.all(&resource, "") {
                if object.meta.deleting {
                    self.todo.insert(Task::Leaving(resource.clone(), path.clone()));
                }
                if !object.meta.owners.is_empty() {
                    self.todo.insert(Task::Owned(resource.clone(), path.clone()));
                }
                if *resource == *NAMESPACES {
                    self.todo.insert(Task::Settle(path));
                }
            }
        }
    }

    /// Notes what an event asks for.
    fn hear(&mut self, event: &Event) {
        if *event.resource == *aggregate::CLUSTER_ROLES {
            self.todo.insert(Task::Gather);
        }
        let meta = &event.object.meta;
        let place = || (event.resource.clone(), event.path.clone());
        if event.deleted {
            for (resource, path) in self.api.store.dependents(&meta.uid) {
                self.todo.insert(Task::Owned(resource, path));
            }
            for owner in &meta.owners {
                self.leaving_if_marked(self.api.store.place(owner));
            }
            if let Some((namespace, _)) = event.path.split_once('/') {
                if &*event.resource == "/pods" {
                    for (claims, path) in protection::claims(namespace, &event.object.value()) {
                        self.leaving_if_marked(Some((claims.into(), path.into())));
                    }
                }
                let owned = [("/serviceaccounts", "default"), ("/configmaps", AUTHORITY)];
                if owned.contains(&(&*event.resource, &event.path[namespace.len() + 1..])) {
                    self.todo.insert(Task::Settle(namespace.into()));
                }
                self.leaving_if_marked(Some((NAMESPACES.into(), namespace.into())));
            }
            let index = self.api.catalog.index();
            if let Some(custom) = index.stored(&event.resource).and_then(|r| r.custom()) {
                let definition = custom.definition.as_str().into();
                self.leaving_if_marked(Some((DEFINITIONS.into(), definition)));
            }
            return;
        }
        let (resource, path) = place();
        if meta.deleting {
            self.todo.insert(Task::Leaving(resource.clone(), path.clone()));
            for owner in &meta.owners {
                self.leaving_if_marked(self.api.store.place(owner));
            }
        }
        let owners_before = event.previous.as_ref().map(|p| &p.meta.owners);
        if !meta.owners.is_empty() && owners_before != Some(&meta.owners) {
            self.todo.insert(Task::Owned(resource, path));
        } else if *event.resource == *NAMESPACES && event.previous.is_none() {
            self.todo.insert(Task::Settle(path));
        }
    }

    fn leaving_if_marked(&mut self, place: Option<(ResourceId, Path)>) {
        if let Some((resource, path)) = place
            && self.api.store.get(&resource, &path).is_some_and(|o| o.meta.deleting)
        {
            self.todo.insert(Task::Leaving(resource, path));
        }
    }

    /// Does what is noted; what fails stays noted.
    fn work(&mut self) {
        for task in std::mem::take(&mut self.todo) {
            let done = match &task {
                Task::Owned(resource, path) => owner::review(&self.api, resource, path),
                Task::Leaving(resource, path) => self.leave(resource, path),
                Task::Settle(namespace) => settle(&self.api, namespace, self.authority.as_deref()),
                Task::Gather => aggregate::gather(&self.api),
            };
            if let Err(refused) = done
                && refused.code >= 500
            {
                tracing::warn!(?task, answer = %refused.body(), "cleaning up did not work yet");
                self.todo.insert(task);
            }
        }
    }

    fn leave(&self, resource: &ResourceId, path: &str) -> Served<()> {
        owner::leave(&self.api, resource, path)?;
        match &**resource {
            NAMESPACES => content::empty_namespace(&self.api, path),
            DEFINITIONS => content::empty_definition(&self.api, path),
            _ => protection::release(&self.api, resource, path),
        }
    }

    fn sweep_events(&self) {
        let now = Timestamp::now();
        let Some(target) = target(&self.api, EVENTS, "/") else { return };
        for (path, object) in self.api.store.all(EVENTS, "") {
            let event = object.value();
            let last = [
                "/lastTimestamp",
                "/series/lastObservedTime",
                "/eventTime",
                "/metadata/creationTimestamp",
            ]
            .iter()
            .filter_map(|p| event.pointer(p)?.as_str()?.parse::<Timestamp>().ok())
            .max();
            if last.is_some_and(|last| now.duration_since(last) > EVENT_LIFE) {
                let (namespace, name) = path.split_once('/').unwrap_or(("", &path));
                let old = Target {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    ..target.clone()
                };
                if let Err(refused) = self.api.delete_blocking(&old, &DeleteOptions::default()) {
                    tracing::debug!(answer = %refused.body(), "an old Event stays");
                }
            }
        }
    }
}

/// The stored object at `path` as something to act on.
fn target(api: &Api, resource: &str, path: &str) -> Option<Target> {
    let resource = api.catalog.index().stored(resource)?.clone();
    let (namespace, name) = if resource.namespaced { path.split_once('/')? } else { ("", path) };
    Some(Target {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
        resource,
    })
}

/// Gives a namespace what each has: its `ServiceAccount` and the server's authority.
fn settle(api: &Api, namespace: &str, authority: Option<&str>) -> Served<()> {
    if api.store.get(NAMESPACES, namespace).is_none_or(|home| home.meta.deleting) {
        return Ok(());
    }
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"},
    });
    ensure(api, "/serviceaccounts", &format!("{namespace}/default"), account)?;
    let Some(authority) = authority else { return Ok(()) };
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": AUTHORITY,
            "annotations": {"kubernetes.io/description": AUTHORITY_DESCRIPTION},
        },
        "data": {"ca.crt": authority},
    });
    ensure(api, "/configmaps", &format!("{namespace}/{AUTHORITY}"), map)
}

/// Creates an object unless it is there.
fn ensure(api: &Api, store: &str, path: &str, object: Value) -> Served<()> {
    let Some(target) = target(api, store, path) else { return Ok(()) };
    if api.store.get(store, path).is_some() {
        return Ok(());
    }
    let write = Write { manager: "kube-controller-manager".to_owned(), ..Write::default() };
    let target = Target { name: String::new(), ..target };
    store::wait(api.create(&target, object, &write)).map(drop)
}
