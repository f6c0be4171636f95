//! What the second part starts with: a repository of three environments, and the releases of an image.

/// The environments, in the order in which a release comes to them.
pub(super) const STAGES: [&str; 3] = ["dev", "staging", "production"];

/// The image, and the repository of its environments.
pub(super) const NAME: &str = "shop";

/// What runs everywhere at the start.
pub(super) const FIRST: &str = "1.0.0";
/// The release that works.
pub(super) const GOOD: &str = "2.0.0";
/// The release that works everywhere but in production.
pub(super) const BAD: &str = "2.1.0";

/// How many seconds a release runs in dev before staging takes it.
pub(super) const SOAK: i64 = 3;

/// What all environments have in common.
const BASE: [(&str, &str); 2] = [
    ("base/kustomization.yaml", "resources:\n- deployment.yaml\n"),
    (
        "base/deployment.yaml",
        "apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n\
         \x20 name: shop\n\
         spec:\n\
         \x20 replicas: 2\n\
         \x20 progressDeadlineSeconds: 5 # what does not start by then has failed\n\
         \x20 selector: {matchLabels: {app: shop}}\n\
         \x20 template:\n\
         \x20   metadata: {labels: {app: shop}}\n\
         \x20   spec:\n\
         \x20     containers:\n\
         \x20     - name: shop\n\
         \x20       image: REGISTRY/shop\n",
    ),
];

const OVERLAY: &str = "namespace: STAGE\n\
     resources:\n\
     - ../../base\n\
     images:\n\
     - name: REGISTRY/shop\n\
     \x20 newTag: VERSION # {\"$imagepolicy\": \"shop:shop:tag\"}\n";

/// The file of an environment.
pub(super) fn overlay(stage: &str) -> String {
    format!("clusters/{stage}/kustomization.yaml")
}

/// The files when the environments run `versions`, for a registry at `registry`.
pub(super) fn files(registry: &str, versions: [&str; 3]) -> Vec<(String, String)> {
    let base = BASE.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let overlays = STAGES.iter().zip(versions).map(|(stage, version)| {
        (overlay(stage), OVERLAY.replace("STAGE", stage).replace("VERSION", version))
    });
    base.chain(overlays).map(|(path, text)| (path, text.replace("REGISTRY", registry))).collect()
}

/// The manifests that are applied.
pub(super) fn manifests(registry: &str, repository: &str) -> String {
    let text = include_str!("shop.yaml").replace("SOAK", &SOAK.to_string());
    text.replace("REGISTRY", registry).replace("REPOSITORY", repository)
}
