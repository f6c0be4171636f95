//! A chart in the files of another source.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use api::source::{Artifact, HelmChart, HelmChartStatus, ReconcileStrategy};
use artifact::{Lease, tarball};
use helm::chart::{Chart, File, MAX_FILE_BYTES, package};
use kube::ResourceExt as _;

use super::{
    build::{Build, Ended, Step, Wanted, short, with_metadata},
    dependency,
    provenance::{self, KEYRING},
    values,
};
use crate::source::Context;

/// More files than this no chart has.
const MAX_FILES: usize = 20_000;
const CHART_FILE: &str = "Chart.yaml";

/// A tree on disk, out of which nothing leads.
#[derive(Clone)]
pub(super) struct Root {
    path: PathBuf,
}

/// What a path of the spec leads to.
pub(super) enum Place {
    Folder(PathBuf),
    Archive(PathBuf),
}

/// Reads the chart, and packs it if it is not the artifact already.
pub(super) async fn build(
    it: &HelmChart,
    status: &HelmChartStatus,
    (artifact, lease): (&Artifact, &Lease),
    context: &Context,
) -> Result<Build, Ended> {
    if provenance::keyring(it).is_some() {
        let why = format!("only charts of a HelmRepository can have the annotation '{KEYRING}'");
        return Err(Step::Verification.failed(why));
    }
    let wanted = Wanted::new(it, status);
    let by_revision = it.spec.reconcile_strategy == Some(ReconcileStrategy::Revision);
    let revision = by_revision.then(|| short(&artifact.revision));
    let metadata = wanted.metadata(revision);
    let root = Root::new(lease.path())?;
    let place = root.find(&it.spec.chart).map_err(|why| Step::Reference.failed(why))?;
    let (name, version) = name_and_version(&place, &it.spec.chart)?;
    let version = with_metadata(&version, &metadata)?;
    let is_folder = matches!(place, Place::Folder(_));
    let packaged = is_folder || !metadata.is_empty();
    if let Some(stored) = wanted.stored(&name, &version, packaged) {
        return Ok(stored);
    }
    let mut build = Build {
        name,
        version,
        values_files: Vec::new(),
        dependencies: 0,
        packaged,
        verified: false,
        bytes: None,
    };
    if let (Place::Archive(path), false) = (&place, packaged) {
        build.bytes = Some(fs::read(path).map_err(|error| Step::Pull.failed(error))?);
        return Ok(build);
    }
    let found = values_files(&wanted, &root)?;
    let mut chart = load(&place, &root).map_err(|why| Step::Package.failed(why))?;
    chart.metadata.version.clone_from(&build.version);
    if !wanted.values_files().is_empty() {
        build.values_files = values::overwrite(&mut chart, found)?;
    }
    if let Place::Folder(folder) = &place {
        let namespace = it.namespace().unwrap_or_default();
        let at = dependency::At { root: &root, folder, namespace: &namespace };
        let resolved = dependency::resolve(&mut chart, &at, context).await;
        build.dependencies = resolved.map_err(|why| Step::Dependency.failed(why))?;
    }
    let work = move || {
        let bytes = package(&chart);
        bytes.map_err(|error| Step::Package.failed(format!("failed to package chart: {error}")))
    };
    let packed = context.compute.run(1 << 20, work).await;
    build.bytes = Some(packed.unwrap_or_else(|panicked| Err(Step::Package.failed(panicked)))?);
    Ok(build)
}

/// Name and version by the chart's own metadata.
fn name_and_version(place: &Place, shown: &str) -> Result<(String, String), Ended> {
    let metadata = match place {
        Place::Archive(path) => {
            let bytes = fs::read(path).map_err(|error| Step::Reference.failed(error))?;
            Chart::from_archive(&bytes)
        }
        Place::Folder(folder) => {
            let text = fs::read(folder.join(CHART_FILE)).map_err(|_| {
                let shown = shown.trim_end_matches('/');
                let why = format!("open {shown}/{CHART_FILE}: no such file or directory");
                Step::Reference.failed(why)
            })?;
            Chart::from_files(vec![File::new(CHART_FILE, text)])
        }
    };
    let metadata = metadata.map_err(|error| Step::Reference.failed(error))?.metadata;
    Ok((metadata.name, metadata.version))
}

/// The values files, by their paths in the source.
fn values_files(wanted: &Wanted<'_>, root: &Root) -> Result<Vec<values::Found>, Ended> {
    let mut found = Vec::new();
    for path in wanted.values_files() {
        let read = root.file(path);
        match read {
            Ok(text) => found.push(values::Found { path: path.clone(), text }),
            Err(_) if wanted.ignores_missing() => {}
            Err(clamped) => {
                return Err(Step::Values.failed(format!(
                    "no values file found at path '/{clamped}' (reference '{path}')"
                )));
            }
        }
    }
    Ok(found)
}

/// Loads the chart at a place.
pub(super) fn load(place: &Place, root: &Root) -> Result<Chart, String> {
    match place {
        Place::Archive(path) => {
            let bytes = fs::read(path).map_err(|error| error.to_string())?;
            Chart::from_archive(&bytes).map_err(|error| error.to_string())
        }
        Place::Folder(folder) => {
            let files = root.files(folder)?;
            Chart::from_folder(files).map_err(|error| error.to_string())
        }
    }
}

impl Root {
    fn new(path: &Path) -> Result<Self, Ended> {
        let path = path.canonicalize().map_err(|error| Step::Reference.failed(error))?;
        Ok(Self { path })
    }

    /// A path as text, clamped to the root.
    fn clamp(&self, path: &str) -> Result<(String, PathBuf), String> {
        let clamped = tarball::Path::clamp(path).map_err(|error| error.to_string())?;
        let real = self.path.join(clamped.as_str());
        let missing = |_| format!("stat {clamped}: no such file or directory");
        let real = real.canonicalize().map_err(missing)?;
        if !real.starts_with(&self.path) {
            return Err(format!("stat {clamped}: no such file or directory"));
        }
        Ok((clamped.as_str().to_owned(), real))
    }

    /// What a relative path leads to.
    pub(super) fn find(&self, path: &str) -> Result<Place, String> {
        if path.is_empty() {
            return Err("no path set for local chart reference".to_owned());
        }
        if path.starts_with('/') {
            return Err("local chart reference path is expected to be relative".to_owned());
        }
        let (_, real) = self.clamp(path)?;
        Ok(if real.is_dir() { Place::Folder(real) } else { Place::Archive(real) })
    }

    /// What a path leads to that is relative to a folder of the root.
    pub(super) fn find_from(&self, folder: &Path, path: &str) -> Result<Place, String> {
        let base = folder.strip_prefix(&self.path).unwrap_or(Path::new(""));
        self.find(&format!("./{}/{path}", base.display()))
    }

    /// A file; else its clamped path.
    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        let shown = tarball::Path::clamp(path).map(|it| it.as_str().to_owned());
        let shown = shown.unwrap_or_default();
        let (_, real) = self.clamp(path).map_err(|_| shown.clone())?;
        if !real.is_file() {
            return Err(shown);
        }
        read(&real).map_err(|_| shown)
    }

    /// All files below a folder, in the order of their paths; links are followed within the root.
    fn files(&self, folder: &Path) -> Result<Vec<File>, String> {
        let mut found = Vec::new();
        let mut folders = vec![(folder.to_owned(), String::new(), 0_usize)];
        while let Some((at, prefix, depth)) = folders.pop() {
            for entry in fs::read_dir(&at).map_err(|error| error.to_string())? {
                let entry = entry.map_err(|error| error.to_string())?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let Ok(real) = entry.path().canonicalize() else { continue };
                if !real.starts_with(&self.path) {
                    return Err(format!("file '{name}' leads out of the source"));
                }
                if real.is_dir() && depth < 64 {
                    folders.push((real, format!("{name}/"), depth + 1));
                } else if real.is_file() {
                    let data = read(&real).map_err(|error| error.to_string())?;
                    found.push(File::new(name, data));
                }
                if found.len() + folders.len() > MAX_FILES {
                    return Err(format!("the chart has more than {MAX_FILES} files"));
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

/// Reads a file, or as much of it as shows that it is too large.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
