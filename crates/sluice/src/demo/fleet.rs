//! What the demo starts with: the files of a fleet repository and the tags of two images.

/// Files of the repository, with `REGISTRY` for the address of the demo's registry. They are
/// written the way people write them, to show that only the marked values change.
const FILES: [(&str, &str); 3] = [
    (
        "README.md",
        "# fleet\n\nWhat runs where. Images are kept up to date by an ImageUpdateAutomation.\n",
    ),
    (
        "apps/podinfo/deployment.yaml",
        "---\n\
         # owned by team web; ask before you scale\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n\
         \x20   name:   podinfo      # four spaces, on purpose\n\
         spec:\n\
         \x20   replicas: 2\n\
         \x20   selector: {matchLabels: {app: podinfo}}\n\
         \x20   template:\n\
         \x20       metadata: {labels: {app: podinfo}}\n\
         \x20       spec:\n\
         \x20           containers:\n\
         \x20           -   name: podinfo\n\
         \x20               image: REGISTRY/podinfo:6.0.0 # {\"$imagepolicy\": \"apps:podinfo\"}\n\
         \x20               args: [ '--level=info',   \"--port=9898\" ]\n",
    ),
    (
        "apps/worker/values.yaml",
        "image:\n\
         \x20 repository: \"REGISTRY/worker\" # {\"$imagepolicy\": \"apps:worker:name\"}\n\
         \x20 tag: 'main-0a1b2c3-100'       # {\"$imagepolicy\": \"apps:worker:tag\"}\n\
         resources: {limits: {memory: 64Mi}}",
    ),
];

/// Tags that are there at the start.
pub(super) const TAGS: [(&str, &[&str]); 2] = [
    ("podinfo", &["5.9.9", "6.0.0", "6.1.0", "6.2.0", "6.3.0-rc.1", "latest"]),
    ("worker", &["main-0a1b2c3-100", "main-4d5e6f7-200", "feature-8a9b0c1-300", "latest"]),
];

/// The tag that is published while the demo runs.
pub(super) const NEWER: (&str, &str) = ("podinfo", "6.2.1");

/// Which tags the policies must choose, in the order of the commits: first, after the newer one.
pub(super) const CHOSEN: [[(&str, &str); 2]; 2] = [
    [("podinfo", "6.2.0"), ("worker", "main-4d5e6f7-200")],
    [("podinfo", "6.2.1"), ("worker", "main-4d5e6f7-200")],
];

/// The files, for a registry at `registry`.
pub(super) fn files(registry: &str) -> Vec<(String, String)> {
    FILES
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.replace("REGISTRY", registry)))
        .collect()
}

/// The files as they must be when `chosen` runs: the marked values replaced and nothing else.
pub(super) fn expected(registry: &str, chosen: &[(&str, &str)]) -> Vec<(String, String)> {
    let old = ["podinfo:6.0.0", "main-0a1b2c3-100"];
    let new = chosen.iter().map(|(image, tag)| match *image {
        "podinfo" => format!("podinfo:{tag}"),
        _ => (*tag).to_owned(),
    });
    let replacements: Vec<(&str, String)> = old.into_iter().zip(new).collect();
    files(registry)
        .into_iter()
        .map(|(path, text)| {
            let text = replacements.iter().fold(text, |text, (old, new)| text.replace(old, new));
            (path, text)
        })
        .collect()
}

/// The manifests that are applied.
pub(super) fn manifests(registry: &str, repository: &str) -> String {
    include_str!("fleet.yaml").replace("REGISTRY", registry).replace("REPOSITORY", repository)
}
