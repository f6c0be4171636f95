//! What all kinds share: conditions, references, annotations, and the traits the kit works with.

use std::fmt::Debug;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use k8s_openapi::jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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

/// The name of an object in the same namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalObjectReference {
    /// Name of the referent.
    pub name: String,
}

/// The name of an object, and its namespace when that is another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespacedObjectReference {
    /// Name of the referent.
    pub name: String,
    /// Namespace of the referent; the referring object's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Who outside the namespace may refer to an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessFrom {
    /// Namespaces that may; one matching selector is enough, an empty list admits nobody.
    pub namespace_selectors: Vec<NamespaceSelector>,
}

/// Namespaces chosen by their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels the namespace must carry; an empty map matches every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<std::collections::BTreeMap<String, String>>,
}

/// A Go duration made of hours, minutes, seconds and milliseconds.
pub(crate) const INTERVAL: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// The same without hours.
pub(crate) const TIMEOUT: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// The schema of a list of conditions, with the limits of metav1.Condition.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "How the object stands: Stalled, Reconciling and Ready.",
        "items": {
            "type": "object",
            "description": "One aspect of how the object stands.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When status, reason or message changed last."
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "What happened, for people."
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "Generation of the spec the condition speaks of."
                },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "What happened, in one word, for programs."
                },
                "status": {
                    "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether the aspect holds."
                },
                "type": {
                    "type": "string", "maxLength": 316,
                    "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "The aspect."
                }
            }
        }
    })
}

/// The schema of a label selector, which merges as a whole.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "Objects chosen by their labels; all requirements must hold.",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Labels that must have just these values."
            },
            "matchExpressions": {
                "type": "array", "x-kubernetes-list-type": "atomic",
                "description": "Requirements on labels.",
                "items": {
                    "type": "object",
                    "description": "A requirement on one label.",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"type": "string", "description": "The label."},
                        "operator": {
                            "type": "string",
                            "description": "In, NotIn, Exists or DoesNotExist."
                        },
                        "values": {
                            "type": "array", "items": {"type": "string"},
                            "x-kubernetes-list-type": "atomic",
                            "description": "The values for In and NotIn."
                        }
                    }
                }
            }
        }
    })
}

/// An integer of no particular size.
pub(crate) fn plain_integer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "description": "A count."})
}

/// Implements [`Object`] and [`Status`] for a kind derived by `kube`.
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
