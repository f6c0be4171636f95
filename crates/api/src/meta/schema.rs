//! Pieces of schema that kinds share.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A digest with its algorithm, as the OCI image specification writes it.
pub(crate) const DIGEST: &str = "^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$";
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

/// A value of any form.
pub(crate) fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true, "description": "Any value."})
}
