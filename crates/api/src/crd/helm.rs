//! `helm.toolkit.fluxcd.io`.

use serde_json::{Value, json};

use super::{
    Definition,
    column::{age, ready, status},
    older,
};
use crate::helm::HelmRelease;

pub(super) fn kinds() -> Vec<Definition> {
    vec![
        Definition::of::<HelmRelease>("helm-controller", &["hr"])
            .columns([age(), ready(), status()])
            .older("v2beta2", helm_release),
    ]
}

fn helm_release(version: &mut Value) {
    let spec = older::spec(version);
    older::remove(spec, &["commonMetadata"]);
    older::remove(&mut spec["dependsOn"]["items"]["properties"], &["readyExpr"]);
    spec["chartRef"]["properties"]["kind"]["enum"] = json!(["OCIRepository", "HelmChart"]);
    spec["chart"]["properties"]["spec"]["properties"]["valuesFile"] =
        older::text("Without effect; see valuesFiles.");
    for action in ["install", "upgrade"] {
        older::remove(
            &mut spec[action]["properties"],
            &["disableSchemaValidation", "disableTakeOwnership", "strategy"],
        );
    }
    let kustomize = &mut spec["postRenderers"]["items"]["properties"]["kustomize"];
    older::add_patches(&mut kustomize["properties"]);
    let status = older::status(version);
    older::remove(status, &["lastAttemptedReleaseActionDuration", "observedCommonMetadataDigest"]);
    status["lastAppliedRevision"] = older::text("Without effect; see history.");
}
