//! Watches of kinds that are known only at run time: what an object waits for may be of any kind.
//!
//! Only metadata is fetched and nothing is kept: a change says that something happened, and whoever
//! is woken reads what it is about, as itself.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt as _;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};
use parking_lot::Mutex;

use crate::patch::describe;
use crate::watch::Wake;
use crate::{Host, Key, Reference};

/// The kinds that are followed, and who is woken.
#[derive(Clone, Default)]
pub(crate) struct Followed {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    kinds: Mutex<HashSet<(String, String)>>,
    wakes: Mutex<Vec<Wake>>,
}

impl Followed {
    /// Wakes with every change of a followed kind from now on.
    pub(crate) fn subscribe(&self, wake: Wake) {
        self.inner.wakes.lock().push(wake);
    }

    fn tell(&self, resource: &ApiResource, object: &PartialObjectMeta<DynamicObject>) {
        let meta = &object.metadata;
        let key = Key::new(
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        );
        let changed = Reference::named(&resource.group, &resource.kind, key.namespace, key.name);
        for wake in self.inner.wakes.lock().iter() {
            wake(&changed);
        }
    }
}

impl Host {
    /// Watches a kind from now on, if it is not watched yet, for those who asked for
    /// [`Watch::followed`](crate::Watch::followed). Must be called within the runtime.
    ///
    /// A kind that may not be watched wakes nobody: what waits for it needs a deadline.
    pub fn follow(&self, resource: &ApiResource) {
        let kind = (resource.group.clone(), resource.kind.clone());
        if !self.followed.inner.kinds.lock().insert(kind) {
            return;
        }
        let (followed, resource) = (self.followed.clone(), resource.clone());
        let (client, stop) = (self.client.clone(), self.stop().clone());
        let work = async move {
            let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &resource);
            let events = watcher(api, watcher::Config::default()).default_backoff();
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => {
                        followed.tell(&resource, &object);
                    }
                    // What is listed after a break may have changed meanwhile.
                    Ok(watcher::Event::InitApply(object)) => followed.tell(&resource, &object),
                    Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                    Err(error) => unwatched(&resource, &error),
                }
            }
        };
        tokio::spawn(async move { stop.run_until_cancelled(work).await });
    }
}

fn unwatched(resource: &ApiResource, error: &watcher::Error) {
    use watcher::Error as Failed;
    let error = match error {
        Failed::InitialListFailed(error)
        | Failed::WatchStartFailed(error)
        | Failed::WatchFailed(error) => describe(error),
        other => other.to_string(),
    };
    tracing::debug!(kind = resource.kind, error, "a kind that is waited for cannot be watched");
}
