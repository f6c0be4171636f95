//! Who may know whom (ARCHITECTURE.md): the manifests against a table.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What a crate is, and which crates of the house it may depend on.
const RINGS: &[(&str, &[&str])] = &[
    ("api", &[]),
    // Engines know engines below them, and nothing else.
    ("version", &[]),
    ("yaml", &[]),
    ("policy", &["version"]),
    ("setters", &["yaml"]),
    ("gotemplate", &["version"]),
    ("envsubst", &["yaml"]),
    ("helm", &["gotemplate", "version", "yaml"]),
    // Pure but for a library that asks the clock.
    ("signature", &["policy"]),
    ("kustomize", &["yaml"]),
    ("expression", &[]),
    ("sops", &["yaml"]),
    ("health", &["expression"]),
    ("pipeline", &["expression", "version"]),
    // Adapters know the HTTP client, cloud tokens and engines.
    ("http-client", &[]),
    ("apply", &[]),
    ("cloud", &["http-client"]),
    ("bucket", &["http-client"]),
    ("forge", &["http-client", "cloud"]),
    ("gate", &["http-client", "expression"]),
    ("kms", &["http-client", "cloud", "sops", "yaml"]),
    ("registry", &["http-client", "cloud"]),
    ("git", &["http-client", "version"]),
    ("artifact", &["http-client"]),
    ("controller", &["api"]),
    // What controllers share of reading credentials.
    ("access", &["api", "cloud", "controller", "forge", "git", "http-client", "registry"]),
    ("verification", &["access", "api", "controller", "registry", "signature"]),
    ("repository", &["access", "api", "cloud", "controller", "forge", "git"]),
    // Controllers know the kit, adapters and engines, never one another.
    ("reflector", &["access", "api", "controller", "cloud", "policy", "registry"]),
    (
        "automation",
        &[
            "access",
            "api",
            "cloud",
            "controller",
            "forge",
            "git",
            "gotemplate",
            "registry",
            "repository",
            "setters",
        ],
    ),
    (
        "promotion",
        &[
            "access",
            "api",
            "cloud",
            "controller",
            "expression",
            "forge",
            "gate",
            "git",
            "gotemplate",
            "health",
            "helm",
            "http-client",
            "kustomize",
            "pipeline",
            "registry",
            "repository",
            "setters",
            "verification",
            "yaml",
        ],
    ),
    (
        "reconciler",
        &[
            "access",
            "api",
            "apply",
            "artifact",
            "bucket",
            "cloud",
            "controller",
            "envsubst",
            "expression",
            "forge",
            "git",
            "gotemplate",
            "health",
            "helm",
            "http-client",
            "kms",
            "kustomize",
            "policy",
            "registry",
            "sops",
            "verification",
            "version",
            "yaml",
        ],
    ),
    // The host. The control plane knows nothing of GitOps.
    ("controlplane", &["expression", "yaml"]),
    ("world", &["controller"]),
    ("testkit", &[]),
    (
        "sluice",
        &[
            "api",
            "apply",
            "artifact",
            "automation",
            "cloud",
            "controller",
            "controlplane",
            "envsubst",
            "forge",
            "git",
            "gotemplate",
            "health",
            "helm",
            "http-client",
            "kms",
            "kustomize",
            "pipeline",
            "policy",
            "promotion",
            "reconciler",
            "reflector",
            "registry",
            "repository",
            "setters",
            "world",
            "yaml",
        ],
    ),
    ("scenarios", &["api", "controller", "controlplane", "sluice", "world"]),
    ("xtask", &["api", "yaml"]),
];

/// Crates that must stay pure.
#[rustfmt::skip]
const ENGINES: &[&str] = &[
    "version",
    "yaml",
    "policy",
    "setters",
    "gotemplate",
    "envsubst",
    "helm",
    "kustomize",
    "expression",
    "sops",
    "health",
    "pipeline",
];

/// Outside libraries that only some crates may use.
const WRAPPED: &[(&str, &[&str])] = &[
    ("gix", &["git"]),
    ("russh", &["git"]),
    ("pgp", &["git", "helm", "sops"]),
    ("oci-client", &["registry"]),
    ("object_store", &["bucket"]),
    ("sigstore-verify", &["signature"]),
    ("redb", &["controlplane"]),
    ("reqwest", &["http-client", "git", "world"]),
    (
        "kube",
        &[
            "access",
            "api",
            "apply",
            "controller",
            "reflector",
            "automation",
            "promotion",
            "repository",
            "reconciler",
            "sluice",
            "scenarios",
            "world",
        ],
    ),
    ("tree-sitter", &["setters"]),
];

/// Outside libraries that no engine may use.
const IMPURE: [&str; 6] = ["tokio", "kube", "k8s-openapi", "reqwest", "axum", "rand"];

/// Every dependency that the rings do not allow.
pub(super) fn problems() -> Result<Vec<String>> {
    let packages = packages()?;
    let mut problems = Vec::new();
    for (name, dependencies) in &packages {
        let Some((_, allowed)) = RINGS.iter().find(|(ring, _)| ring == name) else {
            problems
                .push(format!("crate {name} stands in no ring; add it to xtask/src/tidy/ring.rs"));
            continue;
        };
        for dependency in dependencies {
            let of_house = RINGS.iter().any(|(ring, _)| ring == dependency);
            if of_house && !allowed.contains(&dependency.as_str()) {
                problems.push(format!("crate {name} must not depend on {dependency}"));
            }
            if ENGINES.contains(&name.as_str()) && IMPURE.contains(&dependency.as_str()) {
                problems.push(format!("engine {name} must not depend on {dependency}"));
            }
            if let Some((_, users)) = WRAPPED.iter().find(|(library, _)| library == dependency)
                && !users.contains(&name.as_str())
            {
                problems.push(format!("crate {name} must not use {dependency} directly"));
            }
        }
    }
    problems.extend(unequal_bans()?);
    Ok(problems)
}

/// Name and non-development dependencies of every crate of the house.
fn packages() -> Result<BTreeMap<String, Vec<String>>> {
    let metadata = crate::run::output("cargo", &["metadata", "--format-version=1", "--no-deps"])
        .context("cargo metadata failed")?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().context("no packages")?;
    Ok(packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let names = dependencies.filter(|d| d["kind"] != "dev").map(|d| text(&d["name"]));
            (text(&package["name"]), names.collect())
        })
        .collect())
}

/// The engines' ban on the outside world must read the same everywhere.
fn unequal_bans() -> Result<Vec<String>> {
    let read = |engine: &str| {
        let path = crate::root().join("crates").join(engine).join("clippy.toml");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let first = read(ENGINES[0])?;
    let mut problems = Vec::new();
    for engine in &ENGINES[1..] {
        if read(engine)? != first {
            problems.push(format!("crates/{engine}/clippy.toml differs from {}'s", ENGINES[0]));
        }
    }
    Ok(problems)
}
