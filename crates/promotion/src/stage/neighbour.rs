//! What must not be beside a stage: circles, shared files, other automation.

use std::collections::BTreeMap;

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
    let problems = graph::problems(&it.spec.pipeline_ref.name, &upstream(it, stores));
    if let Some(problem) = problems.iter().find(|problem| problem.concerns(&it.name_any())) {
        return Err(Stop::stall(reason::INVALID_GRAPH, problem));
    }
    overlap(it, pipe, stores)?;
    automation(it, pipe, stores)
}

/// A stage and all that feed it: no others can be in its way.
fn upstream(it: &Stage, stores: &Stores) -> Vec<Node> {
    let node = |it: &Stage| Node {
        stage: it.name_any(),
        pipeline: it.spec.pipeline_ref.name.clone(),
        from: it.spec.from.iter().map(|it| it.stage.clone()).collect(),
    };
    let namespace = it.namespace().unwrap_or_default();
    let mut nodes = BTreeMap::from([(it.name_any(), node(it))]);
    let mut waiting: Vec<String> = it.spec.from.iter().map(|it| it.stage.clone()).collect();
    while let Some(name) = waiting.pop() {
        let found = stores.stages.get(&namespace, &name);
        if let Some(found) = found.filter(|_| !nodes.contains_key(&name)) {
            let node = node(&found);
            waiting.extend(node.from.clone());
            nodes.insert(name, node);
        }
    }
    nodes.into_values().collect()
}

fn paths(it: &Stage) -> Vec<String> {
    it.spec.edit.as_ref().map(|it| it.paths.clone()).unwrap_or_default()
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
    let (own, mine) = (place(it, pipe, stores), paths(it));
    if own.is_none() || only(it) {
        return Ok(());
    }
    for other in stores.stages.in_namespace(&it.namespace().unwrap_or_default()) {
        let same_pipe = other.spec.pipeline_ref == it.spec.pipeline_ref;
        if !same_pipe || other.metadata.name == it.metadata.name || only(&other) {
            continue;
        }
        // Seldom so, and the cheaper question.
        let theirs = other.spec.edit.as_ref().map(|it| it.paths.as_slice()).unwrap_or_default();
        if let Some((mine, theirs)) = path::overlap(&mine, theirs)
            && place(&other, pipe, stores) == own
        {
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
