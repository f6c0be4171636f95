//! `sluice promotion migrate`.

mod flux;
mod kargo;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{manifest, term::Term};

/// Print the Pipelines and Stages for what Flux automations or Kargo manifests do today
///
/// Reads ImageUpdateAutomations and ImagePolicies of Flux, or Projects, Warehouses and Stages of Kargo,
/// and prints manifests of ours. What has no equivalent, and what somebody must decide, is in comments.
/// Nothing is applied and no file is changed; `sluice promotion lint` checks what you make of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice promotion migrate clusters/management > stages.yaml\n  \
    kubectl get imagepolicies,imageupdateautomations -A -o yaml | sluice promotion migrate -\n  \
    sluice promotion migrate --from kargo kargo/")]
pub(super) struct Arguments {
    /// Files or folders with manifests; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the manifests are for; found out by their kinds if not given
    #[arg(long, value_enum, value_name = "TOOL")]
    from: Option<Tool>,
    /// Namespace of objects that say none
    #[arg(short, long, default_value = "flux-system", value_name = "NAME")]
    namespace: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tool {
    Flux,
    Kargo,
}

/// A manifest with comments before it.
struct Page {
    comments: Vec<String>,
    object: Value,
}

impl Page {
    fn new(object: Value) -> Self {
        Self { comments: Vec::new(), object }
    }

    fn note(&mut self, text: impl Into<String>) {
        self.comments.push(text.into());
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let manifests = manifest::read(&arguments.files)?;
    let objects = manifests.iter().map(|it| {
        let mut object = serde_json::to_value(&it.object)?;
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = arguments.namespace.clone().into();
        }
        anyhow::Ok(object)
    });
    let objects = objects.collect::<Result<Vec<Value>>>()?;
    let is_kargo = |it: &Value| text(&it["apiVersion"]).starts_with("kargo.akuity.io/");
    let tool = arguments
        .from
        .unwrap_or_else(|| if objects.iter().any(is_kargo) { Tool::Kargo } else { Tool::Flux });
    let pages = match tool {
        Tool::Flux => flux::pages(&objects),
        Tool::Kargo => kargo::pages(&objects),
    };
    if pages.is_empty() {
        bail!("there is nothing to migrate: neither ImageUpdateAutomations nor Warehouses");
    }
    Term::detect().line(printed(&pages)?.trim_end());
    Ok(())
}

fn printed(pages: &[Page]) -> Result<String> {
    let mut all = Vec::new();
    for page in pages {
        let comments = page.comments.iter().map(|it| format!("# {it}\n"));
        let mut text = comments.collect::<Vec<_>>().concat();
        if !page.object.is_null() {
            text += &yaml::json_to_yaml(&page.object.to_string())?;
        }
        all.push(text);
    }
    Ok(all.join("---\n"))
}

/// A text of a manifest; empty if there is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An object of ours.
fn object(kind: &str, (namespace, name): (&str, &str), spec: &Value) -> Value {
    json!({
        "apiVersion": "promotion.sluice.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
}

/// Objects of a kind.
fn of_kind<'a>(objects: &'a [Value], group: &'a str, kind: &'a str) -> Vec<&'a Value> {
    let is = |it: &&Value| it["kind"] == kind && text(&it["apiVersion"]).starts_with(group);
    objects.iter().filter(is).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn migrated(manifests: &str, tool: Tool) -> String {
        let manifests = manifest::parse(manifests, "test").unwrap();
        let objects: Vec<Value> =
            manifests.iter().map(|it| serde_json::to_value(&it.object).unwrap()).collect();
        let pages = match tool {
            Tool::Flux => flux::pages(&objects),
            Tool::Kargo => kargo::pages(&objects),
        };
        let text = printed(&pages).unwrap();
        // What is printed can be applied.
        for it in manifest::parse(&text, "what was printed").unwrap() {
            let spec = serde_json::to_value(&it.object).unwrap()["spec"].clone();
            match it.kind() {
                Some("Pipeline") => {
                    let _: api::promotion::PipelineSpec = serde_json::from_value(spec).unwrap();
                }
                Some("Stage") => {
                    let _: api::promotion::StageSpec = serde_json::from_value(spec).unwrap();
                }
                _ => {}
            }
        }
        text
    }

    #[test]
    fn flux_automations_become_stages_of_one_pipeline() {
        let policy = |name: &str, range: &str| {
            format!(
                "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\n\
                 metadata: {{name: {name}, namespace: apps}}\nspec: {{imageRepositoryRef: {{name: api}}, \
                 policy: {{semver: {{range: '{range}'}}}}}}\n---\n"
            )
        };
        let automation = |name: &str, push: &str| {
            format!(
                "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\n\
                 metadata: {{name: {name}, namespace: apps}}\nspec:\n  interval: 1m\n  \
                 sourceRef: {{kind: GitRepository, name: fleet}}\n  git:\n    \
                 checkout: {{ref: {{branch: main}}}}\n    \
                 commit: {{author: {{name: bot, email: b@x}}, messageTemplate: hi}}\n    \
                 push: {{branch: {push}}}\n  update: {{path: ./{name}, strategy: Setters}}\n---\n"
            )
        };
        let all = policy("api", ">=1.0.0-0") + &policy("api-prod", ">=1.0.0");
        let all = all + &automation("dev", "main") + &automation("prod", "updates");
        let text = migrated(&all, Tool::Flux);
        for line in [
            "aliases:\n    - apps:api-prod",
            "imagePolicyRef:\n      name: api",
            "paths:\n    - dev",
            "mode: PullRequest",
            "# suspend ImageUpdateAutomation apps/prod",
            "# messageTemplate is not used",
            "# the order of the stages is not known",
        ] {
            assert!(text.contains(line), "{line}:\n{text}");
        }
    }

    #[test]
    fn kargo_stages_keep_their_order_soak_and_promotion_policy() {
        let all = "apiVersion: kargo.akuity.io/v1alpha1\nkind: Project\nmetadata: {name: shop}\n\
            spec: {promotionPolicies: [{stage: dev, autoPromotionEnabled: true}]}\n---\n\
            apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\n\
            metadata: {name: shop, namespace: shop}\nspec:\n  interval: 5m\n  subscriptions:\n  \
            - image: {repoURL: ghcr.io/x/api, semverConstraint: ^1.0.0}\n  \
            - git: {repoURL: 'https://github.com/x/config.git', branch: main}\n---\n\
            apiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata: {name: dev, namespace: shop}\n\
            spec:\n  requestedFreight: [{origin: {kind: Warehouse, name: shop}, sources: {direct: true}}]\n\
            ---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\n\
            metadata: {name: prod, namespace: shop}\nspec:\n  requestedFreight:\n  \
            - origin: {kind: Warehouse, name: shop}\n    \
            sources: {stages: [dev], requiredSoakTime: 1h, availabilityStrategy: OneOf}\n  \
            promotionTemplate:\n    spec:\n      steps:\n      \
            - {uses: git-clone, config: {repoURL: 'https://github.com/x/fleet.git', \
            checkout: [{branch: main, path: ./out}]}}\n      \
            - {uses: kustomize-set-image, config: {path: ./out/prod, images: [{image: ghcr.io/x/api}]}}\n      \
            - {uses: git-open-pr, config: {}}\n      - {uses: jira, config: {}}\n  \
            verification: {analysisTemplates: [{name: errors}]}\n";
        let text = migrated(all, Tool::Kargo);
        for line in [
            "promote: Auto",
            "soak: 1h",
            "fromPolicy: Any",
            "mode: PullRequest",
            "# step jira has no equivalent",
            "# verification by AnalysisTemplate errors",
            "range: ^1.0.0",
            "glob: prod/kustomization.yaml",
            "digestReflectionPolicy: IfNotPresent",
        ] {
            assert!(text.contains(line), "{line}:\n{text}");
        }
    }
}
