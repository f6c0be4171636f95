//! Watches: one per kind in the process, shared by everybody who wants to know.
//!
//! ```text
//! API server ──watch──> Feed<K> ── store: the objects as they are
//!                          └────── changes (old, new) ──> runner of K, runners that watch K
//! ```

use std::fmt::Debug;
use std::sync::Arc;

use kube::Resource;
use serde::de::DeserializeOwned;

use crate::feed::{Change, Selection};
use crate::host::Host;
use crate::{Key, Reference};

/// A kind that can be watched.
pub trait Watchable:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Watchable for K where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
}

pub(crate) type Wake = Arc<dyn Fn(&Reference) + Send + Sync>;
type Attach = Box<dyn FnOnce(&Host, Wake) -> Synced + Send>;

/// Ends when all objects of a kind are known.
pub(crate) type Synced = futures::future::BoxFuture<'static, ()>;

/// A kind whose changes wake the objects that [refer](crate::Reconcile::references) to the changed
/// one, if a filter lets the change through.
///
/// The filter gets the object before and after: no `before` when it is new, no `after` when it was
/// deleted. For `kube::core::PartialObjectMeta<K>` only metadata is fetched and kept.
pub struct Watch {
    attach: Attach,
}

impl Watch {
    /// A kind that lives in namespaces.
    pub fn on<K>(filter: impl Fn(Option<&K>, Option<&K>) -> bool + Send + Sync + 'static) -> Self
    where
        K: Watchable + Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Self::attach(|host| host.feed::<K>(Selection::All), filter)
    }

    /// Secrets, `ConfigMap`s and the like: only those that `--watch-configs-label-selector` selects.
    pub fn configs<K>(
        filter: impl Fn(Option<&K>, Option<&K>) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        K: Watchable + Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Self::attach(|host| host.feed::<K>(Selection::Configs), filter)
    }

    /// A kind that lives outside namespaces.
    pub fn cluster<K>(
        filter: impl Fn(Option<&K>, Option<&K>) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        K: Watchable + Resource<Scope = k8s_openapi::ClusterResourceScope>,
    {
        Self::attach(Host::cluster_feed::<K>, filter)
    }

    /// A kind that lives in namespaces, whose changes wake those that refer to what `to` makes of the
    /// change: an object that names others wakes those that refer to the named ones.
    pub fn via<K>(
        to: impl Fn(Option<&K>, Option<&K>) -> Vec<Reference> + Send + Sync + 'static,
    ) -> Self
    where
        K: Watchable + Resource<Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Self::mapped(
            |host| host.feed::<K>(Selection::All),
            move |change| to(change.old.as_deref(), change.new.as_deref()),
        )
    }

    /// Every kind that is [followed](crate::Host::follow) while objects wait for some of it.
    pub fn followed() -> Self {
        Self {
            attach: Box::new(|host, wake| {
                host.followed.subscribe(wake);
                Box::pin(std::future::ready(()))
            }),
        }
    }

    /// Whether the generation differs: the filter for "only its spec matters". New and deleted
    /// objects count.
    pub fn generation_changed<K: Resource>(before: Option<&K>, after: Option<&K>) -> bool {
        let generation = |it: Option<&K>| it.map(|it| it.meta().generation);
        generation(before) != generation(after)
    }

    pub(crate) fn start(self, host: &Host, wake: Wake) -> Synced {
        (self.attach)(host, wake)
    }

    fn attach<K: Watchable>(
        feed: impl FnOnce(&Host) -> crate::feed::Feed<K> + Send + 'static,
        filter: impl Fn(Option<&K>, Option<&K>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::mapped(feed, move |change: &Change<K>| {
            let passes = filter(change.old.as_deref(), change.new.as_deref());
            let Key { namespace, name } = change.key.clone();
            passes.then(|| Reference::object::<K>(namespace, name)).into_iter().collect()
        })
    }

    fn mapped<K: Watchable>(
        feed: impl FnOnce(&Host) -> crate::feed::Feed<K> + Send + 'static,
        to: impl Fn(&Change<K>) -> Vec<Reference> + Send + Sync + 'static,
    ) -> Self {
        Self {
            attach: Box::new(move |host, wake| {
                let feed = feed(host);
                feed.subscribe(move |change: &Change<K>| {
                    for reference in to(change) {
                        wake(&reference);
                    }
                });
                let store = feed.store();
                Box::pin(async move { store.synced().await })
            }),
        }
    }
}
