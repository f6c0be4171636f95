//! What can be told of the objects alone.

use std::collections::BTreeSet;

use api::{
    image::ImageUpdateAutomation,
    promotion::{Component, FreezeHold, InFlight, Markers, Pipeline, Stage},
};
use kube::ResourceExt as _;
use pipeline::{
    graph::{self, Node},
    path,
};

use super::Finding;
use crate::cli::promotion::given::Given;

/// Everything that is wrong with the objects.
pub(super) fn all(given: &Given) -> Vec<Finding> {
    let mut findings = graphs(given);
    for pipe in &given.pipelines {
        references(pipe, given, &mut findings);
    }
    for stage in &given.stages {
        one(stage, given, &mut findings);
    }
    overlaps(given, &mut findings);
    freezes(given, &mut findings);
    findings
}

pub(super) fn name(stage: &Stage) -> String {
    format!("Stage {}/{}", stage.namespace().unwrap_or_default(), stage.name_any())
}

fn graphs(given: &Given) -> Vec<Finding> {
    let namespaces: BTreeSet<Option<String>> =
        given.stages.iter().map(kube::ResourceExt::namespace).collect();
    let mut findings = Vec::new();
    for namespace in namespaces {
        let own = || given.stages.iter().filter(|it| it.namespace() == namespace);
        let nodes: Vec<Node> = own()
            .map(|it| Node {
                stage: it.name_any(),
                pipeline: it.spec.pipeline_ref.name.clone(),
                from: it.spec.from.iter().map(|it| it.stage.clone()).collect(),
            })
            .collect();
        let pipelines: BTreeSet<&str> = nodes.iter().map(|it| it.pipeline.as_str()).collect();
        for pipeline in pipelines {
            for problem in graph::problems(pipeline, &nodes) {
                // A circle is told once, of the first of its stages.
                let concerned = own().find(|it| problem.concerns(&it.name_any()));
                let place = concerned.map(name).unwrap_or_default();
                findings.push(Finding::error(place, problem.to_string()));
            }
        }
    }
    findings
}

fn references(pipe: &Pipeline, given: &Given, findings: &mut Vec<Finding>) {
    let own = pipe.namespace().unwrap_or_default();
    let place = format!("Pipeline {own}/{}", pipe.name_any());
    let mut absent =
        |kind: &str, namespace: Option<&String>, name: &str, known: &[(String, String)]| {
            let namespace = namespace.cloned().unwrap_or_else(|| own.clone());
            if !known.contains(&(namespace.clone(), name.to_owned())) {
                let text =
                    format!("{kind} {namespace}/{name} is not here; is it applied elsewhere?");
                findings.push(Finding::warning(place.clone(), text));
            }
        };
    let policies = names(&given.policies);
    let (artifacts, repositories) = (names(&given.artifacts), names(&given.repositories));
    for Component { image_policy_ref, oci_ref, git_ref, .. } in &pipe.spec.components {
        if let Some(it) = image_policy_ref {
            absent("ImagePolicy", it.namespace.as_ref(), &it.name, &policies);
        }
        if let Some(it) = oci_ref {
            absent("OCIRepository", it.namespace.as_ref(), &it.name, &artifacts);
        }
        if let Some(it) = git_ref {
            absent("GitRepository", it.namespace.as_ref(), &it.name, &repositories);
        }
    }
    if let Some(git) = &pipe.spec.git {
        let it = &git.source_ref;
        absent("GitRepository", it.namespace.as_ref(), &it.name, &repositories);
    } else {
        let text = "it has no git: say to which GitRepository stages write";
        findings.push(Finding::error(place, text));
    }
}

fn names<K: kube::ResourceExt>(all: &[K]) -> Vec<(String, String)> {
    all.iter().map(|it| (it.namespace().unwrap_or_default(), it.name_any())).collect()
}

fn one(stage: &Stage, given: &Given, findings: &mut Vec<Finding>) {
    let Some(pipe) = given.pipeline(stage) else {
        let text = format!("Pipeline {} is not here", stage.spec.pipeline_ref.name);
        return findings.push(Finding::error(name(stage), text));
    };
    if let Err(refused) = promotion::rules(stage, pipe) {
        let text = format!("{}: {}", refused.reason, refused.message);
        findings.push(Finding::error(name(stage), text));
    }
    for gate in stage.spec.gates.iter().chain(&stage.spec.verify) {
        let wanted = gate.health.as_ref().and_then(|it| it.stage.as_ref());
        let known = |wanted: &String| {
            let same = |it: &Stage| it.namespace() == stage.namespace() && it.name_any() == *wanted;
            given.stages.iter().any(same)
        };
        if let Some(wanted) = wanted.filter(|it| !known(it)) {
            let gate = gate.name.clone().unwrap_or_default();
            let text = format!("gate '{gate}': stage '{wanted}' does not exist");
            findings.push(Finding::error(name(stage), text));
        }
    }
    if let Some(pin) = &stage.spec.pin
        && !given.bundles.is_empty()
        && !given.bundles.iter().any(|it| it.name_any() == *pin)
    {
        findings.push(Finding::warning(name(stage), format!("pin: there is no Bundle {pin}")));
    }
    for it in given.automations.iter().filter(|it| conflicts(it, stage, pipe, given)) {
        let (namespace, automation) = (it.namespace().unwrap_or_default(), it.name_any());
        let text = format!(
            "ImageUpdateAutomation {namespace}/{automation} writes the same files: suspend it or give \
             it another path"
        );
        findings.push(Finding::error(name(stage), text));
    }
}

/// The repository (namespace and name) and the branch that a stage writes to.
fn target(stage: &Stage, pipe: &Pipeline, given: &Given) -> Option<(String, String, String)> {
    let edit = stage.spec.edit.clone().unwrap_or_default();
    let git = pipe.spec.git.as_ref();
    let source = edit.source_ref.as_ref().or_else(|| git.map(|it| &it.source_ref))?;
    let namespace = source.namespace.clone().or_else(|| stage.namespace()).unwrap_or_default();
    let branch = edit.branch.or_else(|| git.and_then(|it| it.branch.clone()));
    let branch = branch.or_else(|| branch_of(&namespace, &source.name, given));
    Some((namespace, source.name.clone(), branch.unwrap_or_else(|| "master".to_owned())))
}

fn branch_of(namespace: &str, name: &str, given: &Given) -> Option<String> {
    let is = |it: &&api::source::GitRepository| {
        it.namespace().as_deref() == Some(namespace) && it.name_any() == name
    };
    given.repositories.iter().find(is)?.spec.reference.as_ref()?.branch.clone()
}

fn paths(stage: &Stage) -> Vec<String> {
    stage.spec.edit.clone().unwrap_or_default().paths
}

fn conflicts(it: &ImageUpdateAutomation, stage: &Stage, pipe: &Pipeline, given: &Given) -> bool {
    let own = pipe.namespace();
    let policies = pipe.spec.components.iter().filter_map(|it| it.image_policy_ref.as_ref());
    let same_namespace = policies
        .map(|it| it.namespace.clone().or_else(|| own.clone()))
        .any(|namespace| namespace == it.namespace());
    let source = &it.spec.source_ref;
    let namespace = source.namespace.clone().or_else(|| it.namespace()).unwrap_or_default();
    let git = it.spec.git.clone().unwrap_or_default();
    let branch = git
        .push
        .and_then(|it| it.branch)
        .or_else(|| git.checkout?.reference.branch)
        .or_else(|| branch_of(&namespace, &source.name, given))
        .unwrap_or_else(|| "master".to_owned());
    let path = it.spec.update.clone().and_then(|it| it.path).unwrap_or_default();
    it.spec.suspend != Some(true)
        && same_namespace
        && target(stage, pipe, given) == Some((namespace, source.name.clone(), branch))
        && path::overlap(&[path], &paths(stage)).is_some()
}

fn overlaps(given: &Given, findings: &mut Vec<Finding>) {
    let only =
        |it: &Stage| it.spec.edit.as_ref().and_then(|it| it.markers) == Some(Markers::StageOnly);
    for (at, one) in given.stages.iter().enumerate() {
        for other in &given.stages[at + 1..] {
            let (Some(pipe), Some(others)) = (given.pipeline(one), given.pipeline(other)) else {
                continue;
            };
            let related = one.namespace() == other.namespace()
                && one.spec.pipeline_ref == other.spec.pipeline_ref
                && !only(one)
                && !only(other);
            if !related || target(one, pipe, given) != target(other, others, given) {
                continue;
            }
            if let Some((mine, theirs)) = path::overlap(&paths(one), &paths(other)) {
                let shown = |path: &str| if path.is_empty() { "." } else { path }.to_owned();
                let text = format!(
                    "path '{}' overlaps with '{}' of stage '{}': give them folders of their own, or \
                     markers with @stage and markers: StageOnly",
                    shown(mine),
                    shown(theirs),
                    other.name_any()
                );
                findings.push(Finding::error(name(one), text));
            }
        }
    }
}

fn freezes(given: &Given, findings: &mut Vec<Finding>) {
    for it in &given.freezes {
        let place = format!("Freeze {}", it.name_any());
        if it.spec.in_flight == Some(InFlight::Pause) {
            let text = "inFlight: Pause is not supported yet; what is under way goes on";
            findings.push(Finding::warning(place.clone(), text));
        }
        if it.spec.hold.iter().flatten().any(|it| *it == FreezeHold::Reconciliation) {
            let text = "hold: Reconciliation is not supported yet; only promotions are held";
            findings.push(Finding::warning(place, text));
        }
    }
}
