//! `source.toolkit.fluxcd.io` and `source.extensions.fluxcd.io`.

use serde_json::{Value, json};

use super::{
    Definition,
    column::{age, ready, status, text},
    older,
};
use crate::{
    source::{Bucket, ExternalArtifact, GitRepository, HelmChart, HelmRepository, OciRepository},
    source_extensions::ArtifactGenerator,
};

const CONTROLLER: &str = "source-controller";
const WATCHER: &str = "source-watcher";

pub(super) fn kinds() -> Vec<Definition> {
    vec![
        Definition::of::<GitRepository>(CONTROLLER, &["gitrepo"])
            .columns([text("URL", ".spec.url"), age(), ready(), status()])
            .older("v1beta2", git_repository),
        Definition::of::<OciRepository>(CONTROLLER, &["ocirepo"])
            .columns([text("URL", ".spec.url"), ready(), status(), age()])
            .older("v1beta2", |version| {
                older::status(version)["contentConfigChecksum"] = checksum();
            }),
        Definition::of::<HelmRepository>(CONTROLLER, &["helmrepo"])
            .columns([text("URL", ".spec.url"), age(), ready(), status()])
            .older("v1beta2", |_| {}),
        helm_chart(),
        Definition::of::<Bucket>(CONTROLLER, &[])
            .columns([text("Endpoint", ".spec.endpoint"), age(), ready(), status()])
            .older("v1beta2", bucket),
        Definition::of::<ExternalArtifact>(CONTROLLER, &[]).columns([
            age(),
            ready(),
            status(),
            text("Source", ".spec.sourceRef.name"),
        ]),
        Definition::of::<ArtifactGenerator>(WATCHER, &["ag"]).columns([age(), ready(), status()]),
    ]
}

fn helm_chart() -> Definition {
    Definition::of::<HelmChart>(CONTROLLER, &["hc"])
        .columns([
            text("Chart", ".spec.chart"),
            text("Version", ".spec.version"),
            text("Source Kind", ".spec.sourceRef.kind"),
            text("Source Name", ".spec.sourceRef.name"),
            age(),
            ready(),
            status(),
        ])
        .older("v1beta2", |version| {
            let spec = older::spec(version);
            spec["accessFrom"] = older::access_from();
            spec["valuesFile"] = older::text("Without effect; see valuesFiles.");
        })
}

fn bucket(version: &mut Value) {
    if let Some(rules) = older::rules(version).as_array_mut() {
        rules.retain(|rule| !rule.to_string().contains("serviceAccountName"));
    }
    let spec = older::spec(version);
    older::remove(spec, &["serviceAccountName"]);
    spec["accessFrom"] = older::access_from();
}

fn checksum() -> Value {
    older::text("Without effect; see the observed fields.")
}

fn git_repository(version: &mut Value) {
    older::remove_rules(version);
    let spec = older::spec(version);
    older::remove(spec, &["provider", "proxySecretRef", "serviceAccountName", "sparseCheckout"]);
    spec["accessFrom"] = older::access_from();
    spec["gitImplementation"] = json!({
        "type": "string", "default": "go-git", "enum": ["go-git", "libgit2"],
        "description": "Without effect; there is one implementation."
    });
    let verify = &mut spec["verify"];
    verify["required"] = json!(["mode", "secretRef"]);
    verify["properties"]["mode"] =
        json!({"type": "string", "enum": ["head"], "description": "What is verified."});
    let status = older::status(version);
    older::remove(status, &["observedSparseCheckout", "sourceVerificationMode"]);
    status["contentConfigChecksum"] = checksum();
    status["url"] = older::text("Where the latest artifact was served.");
}
