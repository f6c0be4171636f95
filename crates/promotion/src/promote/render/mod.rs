//! What a plan changes among objects: the stage's Kustomizations built before and after, in process.
//!
//! ```text
//! head of the branch ── Files ─┬─ build ─> objects before ─┬─ compare ─> added, changed, removed
//!             plan ────────────┴─ build ─> objects after ──┘
//! ```
//!
//! It is a preview: variables stay as they are written, nothing is decrypted, and what is not in the
//! repository (remote bases, charts of other sources) is named instead of fetched. Whatever goes wrong is
//! told in the summary and holds nobody up.

mod build;
mod difference;
mod files;
mod release;

use std::{collections::BTreeSet, sync::Arc};

use api::{
    kustomize::Kustomization,
    promotion::{ObjectChange, RenderedObject, RenderedSummary},
};
use controller::Stop;
use git::{Mode, Snapshot};
use kube::ResourceExt as _;
use serde_json::Value;
use setters::stage as edit;

use self::files::Files;
use super::Run;
use crate::{branch, deploy};

/// How many Kustomizations of one stage are built.
const KUSTOMIZATIONS: usize = 16;
/// How many objects a status shows.
const SHOWN: usize = 32;
/// How often files are read that a build turns out to need.
const ROUNDS: usize = 64;
/// How long the text may be that says what is missing.
const TEXT: usize = 1_000;

/// One object of one of two builds, and what made it.
pub(super) struct Object {
    by: String,
    value: Value,
}

/// What two builds came to.
#[derive(Default)]
pub(super) struct Builds {
    before: Vec<Object>,
    after: Vec<Object>,
    /// What is not in it, and why.
    notes: BTreeSet<String>,
}

impl Run<'_> {
    /// What a plan changes among the objects.
    pub(super) async fn rendered(
        &self,
        head: &Snapshot,
        plan: edit::Plan,
    ) -> Result<RenderedSummary, Stop> {
        let about = self.need()?;
        let targets = deploy::targets(&about.stage, &about.pipe, self.stores).unwrap_or_default();
        let named = targets.iter().filter(|it| it.kind == "Kustomization");
        let found = named.filter_map(|it| self.stores.kustomizations.get(&it.namespace, &it.name));
        let mut all: Vec<Arc<Kustomization>> = found.collect();
        let mut notes = BTreeSet::new();
        if all.is_empty() {
            notes.insert("no Kustomization of this cluster applies the stage's paths".to_owned());
        }
        if all.len() > KUSTOMIZATIONS {
            notes.insert(format!("{KUSTOMIZATIONS} of {} Kustomizations are built", all.len()));
            all.truncate(KUSTOMIZATIONS);
        }
        let mut builds = match self.built(head, plan, all).await {
            Ok(builds) => builds,
            Err(why) => Builds { notes: BTreeSet::from([why]), ..Builds::default() },
        };
        builds.notes.append(&mut notes);
        Ok(summary(builds))
    }

    /// Builds, and reads what turned out to be needed, until nothing is.
    async fn built(
        &self,
        head: &Snapshot,
        plan: edit::Plan,
        all: Vec<Arc<Kustomization>>,
    ) -> Result<Builds, String> {
        let failed = |why: git::Error| format!("the repository cannot be read: {why}");
        let entries = head.files("").await.map_err(failed)?;
        let links = head.scan(
            "",
            |it| it.mode == Mode::Symlink,
            |it, target| {
                let target = String::from_utf8_lossy(&target).into_owned();
                Some((it.path.clone(), target))
            },
        );
        let links = links.await.map_err(failed)?.found;
        let mut files = Files::new(entries, links, plan);
        let about = self.about.as_ref();
        let source = about.and_then(|it| branch::repository_key(&it.stage, &it.pipe));
        let source = source.unwrap_or_default();
        for _ in 0..ROUNDS {
            let (tree, all, source) = (files.clone(), all.clone(), source.clone());
            let work = move || {
                let builds = build::all(&tree, &all, &source);
                (builds, tree.missed())
            };
            let done = self.context.compute.run(files.bytes(), work).await;
            let (builds, missed) = done.map_err(|why| why.to_string())?;
            if missed.is_empty() {
                return Ok(builds);
            }
            let wanted = files.unread(&missed)?;
            let read = head.scan(
                "",
                move |it| wanted.contains(&it.path),
                |it, bytes| Some((it.path.clone(), bytes)),
            );
            files.add(&missed, read.await.map_err(failed)?.found);
        }
        Err("its files are spread over too many folders to be built".to_owned())
    }
}

/// What is told of two builds.
fn summary(builds: Builds) -> RenderedSummary {
    let Builds { before, after, mut notes } = builds;
    let objects = difference::compare(&before, &after);
    let count = |change: ObjectChange| {
        let count = objects.iter().filter(|it| it.change == change).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    let (added, changed) = (count(ObjectChange::Added), count(ObjectChange::Changed));
    let removed = count(ObjectChange::Removed);
    if objects.len() > SHOWN {
        notes.insert(format!("{SHOWN} of {} objects are shown", objects.len()));
    }
    let objects: Vec<RenderedObject> = objects.into_iter().take(SHOWN).collect();
    let text: String = notes.into_iter().collect::<Vec<_>>().join("; ");
    let text: String = text.chars().take(TEXT).collect();
    let message = Some(text).filter(|it| !it.is_empty());
    RenderedSummary { added, changed, removed, objects, message }
}

/// What people know a Kustomization by.
fn name_of(it: &Kustomization) -> String {
    format!("Kustomization/{}/{}", it.namespace().unwrap_or_default(), it.name_any())
}
