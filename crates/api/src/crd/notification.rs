//! `notification.toolkit.fluxcd.io`.

use serde_json::{Value, json};

use super::{
    Definition,
    column::{age, ready, status},
    older,
    schema::conditions,
};
use crate::notification::{Alert, Provider, Receiver};

const CONTROLLER: &str = "notification-controller";

pub(super) fn kinds() -> Vec<Definition> {
    vec![
        Definition::of::<Alert>(CONTROLLER, &[]).columns([age()]).older("v1beta2", with_status),
        Definition::of::<Provider>(CONTROLLER, &[]).columns([age()]).older("v1beta2", provider),
        Definition::of::<Receiver>(CONTROLLER, &[])
            .columns([age(), ready(), status()])
            .older("v1beta2", receiver),
    ]
}

/// Alerts and Providers used to be reconciled.
fn with_status(version: &mut Value) {
    version["additionalPrinterColumns"] = json!([age(), ready(), status()]);
    version["schema"]["openAPIV3Schema"]["properties"]["status"] = json!({
        "type": "object",
        "description": "How the object stood.",
        "default": {"observedGeneration": -1},
        "properties": {
            "conditions": conditions(),
            "lastHandledReconcileAt":
                older::text("The reconcile request that was handled last."),
            "observedGeneration": {
                "type": "integer", "format": "int64",
                "description": "Generation of the spec that was reconciled last."
            },
        },
    });
}

fn provider(version: &mut Value) {
    with_status(version);
    older::remove_rules(version);
    let spec = older::spec(version);
    older::remove(spec, &["commitStatusExpr", "proxySecretRef", "serviceAccountName"]);
    if let Some(types) = spec["type"]["enum"].as_array_mut() {
        types.retain(|name| !["nats", "zulip", "otel"].contains(&name.as_str().unwrap_or("")));
    }
}

fn receiver(version: &mut Value) {
    let spec = older::spec(version);
    older::remove(spec, &["resourceFilter"]);
    older::remove(&mut spec["interval"], &["default"]);
    if let Some(types) = spec["type"]["enum"].as_array_mut() {
        types.retain(|name| name != "cdevents");
    }
    older::status(version)["url"] = older::text("Without effect; see webhookPath.");
}
