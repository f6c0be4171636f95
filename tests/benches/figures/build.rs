//! Figures of the kustomize engine: against the program on real overlays, and how it grows.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use kustomize::{Budget, Entry, Inputs, Options, Reorder, Tree};
use scenarios::{Backend, skipped};
use serde_json::Value;
use tempfile::TempDir;

use crate::Figure;

/// How often each overlay is built; the fastest counts.
const TIMES: usize = 5;
/// How many resources refer to each other in the large tree.
const RESOURCES: usize = 4000;

/// Milliseconds to build all real overlays of the corpus, one process each, and seconds to build a
/// tree in which every Deployment refers to ConfigMaps and Secrets whose names are changed; both
/// against `kustomize` if it is on the path (or named by `KUSTOMIZE`).
pub(super) fn figures(wants: &impl Fn(&str) -> bool, n: Option<usize>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if wants("build-overlays") {
        figures.extend(overlays(n)?);
    }
    if wants("build-engine") {
        figures.extend(engine(n)?);
    }
    if wants("build-references") {
        figures.push(references(n.unwrap_or(RESOURCES))?);
    }
    Ok(figures)
}

fn figure(
    (name, unit): (&'static str, &'static str),
    (ours, peer): (f64, Option<f64>),
    (alone, against): (f64, f64),
    n: usize,
) -> Figure {
    let target = peer.map_or(alone, |peer| peer / against);
    Figure { name, value: ours, unit, target, server: Backend::Embedded, n, peer }
}

/// The program to compare with.
fn program() -> Option<PathBuf> {
    let given = std::env::var_os("KUSTOMIZE").map(PathBuf::from);
    let on_path = || {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|it| it.join("kustomize")).find(|it| it.is_file())
    };
    let found = given.or_else(on_path);
    if found.is_none() {
        skipped("build against kustomize", "kustomize is not on the path");
    }
    found
}

/// The engine alone, in this process, on [`trees`] of more than 50 resources; against kustomize's
/// own in a process of its own (`tests/tools/krusty`).
fn engine(n: Option<usize>) -> Result<Option<Figure>> {
    let Some(root) = testkit::corpus("kustomize") else { return Ok(None) };
    let peer = world::cache::folder().map(|it| it.join("krusty-v0.20.1/krusty"));
    let Some(peer) = peer.filter(|it| it.is_file()) else {
        skipped("the engine against kustomize's", "krusty, built by `cargo xtask setup`");
        return Ok(None);
    };
    let (_place, mut folders) = trees(&root)?;
    folders.truncate(n.unwrap_or(usize::MAX));
    let mut ours = Duration::ZERO;
    for folder in &folders {
        let turns = (0..TIMES).map(|_| Ok(turn(folder)?.0)).collect::<Result<Vec<_>>>()?;
        ours += turns.into_iter().min().unwrap_or_default();
    }
    let output = Command::new(peer).arg(TIMES.to_string()).args(&folders).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kustomize's engine fails: {told}");
    let peer: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    let ours = ours.as_secs_f64() * 1000.0;
    Ok(Some(figure(("build-engine", "ms"), (ours, Some(peer)), (0.0, 3.0), folders.len())))
}

/// Trees of more than 50 resources, which no single overlay of the corpus has: the largest overlays of
/// some repositories side by side, each renamed.
fn trees(root: &Path) -> Result<(TempDir, Vec<PathBuf>)> {
    let place = tempfile::tempdir()?;
    let up = "../".repeat(place.path().components().count() + 1);
    let mut largest = BTreeMap::<PathBuf, (usize, PathBuf)>::new();
    for folder in real(root)? {
        let of = folder.strip_prefix(root)?.iter().take(1).collect();
        let count = turn(&folder)?.1;
        let known = largest.entry(of).or_default();
        if count > known.0 {
            *known = (count, folder);
        }
    }
    let (mut trees, mut members, mut count) = (Vec::new(), Vec::new(), 0);
    for (resources, folder) in largest.into_values() {
        let (n, tree) = (members.len(), place.path().join(trees.len().to_string()));
        let member = tree.join(format!("part-{n}"));
        std::fs::create_dir_all(&member)?;
        let base = format!("{up}{}", folder.canonicalize()?.strip_prefix("/")?.display());
        let own = format!(
            "resources: [{base}]\nnameSuffix: '-{n}'\ncommonAnnotations: {{part: '{n}'}}\n"
        );
        std::fs::write(member.join("kustomization.yaml"), own)?;
        members.push(format!("part-{n}"));
        count += resources;
        if count > 50 {
            let own = format!("resources: [{}]\n", members.join(", "));
            std::fs::write(tree.join("kustomization.yaml"), own)?;
            // Members that cannot stand side by side make no tree.
            if turn(&tree).is_ok() {
                trees.push(tree);
            } else {
                std::fs::remove_dir_all(&tree)?;
            }
            (members, count) = (Vec::new(), 0);
        }
    }
    Ok((place, trees))
}

/// One build from the files to the text: how long it takes, and how many resources come out.
fn turn(folder: &Path) -> Result<(Duration, usize)> {
    let folder = folder.to_str().context("a path of the corpus is text")?;
    let started = Instant::now();
    let inputs = Inputs::new(&Disk, Budget::default());
    let options = Options { reorder: Reorder::None, ..Options::default() };
    let text = kustomize::build(&inputs, folder, &options)?.to_yaml()?;
    Ok((started.elapsed(), text.split("\n---\n").count()))
}

/// The files of this machine.
struct Disk;

impl Tree for Disk {
    fn entry(&self, path: &str) -> Entry {
        let Ok(kind) = std::fs::symlink_metadata(path) else { return Entry::Missing };
        if kind.is_symlink() {
            let target = std::fs::read_link(path).unwrap_or_default();
            return Entry::Link(target.to_string_lossy().into_owned());
        }
        if kind.is_dir() { Entry::Folder } else { Entry::File }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.to_string())
    }
}

fn overlays(n: Option<usize>) -> Result<Option<Figure>> {
    let Some(root) = testkit::corpus("kustomize") else { return Ok(None) };
    let mut folders = real(&root)?;
    folders.truncate(n.unwrap_or(usize::MAX));
    let sum = |program: &Path, arguments: &[&str]| -> Result<f64> {
        let times = folders.iter().map(|folder| fastest(program, arguments, folder));
        Ok(times.sum::<Result<Duration>>()?.as_secs_f64() * 1000.0)
    };
    let ours = sum(Path::new(env!("CARGO_BIN_EXE_scenarios")), &["kustomize", "build"])?;
    let peer = program().map(|it| sum(&it, &["build"])).transpose()?;
    let alone = 100.0 * f64::from(u32::try_from(folders.len())?);
    Ok(Some(figure(("build-overlays", "ms"), (ours, peer), (alone, 5.0), folders.len())))
}

/// The folders of cases that are real repositories' and need no flags.
fn real(root: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for group in std::fs::read_dir(root)?.flatten().map(|it| it.path()) {
        let is_own = ["krusty", "builtin"].iter().any(|name| group.ends_with(name));
        if is_own || !group.is_dir() {
            continue;
        }
        for case in std::fs::read_dir(group)?.flatten().map(|it| it.path()) {
            let about: Value = serde_json::from_slice(&std::fs::read(case.join("case.json"))?)?;
            let is_plain = about["flags"].as_array().is_some_and(Vec::is_empty);
            if is_plain && about["expect"] == "ok" {
                folders.push(case.join("in").join(about["path"].as_str().unwrap_or(".")));
            }
        }
    }
    folders.sort();
    Ok(folders)
}

fn fastest(program: &Path, arguments: &[&str], folder: &Path) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..TIMES {
        best = best.min(once(program, arguments, folder)?);
    }
    Ok(best)
}

fn once(program: &Path, arguments: &[&str], folder: &Path) -> Result<Duration> {
    let mut command = Command::new(program);
    command.args(arguments).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(status.success(), "{} fails on {}", program.display(), folder.display());
    Ok(started.elapsed())
}

fn references(n: usize) -> Result<Figure> {
    let folder = tempfile::tempdir()?;
    let mut resources = String::new();
    for at in 0..n / 2 {
        let other = (at * 7 + 1) % (n / 2);
        write!(
            resources,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config-{at}}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: app-{at}}}\nspec:\n  \
             selector: {{matchLabels: {{app: app-{at}}}}}\n  template:\n    \
             metadata: {{labels: {{app: app-{at}}}}}\n    spec:\n      containers:\n      \
             - name: app\n        image: app\n        envFrom:\n        \
             - configMapRef: {{name: config-{at}}}\n        \
             - configMapRef: {{name: config-{other}}}\n---\n"
        )?;
    }
    std::fs::write(folder.path().join("resources.yaml"), resources)?;
    let own = "resources: [resources.yaml]\nnamePrefix: x-\nnamespace: apps\n";
    std::fs::write(folder.path().join("kustomization.yaml"), own)?;
    let ours = Path::new(env!("CARGO_BIN_EXE_scenarios"));
    let ours = once(ours, &["kustomize", "build"], folder.path())?.as_secs_f64();
    let peer = program().map(|it| once(&it, &["build"], folder.path())).transpose()?;
    let peer = peer.map(|it| it.as_secs_f64());
    Ok(figure(("build-references", "s"), (ours, peer), (0.34, 100.0), n))
}
