//! From ImageUpdateAutomations and ImagePolicies of Flux.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Page, list, object, of_kind, text};

const GROUP: &str = "image.toolkit.fluxcd.io/";

/// A Pipeline for each repository that automations of a namespace write to, and a Stage for each of them.
pub(super) fn pages(objects: &[Value]) -> Vec<Page> {
    let mut groups: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
    for it in of_kind(objects, GROUP, "ImageUpdateAutomation") {
        let namespace = text(&it["metadata"]["namespace"]).to_owned();
        let source = text(&it["spec"]["sourceRef"]["name"]).to_owned();
        groups.entry((namespace, source)).or_default().push(it);
    }
    let policies = of_kind(objects, GROUP, "ImagePolicy");
    let mut pages = Vec::new();
    for ((namespace, source), automations) in groups {
        pages.push(pipeline((&namespace, &source), &policies, &automations));
        for it in &automations {
            pages.push(stage((&namespace, &source), it));
        }
    }
    pages
}

fn pipeline((namespace, source): (&str, &str), policies: &[&Value], all: &[&Value]) -> Page {
    // Policies of one repository are environments of one component.
    let mut by_image: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for it in policies.iter().filter(|it| text(&it["metadata"]["namespace"]) == namespace) {
        let image = text(&it["spec"]["imageRepositoryRef"]["name"]);
        by_image.entry(image).or_default().push(text(&it["metadata"]["name"]));
    }
    let mut notes = Vec::new();
    let mut components = Vec::new();
    for names in by_image.values_mut() {
        names.sort_by_key(|name| (name.len(), *name));
        let first = names[0];
        let mut component = json!({"name": first, "imagePolicyRef": {"name": first}});
        let others: Vec<String> =
            names[1..].iter().map(|name| format!("{namespace}:{name}")).collect();
        if !others.is_empty() {
            notes.push(format!(
                "{first} is chosen by ImagePolicy {first}; markers of {} get the same value, when it is \
                 promoted to their stage",
                others.join(", ")
            ));
            component["aliases"] = others.into();
        }
        components.push(component);
    }
    let git = &all[0]["spec"]["git"];
    let reference = &all[0]["spec"]["sourceRef"];
    let mut commit = json!({"author": git["commit"]["author"]});
    if git["commit"]["signingKey"].is_object() {
        commit["signingKey"] = git["commit"]["signingKey"].clone();
    }
    let mut spec = json!({
        "components": components,
        "bundles": {"settle": "2m"},
        "git": {"sourceRef": reference, "commit": commit},
    });
    let branch = text(&git["checkout"]["ref"]["branch"]);
    if !branch.is_empty() {
        spec["git"]["branch"] = branch.into();
    }
    let mut page = Page::new(object("Pipeline", (namespace, source), &spec));
    page.note("digests are part of a bundle: set digestReflectionPolicy: IfNotPresent in the ImagePolicies");
    if components.is_empty() {
        page.note(format!("there is no ImagePolicy of namespace {namespace} here: add components"));
    }
    page.comments.extend(notes);
    if all.len() > 1 {
        page.note("the order of the stages is not known: say with `from` which feeds which");
    }
    page
}

fn stage((namespace, pipeline): (&str, &str), it: &Value) -> Page {
    let (name, spec) = (text(&it["metadata"]["name"]), &it["spec"]);
    let path = pipeline::path::clean(text(&spec["update"]["path"]));
    let path = path.trim_end_matches('/');
    let mut stage = json!({"pipelineRef": {"name": pipeline}, "promote": "Auto"});
    let mut notes = vec![format!(
        "suspend ImageUpdateAutomation {namespace}/{name} before this is applied: both would write the \
         same files"
    )];
    if path.is_empty() {
        notes.push(
            "it edits the whole repository: give each environment a stage with its paths".into(),
        );
    } else {
        stage["edit"] = json!({"paths": [path]});
    }
    let (from, to) =
        (text(&spec["git"]["checkout"]["ref"]["branch"]), text(&spec["git"]["push"]["branch"]));
    if !to.is_empty() && to != from {
        stage["push"] = json!({"mode": "PullRequest"});
        notes.push(format!(
            "it pushed to branch {to}: promotions open a pull request of their own; add provider and \
             secretRef"
        ));
    }
    for (field, why) in [
        ("messageTemplate", "is not used: commits of promotions say what, why and by whom"),
        ("messageTemplateValues", "is not used"),
    ] {
        if !spec["git"]["commit"][field].is_null() {
            notes.push(format!("{field} {why}"));
        }
    }
    if !spec["git"]["push"]["refspec"].is_null() {
        notes.push("push.refspec has no equivalent".to_owned());
    }
    if !spec["policySelector"].is_null() {
        let keys: Vec<String> = list(&spec["policySelector"]["matchExpressions"])
            .map(|it| text(&it["key"]).to_owned())
            .collect();
        notes.push(format!(
            "policySelector {}: a stage sets every marked component within its paths",
            keys.join(", ")
        ));
    }
    let mut page = Page::new(object("Stage", (namespace, name), &stage));
    page.comments.extend(notes);
    page
}
