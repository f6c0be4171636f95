//! What all kinds share: conditions, references, annotations, and the traits the kit works with.

mod reference;
mod schema;

use std::{collections::BTreeMap, fmt::Debug};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use k8s_openapi::jiff::Timestamp;
pub use reference::{
    AccessFrom, DependencyReference, KubeConfigReference, LocalObjectReference, NamespaceSelector,
    NamespacedObjectKindReference, NamespacedObjectReference, SecretKeyReference,
};
pub(crate) use schema::{
    DIGEST, INTERVAL, TIMEOUT, anything, conditions, label_selector, plain_integer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Condition: the object is as its spec wants it.
pub const READY: &str = "Ready";
/// Condition: a reconciliation is under way or will be retried.
pub const RECONCILING: &str = "Reconciling";
/// Condition: the user must act before anything can go on.
pub const STALLED: &str = "Stalled";

/// The finalizer of every kind.
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// Annotation: a new value asks for a reconciliation now.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Annotation: with the value of [`REQUESTED_AT`], forces a release or the recreation of objects.
pub const FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
/// Annotation: with the value of [`REQUESTED_AT`], forgets the failures so far.
pub const RESET_AT: &str = "reconcile.fluxcd.io/resetAt";
/// Label: changes of this ConfigMap or Secret wake the objects that refer to it.
pub const WATCH: &str = "reconcile.fluxcd.io/watch";
/// The value of [`WATCH`] that does so.
pub const WATCH_ENABLED: &str = "Enabled";
/// Prefix of object annotations that are copied to the object's events.
pub const EVENT_ANNOTATION_PREFIX: &str = "event.toolkit.fluxcd.io/";

/// A time as a status holds it: metav1.Time has no fractions of a second.
pub fn time(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// A kind with a status in the form all Flux kinds have.
pub trait Object:
    kube::Resource<DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The type of `status`.
    type Status: Status;

    /// The status as read, if there is one.
    fn status(&self) -> Option<&Self::Status>;

    /// Whether `spec.suspend` is set.
    fn suspended(&self) -> bool;
}

/// The part of a status that the kit writes.
pub trait Status:
    Clone + Default + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The conditions as they stand.
    fn conditions(&self) -> &[Condition];
    /// The conditions, to be changed.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    /// The generation that the last finished run saw.
    fn observed_generation(&self) -> Option<i64>;
    /// Records the generation of a finished run.
    fn set_observed_generation(&mut self, generation: i64);
    /// The value of [`REQUESTED_AT`] that was acted upon last.
    fn last_handled_reconcile_at(&self) -> Option<&str>;
    /// Records the value of [`REQUESTED_AT`].
    fn set_last_handled_reconcile_at(&mut self, value: String);

    /// The condition of type `kind`.
    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions().iter().find(|c| c.type_ == kind)
    }
}

/// Labels and annotations that are put on everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommonMetadata {
    /// Annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Implements [`Object`] and [`Status`] for a kind derived by `kube`; with `never`, for one that
/// cannot be suspended.
macro_rules! kind {
    ($object:ty, $status:ty) => {
        impl $crate::meta::Object for $object {
            type Status = $status;

            fn status(&self) -> Option<&$status> {
                self.status.as_ref()
            }

            fn suspended(&self) -> bool {
                self.spec.suspend.unwrap_or(false)
            }
        }

        $crate::meta::kind!(@status $status);
    };
    ($object:ty, $status:ty, never) => {
        impl $crate::meta::Object for $object {
            type Status = $status;

            fn status(&self) -> Option<&$status> {
                self.status.as_ref()
            }

            fn suspended(&self) -> bool {
                false
            }
        }

        $crate::meta::kind!(@status $status);
    };
    (@status $status:ty) => {
        impl $crate::meta::Status for $status {
            fn conditions(&self) -> &[$crate::meta::Condition] {
                self.conditions.as_deref().unwrap_or_default()
            }

            fn conditions_mut(&mut self) -> &mut Vec<$crate::meta::Condition> {
                self.conditions.get_or_insert_default()
            }

            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }

            fn set_observed_generation(&mut self, generation: i64) {
                self.observed_generation = Some(generation);
            }

            fn last_handled_reconcile_at(&self) -> Option<&str> {
                self.last_handled_reconcile_at.as_deref()
            }

            fn set_last_handled_reconcile_at(&mut self, value: String) {
                self.last_handled_reconcile_at = Some(value);
            }
        }
    };
}
pub(crate) use kind;
