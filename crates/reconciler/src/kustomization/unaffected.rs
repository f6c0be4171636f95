//! Moving to a new revision without a build: nothing that the last build looked at has changed.
//!
//! Only a new revision is answered so, and only while what was applied is ready and the interval
//! of the last comparison with the cluster has not passed. The spec, a request, the interval, other
//! values or keys, remote bases, another cluster and a restart all mean a whole run.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use ::health::Rules;
use api::kustomize::Kustomization;
use api::meta::{READY, Status as _};
use apply::Entry;
use artifact::{Algorithm, Digest};
use controller::Turn;
use jiff::Timestamp;

use super::build::{self, Ingredients};
use super::run::{End, Run, interval};
use super::source::Found;
use super::tree::Record;
use super::{KustomizationReconciler, Memo, check, health};

/// What was built, and what of.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// What of the artifact was looked at.
    pub(super) record: Arc<Record>,
    /// Values and keys, as a digest that means nothing outside of this process.
    pub(super) values: Digest,
}

/// A good run, to be held against the next revision.
#[derive(Debug, Clone)]
pub(super) struct Last {
    generation: Option<i64>,
    requested_at: Option<String>,
    revision: String,
    /// Digest of what was built.
    digest: String,
    /// Whose health counts.
    entries: Vec<Entry>,
    made: Option<Made>,
    /// When it was compared with the cluster.
    at: Timestamp,
}

impl Last {
    pub(super) fn new(
        run: &Run<'_>,
        turn: &Turn,
        (digest, entries): (String, Vec<Entry>),
        (made, at): (Option<Made>, Timestamp),
    ) -> Self {
        Self {
            generation: run.it.metadata.generation,
            requested_at: turn.requested_at().map(str::to_owned),
            revision: run.revision().to_owned(),
            digest,
            entries,
            made,
            at,
        }
    }

    /// Whether nobody asked for a whole run since: not by the spec, not by a request, not by time.
    fn stands(&self, it: &Kustomization, turn: &Turn) -> bool {
        let age = turn.now().duration_since(self.at).try_into().unwrap_or_default();
        self.generation == it.metadata.generation
            && self.requested_at.as_deref() == turn.requested_at()
            && interval(it) > age
            && is_ready(it)
    }

    /// Whether a run that changed nothing is no news: it was only woken by what it watches.
    pub(super) fn is_news(&self, run: &Run<'_>, turn: &Turn) -> bool {
        !(self.stands(run.it, turn) && self.revision == run.revision())
    }
}

/// Whether the last run at this generation went well.
fn is_ready(it: &Kustomization) -> bool {
    let Some(status) = &it.status else { return false };
    let is_observed = status.observed_generation == it.metadata.generation;
    is_observed && status.condition(READY).is_some_and(|ready| ready.status == "True")
}

/// What makes digests of values worthless to whoever reads memory: 256 bits of this process' own.
static SALT: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut salt = [0; 32];
    for chunk in salt.chunks_exact_mut(8) {
        chunk.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
    }
    salt
});

/// The digest of everything besides the artifact and the spec that a build depends on.
pub(super) fn values(ingredients: &Ingredients) -> Digest {
    let mut bytes = SALT.to_vec();
    let mut add = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    if let Some(variables) = &ingredients.variables {
        for name in variables.names() {
            add(name.as_bytes());
            add(variables.get(name).unwrap_or_default());
        }
    }
    add(b"/");
    for (name, value) in ingredients.keys.iter().flat_map(|keys| &keys.data) {
        add(name.as_bytes());
        add(value);
    }
    Algorithm::Sha256.digest(&bytes)
}

impl KustomizationReconciler {
    /// The digest of what is applied, if the new revision changes nothing of it.
    ///
    /// # Errors
    /// As a build, before it builds; and once for each revision, to let others go first.
    pub(super) async fn unaffected(
        &self,
        run: &mut Run<'_>,
        turn: &mut Turn,
        (found, rules): (&Found, &Rules),
    ) -> Result<Option<String>, End> {
        let Some(last) = turn.memo::<Memo>().last.clone() else { return Ok(None) };
        let is_new = last.revision != found.artifact.revision;
        let Some(made) = last.made.clone().filter(|_| is_new && last.stands(run.it, turn)) else {
            return Ok(None);
        };
        let lease = self.fetch(run, found).await?;
        let ingredients = self.ingredients(run, &lease).await?;
        if values(&ingredients) != made.values {
            return Ok(None);
        }
        let folder = lease.path().to_owned();
        let holds = self.host.compute().run(0, move || made.record.holds(&folder)).await;
        if !holds.unwrap_or(false) {
            return Ok(None);
        }
        // Those whose objects change go first.
        let before = turn.memo::<Memo>().gave_way.replace(run.revision().to_owned());
        if before.as_deref() != Some(run.revision()) {
            return Err(End::GiveWay);
        }
        if check::is_wanted(run.it) {
            let target = self.target(run).await?;
            let scene = self.scene(&target, rules);
            if !health::judge(scene.judge(turn.now()), &last.entries).await.is_good() {
                return Ok(None);
            }
        }
        run.status.last_attempted_revision = Some(run.revision().to_owned());
        let digest = last.digest.clone();
        turn.memo::<Memo>().last = Some(Last { revision: run.revision().to_owned(), ..last });
        tracing::debug!(path = build::folder_of(&run.it.spec), "a new revision changes nothing");
        Ok(Some(digest))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use serde_json::{Value, json};
    use testkit::{Tally, corpus};

    use super::super::build::Files;
    use super::*;

    /// Repositories whose trees are always tried; the others with `SLUICE_FULL`.
    const ALWAYS: [&str; 4] = [
        "fluxcd-flux2-kustomize-helm-example",
        "fluxcd-flux2-multi-tenancy",
        "fluxcd-source-controller",
        "stefanprodan-podinfo",
    ];

    fn ingredients(folder: &Path, path: &str) -> Ingredients {
        let it: Kustomization = serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "a", "namespace": "ns"},
            "spec": {"interval": "1m", "prune": true, "path": path,
                     "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
        }))
        .unwrap();
        Ingredients {
            files: Files::Artifact(folder.to_owned()),
            path: build::folder_of(&it.spec),
            it,
            variables: None,
            strict: false,
            keys: None,
            answers: Vec::new(),
        }
    }

    /// What is built of a folder: the digest, or that nothing is.
    fn built(folder: &Path, path: &str) -> (Option<String>, Option<Record>) {
        match build::build(&ingredients(folder, path)) {
            Ok(built) => (Some(built.digest), built.record),
            Err(_) => (None, None),
        }
    }

    fn files(root: &Path) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }

    fn copy(from: &Path) -> tempfile::TempDir {
        let to = tempfile::tempdir().unwrap();
        for file in files(from) {
            let target = to.path().join(file.strip_prefix(from).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(file, target).unwrap();
        }
        to
    }

    /// A tree with one change, taken back afterwards, must be built as before if the record holds.
    /// Whether it held.
    fn tried(
        (folder, path): (&Path, &str),
        (record, before): (&Record, &Option<String>),
        what: &str,
    ) -> Result<bool, String> {
        if !record.holds(folder) {
            return Ok(false);
        }
        let (after, _) = built(folder, path);
        if after == *before { Ok(true) } else { Err(format!("{what} was not noticed")) }
    }

    /// Edits, adds and deletes each file, and files beside it. How many changes were told and how
    /// many left it unaffected.
    fn prove(case: &Path) -> Result<(usize, usize), String> {
        let about: Value =
            serde_json::from_slice(&fs::read(case.join("case.json")).unwrap()).unwrap();
        let path = about["path"].as_str().unwrap();
        let copy = copy(&case.join("in"));
        let folder = copy.path();
        let (before, Some(record)) = built(folder, path) else { return Ok((0, 0)) };
        let known = (&record, &before);
        if !tried((folder, path), known, "nothing")? {
            return Err("the record does not hold where nothing has changed".to_owned());
        }
        let (mut told, mut unaffected) = (0, 0);
        let mut count = |held: bool| if held { unaffected += 1 } else { told += 1 };
        for file in files(folder) {
            let shown = file.strip_prefix(folder).unwrap().display().to_string();
            let content = fs::read(&file).unwrap();
            let again = |what: &str| tried((folder, path), known, &format!("{shown}: {what}"));
            fs::write(&file, [&content[..], b"\n---\nkind: Edited\n"].concat()).unwrap();
            count(again("an edit")?);
            fs::write(&file, "").unwrap();
            count(again("an empty file")?);
            fs::remove_file(&file).unwrap();
            count(again("a deletion")?);
            fs::create_dir(&file).unwrap();
            count(again("a folder in its place")?);
            fs::remove_dir(&file).unwrap();
            fs::write(&file, &content).unwrap();
            for name in ["kustomization.yaml", "kustomization.yml", "Kustomization", "a.yaml"] {
                let beside = file.with_file_name(name);
                if !beside.exists() {
                    let config = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: added}\n";
                    fs::write(&beside, config).unwrap();
                    count(again(&format!("{name} beside it"))?);
                    fs::remove_file(&beside).unwrap();
                }
            }
        }
        Ok((told, unaffected))
    }

    /// The record may be too careful, but never wrong.
    #[test]
    fn unaffected_implies_identical_output() {
        let Some(root) = corpus("kustomize") else { return };
        let is_full = std::env::var_os("SLUICE_FULL").is_some();
        let mut tally = Tally::new("unaffected");
        let (mut told, mut unaffected) = (0, 0);
        let mut groups: Vec<PathBuf> =
            fs::read_dir(&root).unwrap().map(|it| it.unwrap().path()).collect();
        groups.sort();
        groups
            .retain(|it| it.is_dir() && (is_full || ALWAYS.iter().any(|name| it.ends_with(name))));
        for case in groups.iter().flat_map(|group| fs::read_dir(group).unwrap()) {
            let case = case.unwrap().path();
            let name = case.strip_prefix(&root).unwrap().display().to_string();
            let result = prove(&case).map(|(some, more)| {
                told += some;
                unaffected += more;
            });
            tally.record(&name, result);
        }
        tally.finish();
        assert!(told > 0 && unaffected > 0, "{told} told, {unaffected} unaffected");
    }
}
