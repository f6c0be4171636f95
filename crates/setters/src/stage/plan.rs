//! What a bundle changes in a stage's files.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::copy::{self, Files};
use super::edit::{self, Edited, bytes};
use super::{Attribute, Copy, Error, Stage};
use crate::ObjectId;

/// What a bundle changes in a stage's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Path and new bytes of the files that change or are new, by path.
    pub files: Vec<(String, Vec<u8>)>,
    /// The files that go.
    pub removed: Vec<String>,
    /// The values that change.
    pub changes: Vec<Change>,
    /// Every place that shows a component, with what it said before.
    pub sites: Vec<Site>,
    /// What became of every marker and field.
    pub markers: Vec<Marked>,
    /// Why this must not be committed; empty for a good plan.
    pub problems: Vec<Problem>,
}

/// A value that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path of the file.
    pub file: String,
    /// The line of the marker or value, from 1.
    pub line: usize,
    /// The object that the value belongs to.
    pub object: ObjectId,
    /// The way to it from the root of its object.
    pub path: String,
    /// The component that it shows.
    pub component: String,
    /// The value before.
    pub old: String,
    /// The value now.
    pub new: String,
    /// The marker's text, or `field` and the path.
    pub marker: String,
}

/// A place that shows a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The path of the file.
    pub file: String,
    /// The line of the marker or value, from 1.
    pub line: usize,
    /// The marker's text, or `field` and the path.
    pub marker: String,
    /// The object that the value belongs to.
    pub object: ObjectId,
    /// The way to it from the root of its object.
    pub path: String,
    /// The component.
    pub component: String,
    /// What of it.
    pub attribute: Attribute,
    /// An image is written with its digest.
    pub pinned: bool,
    /// What it says in the file as it was given.
    pub value: String,
}

/// A marker, a field, or a file whose markers cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The path of the file.
    pub file: String,
    /// The line, from 1; 0 if it is about the whole file.
    pub line: usize,
    /// The marker's text, or `field` and the path; if it could be read.
    pub marker: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why a value was changed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has a new value.
    Updated,
    /// It had the right value already.
    Same,
    /// There is no value to set yet.
    Read,
    /// It belongs to another pipeline, stage or policy.
    NotOurs,
    /// The pipeline has no such component.
    UnknownComponent(String),
    /// Components have no such attribute.
    UnknownAttribute(String),
    /// The bundle lacks what is asked for.
    NotExpressible(String),
    /// The place cannot be edited.
    Unwritable(crate::Outcome),
}

/// Why a plan must not be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What a promotion fails with.
    pub reason: Reason,
    /// The component it is about, if it is about one.
    pub component: Option<String>,
    /// The file it is about, if it is about one.
    pub file: Option<String>,
    /// The line in it, from 1; 0 for none.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// What a promotion fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is no place, or none that can be used, for a component.
    NoMarkers,
    /// The places that are there cannot say what the bundle holds.
    NotExpressible,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMarkers => "NoMarkers",
            Self::NotExpressible => "NotExpressible",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updated => f.write_str("updated"),
            Self::Same => f.write_str("already up to date"),
            Self::Read => f.write_str("there is no value to set yet"),
            Self::NotOurs => f.write_str("it belongs to another pipeline, stage or policy"),
            Self::UnknownComponent(name) => write!(f, "the pipeline has no component '{name}'"),
            Self::UnknownAttribute(name) => {
                f.write_str(&Error::Attribute(name.clone()).to_string())
            }
            Self::NotExpressible(why) => f.write_str(why),
            Self::Unwritable(crate::Outcome::Malformed) => f.write_str(
                "not a marker: want \
                 {\"$promotion\": \"[<namespace>:]<pipeline>[@<stage>]:<component>:<attribute>\"}",
            ),
            Self::Unwritable(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), 0) => write!(f, "{file}: {}", self.message),
            (Some(file), line) => write!(f, "{file}:{line}: {}", self.message),
            (None, _) => f.write_str(&self.message),
        }
    }
}

/// Plans what the stage's bundle changes in `files` (path and bytes of all files in its scope; others
/// are left alone), after its folders were copied.
///
/// # Errors
/// A value of the bundle is not what it should be.
pub fn plan<'f>(
    stage: &Stage,
    files: impl IntoIterator<Item = (String, Cow<'f, [u8]>)>,
    copies: &'f [Copy],
) -> Result<Plan, Error> {
    for (name, component) in &stage.components {
        component.check(name)?;
    }
    let before: Files<'f> =
        files.into_iter().filter(|(path, _)| stage.scope.contains(path)).collect();
    let mut now = before.clone();
    let mut plan = Plan::default();
    for copy in copies {
        plan.problems.extend(copy::apply(copy, &stage.scope, &mut now).err());
    }
    let mut found = BTreeSet::new();
    for (path, content) in &mut now {
        let edited = edit::edit(stage, path, content);
        let after = plan.take(edited, &mut found);
        *content = bytes(after, std::mem::take(content));
    }
    plan.removed = before.keys().filter(|path| !now.contains_key(*path)).cloned().collect();
    let changed = now.into_iter().filter(|(path, bytes)| before.get(path) != Some(bytes));
    plan.files = changed.map(|(path, bytes)| (path, bytes.into_owned())).collect();
    plan.judge(stage, &found, copies);
    Ok(plan)
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.removed.is_empty()
    }

    fn take(&mut self, edited: Edited, found: &mut BTreeSet<usize>) -> Option<Vec<u8>> {
        self.sites.extend(edited.sites);
        self.changes.extend(edited.changes);
        self.markers.extend(edited.markers);
        found.extend(edited.fields);
        edited.content
    }

    fn judge(&mut self, stage: &Stage, found: &BTreeSet<usize>, copies: &[Copy]) {
        let of_markers: Vec<_> = self.markers.iter().filter_map(Marked::problem).collect();
        self.problems.extend(of_markers);
        for (number, field) in stage.fields.iter().enumerate() {
            if !found.contains(&number) {
                self.problems.push(Problem {
                    reason: Reason::NoMarkers,
                    component: Some(field.component.clone()),
                    file: None,
                    line: 0,
                    message: format!("{} has no field {}", field.target, field.path),
                });
            }
        }
        for (name, component) in &stage.components {
            let has_folder = copies.iter().any(|it| it.component == *name);
            self.problems.extend(self.silence(name, component, has_folder));
        }
    }

    /// Why a component cannot be seen in the files, or not as what it is to be.
    fn silence(&self, name: &str, it: &super::Component, has_folder: bool) -> Option<Problem> {
        let problem = |reason, message| {
            let component = Some(name.to_owned());
            Some(Problem { reason, component, file: None, line: 0, message })
        };
        let sites: Vec<&Site> = self.sites.iter().filter(|site| site.component == name).collect();
        if sites.is_empty() && !has_folder && !it.optional {
            return problem(
                Reason::NoMarkers,
                format!(
                    "no marker or field shows component '{name}' under the stage's paths: mark a \
                     value, name a field, or make the component optional"
                ),
            );
        }
        let (Some(before), Some(now)) = (&it.previous, &it.value) else { return None };
        let says = |value: &super::Value| -> BTreeSet<Option<String>> {
            sites.iter().map(|site| value.get(site.attribute, site.pinned).ok()).collect()
        };
        if sites.is_empty() || has_folder || before == now || says(before) != says(now) {
            return None;
        }
        let shown: BTreeMap<&str, usize> =
            sites.iter().map(|site| (site.file.as_str(), site.line)).collect();
        let shown: Vec<String> =
            shown.iter().map(|(file, line)| format!("{file}:{line}")).take(5).collect();
        problem(
            Reason::NotExpressible,
            format!(
                "the markers of component '{name}' ({}) cannot tell its new value from the one \
                 before: add one for its digest",
                shown.join(", ")
            ),
        )
    }
}

impl Marked {
    fn problem(&self) -> Option<Problem> {
        let (reason, component) = match &self.outcome {
            Outcome::Updated | Outcome::Same | Outcome::Read | Outcome::NotOurs => return None,
            Outcome::Unwritable(crate::Outcome::Malformed) if self.marker.is_none() => return None,
            Outcome::UnknownComponent(name) => (Reason::NoMarkers, Some(name.clone())),
            Outcome::UnknownAttribute(_) | Outcome::Unwritable(_) => (Reason::NoMarkers, None),
            Outcome::NotExpressible(_) => (Reason::NotExpressible, None),
        };
        let message = match &self.marker {
            Some(marker) => format!("{marker}: {}", self.outcome),
            None => self.outcome.to_string(),
        };
        Some(Problem { reason, component, file: Some(self.file.clone()), line: self.line, message })
    }
}
