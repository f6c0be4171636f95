//! What must not be beside a stage: circles, shared files, other automation.

use api::{
    promotion::{Pipeline, Stage},
    reason,
};
use controller::Stop;
use kube::ResourceExt as _;
use pipeline::{
    graph::{self, Node},
    path,
};

use crate::{branch, store::Stores};

/// Checks a stage against what is beside it.
///
/// # Errors
/// A stall that names the other.
pub(crate) fn check(it: &Stage, pipe: &Pipeline, stores: &Stores) -> Result<(), Stop> {
    let namespace = it.namespace().unwrap_or_default();
    let stages = stores.stages.in_namespace(&namespace);
    let nodes: Vec<Node> = stages
        .iter()
        .map(|it| Node {
            stage: it.name_any(),
            pipeline: it.spec.pipeline_ref.name.clone(),
            from: it.spec.from.iter().map(|it| it.stage.clone()).collect(),
        })
        .collect();
    let problems = graph::problems(&it.spec.pipeline_ref.name, &nodes);
    if let Some(problem) = problems.iter().find(|problem| problem.concerns(&it.name_any())) {
        return Err(Stop::stall(reason::INVALID_GRAPH, problem));
    }
    overlap(it, pipe, stores)?;
    automation(it, pipe, stores)
}

fn paths(it: &Stage) -> Vec<String> {
    it.spec.edit.clone().unwrap_or_default().paths
}

/// The address of the repository and the branch that a stage writes to.
fn place(it: &Stage, pipe: &Pipeline, stores: &Stores) -> Option<(String, String)> {
    let (namespace, name) = branch::repository_key(it, pipe)?;
    let repository = stores.repositories.get(&namespace, &name)?;
    Some((repository.spec.url.clone(), branch::branch_of(it, pipe, stores)?))
}

/// Two stages of one pipeline that edit the same files write over each other, unless the markers tell
/// them apart.
fn overlap(it: &Stage, pipe: &Pipeline, stores: &Stores) -> Result<(), Stop> {
    use api::promotion::Markers::StageOnly;
    let only = |it: &Stage| it.spec.edit.as_ref().and_then(|it| it.markers) == Some(StageOnly);
    let own = place(it, pipe, stores);
    for other in stores.stages.in_namespace(&it.namespace().unwrap_or_default()) {
        let same_pipe = other.spec.pipeline_ref == it.spec.pipeline_ref;
        if !same_pipe || other.name_any() == it.name_any() || only(it) || only(&other) {
            continue;
        }
        if own.is_none() || place(&other, pipe, stores) != own {
            continue;
        }
        if let Some((mine, theirs)) = path::overlap(&paths(it), &paths(&other)) {
            let shown = |path: &str| if path.is_empty() { ".".to_owned() } else { path.to_owned() };
            let text = format!(
                "path '{}' overlaps with '{}' of stage '{}': give them folders of their own, or \
                 markers with @stage and markers: StageOnly",
                shown(mine),
                shown(theirs),
                other.name_any()
            );
            return Err(Stop::stall(reason::OVERLAPPING_PATHS, text));
        }
    }
    Ok(())
}

/// An ImageUpdateAutomation that writes the same markers would undo every promotion.
fn automation(it: &Stage, pipe: &Pipeline, stores: &Stores) -> Result<(), Stop> {
    let Some(own) = place(it, pipe, stores) else { return Ok(()) };
    let namespace = it.namespace().unwrap_or_default();
    for other in stores.automations.all() {
        if other.spec.suspend == Some(true) {
            continue;
        }
        let writes_policies = pipe.spec.components.iter().any(|component| {
            let policy = component.image_policy_ref.as_ref();
            let at = policy.map(|it| it.namespace.clone().unwrap_or_else(|| namespace.clone()));
            at.is_some() && at == other.namespace()
        });
        let reference = &other.spec.source_ref;
        let from = reference.namespace.clone().filter(|it| !it.is_empty());
        let from = from.or_else(|| other.namespace()).unwrap_or_default();
        let Some(repository) = stores.repositories.get(&from, &reference.name) else { continue };
        let git = other.spec.git.clone().unwrap_or_default();
        let branch = git
            .push
            .and_then(|it| it.branch)
            .or_else(|| git.checkout?.reference.branch)
            .or_else(|| repository.spec.reference.as_ref()?.branch.clone())
            .unwrap_or_else(|| "master".to_owned());
        let path = other.spec.update.clone().and_then(|it| it.path).unwrap_or_default();
        let covers = (repository.spec.url.clone(), branch) == own
            && path::overlap(&[path], &paths(it)).is_some();
        if writes_policies && covers {
            let text = format!(
                "ImageUpdateAutomation '{}/{}' writes the same files: suspend it or give it another \
                 path",
                other.namespace().unwrap_or_default(),
                other.name_any()
            );
            return Err(Stop::stall(reason::CONFLICTING_AUTOMATION, text));
        }
    }
    Ok(())
}
