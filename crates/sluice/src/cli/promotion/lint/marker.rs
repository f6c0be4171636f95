//! What can be told of the files that stages edit.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};
use api::promotion::{Field, Markers, Pipeline, Stage};
use kube::ResourceExt as _;
use setters::stage::{self, FieldPath, Policy, Reason, Scope, Target};

use super::{Finding, check};
use crate::cli::promotion::given::Given;

/// The most that is read of one file.
const LIMIT: u64 = 8 << 20;

/// Everything that is wrong with the markers of a checkout.
pub(super) fn all(given: &Given, folder: &Path) -> Result<Vec<Finding>> {
    let files = files(folder)?;
    let mut findings = Vec::new();
    let mut stages = Vec::new();
    for it in &given.stages {
        let Some(pipe) = given.pipeline(it) else { continue };
        match to_setters(it, pipe) {
            Ok(stage) => {
                without_markers(it, &stage, &files, &mut findings);
                stages.push(stage);
            }
            Err(why) => findings.push(Finding::error(check::name(it), why.to_string())),
        }
    }
    findings.extend(stage::lint(&files, &stages).into_iter().map(|it| {
        let place = if it.line > 0 { format!("{}:{}", it.file, it.line) } else { it.file.clone() };
        let marker = it.marker.map(|it| format!("{it}: ")).unwrap_or_default();
        Finding::error(place, format!("{marker}{}", it.message))
    }));
    Ok(findings)
}

/// Components for which a stage has no place in its files.
fn without_markers(
    it: &Stage,
    stage: &stage::Stage,
    files: &BTreeMap<String, Vec<u8>>,
    findings: &mut Vec<Finding>,
) {
    let own = files.iter().filter(|(path, _)| stage.scope.contains(path));
    let own = own.map(|(path, bytes)| (path.clone(), Cow::Borrowed(bytes.as_slice())));
    match stage::plan(stage, own, &[]) {
        Ok(plan) => findings.extend(
            plan.problems
                .iter()
                .filter(|it| it.reason == Reason::NoMarkers)
                .map(|problem| Finding::error(check::name(it), problem.to_string())),
        ),
        Err(why) => findings.push(Finding::error(check::name(it), why.to_string())),
    }
}

/// A stage as setters see it, without values.
fn to_setters(it: &Stage, pipe: &Pipeline) -> Result<stage::Stage> {
    let namespace = it.namespace().unwrap_or_default();
    let edit = it.spec.edit.clone().unwrap_or_default();
    let root = vec![".".to_owned()];
    let paths = if edit.paths.is_empty() { &root } else { &edit.paths };
    let policy = |namespace: &str, name: &str| Policy {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        reflects_digest: false,
    };
    let component = |it: &api::promotion::Component| {
        let own = it.image_policy_ref.iter();
        let own = own.map(|it| policy(it.namespace.as_deref().unwrap_or(&namespace), &it.name));
        let aliases = it.aliases.iter().filter_map(|it| it.split_once(':'));
        let policies = own.chain(aliases.map(|(namespace, name)| policy(namespace, name)));
        stage::Component {
            value: None,
            previous: None,
            policies: policies.collect(),
            optional: it.optional.unwrap_or(false),
        }
    };
    let components = pipe.spec.components.iter().map(|it| (it.name.clone(), component(it)));
    Ok(stage::Stage {
        pipeline: pipe.name_any(),
        name: it.name_any(),
        scope: Scope::new(paths)?,
        markers: match edit.markers.unwrap_or_default() {
            Markers::Any => stage::Markers::Any,
            Markers::StageOnly => stage::Markers::StageOnly,
        },
        fields: edit.fields.iter().map(field).collect::<Result<_>>()?,
        components: components.collect(),
        namespace: namespace.clone(),
    })
}

fn field(it: &Field) -> Result<stage::Field> {
    let target = match (&it.file, &it.object) {
        (Some(file), _) => Target::File(file.glob.clone()),
        (None, Some(object)) => Target::Object {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        },
        (None, None) => return Err(anyhow!("a field names neither file nor object")),
    };
    Ok(stage::Field {
        target,
        path: FieldPath::parse(&it.path)?,
        component: it.from.component.clone(),
        attribute: it.from.attr.parse()?,
    })
}

/// The files of a checkout that can have markers, by their path in it.
fn files(root: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder);
        for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
            let path: PathBuf = entry?.path();
            let kind = path.symlink_metadata()?;
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            if kind.is_dir() {
                folders.extend((path.file_name() != Some(".git".as_ref())).then_some(path));
            } else if kind.is_file() && kind.len() <= LIMIT && setters::is_candidate(&name) {
                let bytes = std::fs::read(&path);
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                found.insert(name, bytes);
            }
        }
    }
    Ok(found)
}
