//! `kustomize.toolkit.fluxcd.io`.

use serde_json::{Value, json};

use super::{
    Definition,
    column::{age, ready, status},
    older,
};
use crate::kustomize::Kustomization;

pub(super) fn kinds() -> Vec<Definition> {
    vec![
        Definition::of::<Kustomization>("kustomize-controller", &["ks"])
            .columns([age(), ready(), status()])
            .older("v1beta2", kustomization),
    ]
}

fn kustomization(version: &mut Value) {
    let spec = older::spec(version);
    older::remove(
        spec,
        &[
            "deletionPolicy",
            "healthCheckExprs",
            "ignoreMissingComponents",
            "namePrefix",
            "nameSuffix",
        ],
    );
    older::remove(&mut spec["decryption"]["properties"], &["serviceAccountName"]);
    older::remove(&mut spec["dependsOn"]["items"]["properties"], &["readyExpr"]);
    spec["sourceRef"]["properties"]["kind"]["enum"] =
        json!(["OCIRepository", "GitRepository", "Bucket"]);
    older::add_patches(spec);
    spec["validation"] = json!({
        "type": "string", "enum": ["none", "client", "server"],
        "description": "Without effect; objects are always validated by the server."
    });
    older::remove(older::status(version), &["history", "lastAppliedOriginRevision"]);
}
