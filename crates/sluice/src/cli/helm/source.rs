//! A chart from a folder or an archive on disk.

use std::io;
use std::path::Path;

use helm::chart::{Chart, File, MAX_CHART_BYTES, MAX_FILE_BYTES, Rules};

use super::fetch;

/// How deep folders are followed: links can make circles.
const MAX_DEPTH: usize = 64;

/// The chart at a path, or fetched from where the flags say.
pub(super) fn find(chart: &str, flags: &fetch::Flags) -> Result<Chart, String> {
    if !flags.is_remote(chart) {
        return self::chart(chart);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let archive = runtime.block_on(flags.fetch(chart))?;
    Chart::from_archive(&archive).map_err(|error| error.to_string())
}

/// Reads the chart at a path.
pub(crate) fn chart(path: &str) -> Result<Chart, String> {
    let meta = std::fs::metadata(path).map_err(|_| missing(path))?;
    if meta.is_dir() {
        return Chart::from_folder(folder(Path::new(path))?).map_err(|error| error.to_string());
    }
    let archive = std::fs::read(path).map_err(|error| opening(path, &error))?;
    if !archive.starts_with(b"\x1f\x8b\x08") {
        let is_yaml = Path::new(path).extension().is_some_and(|it| it == "yaml" || it == "yml");
        return Err(if is_yaml {
            format!("file '{path}' seems to be a YAML file, but expected a gzipped archive")
        } else {
            format!(
                "file '{path}' does not appear to be a gzipped archive; got '{}'",
                kind(&archive)
            )
        });
    }
    Chart::from_archive(&archive).map_err(|error| error.to_string())
}

/// Go's words for what a file holds, as far as it matters here.
fn kind(data: &[u8]) -> &'static str {
    let is_text = |byte: &u8| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    let head = &data[..data.len().min(512)];
    if head.iter().all(is_text) { "text/plain; charset=utf-8" } else { "application/octet-stream" }
}

fn missing(path: &str) -> String {
    if path.starts_with(['.', '/']) || !path.contains('/') {
        return format!("path {path:?} not found");
    }
    format!(
        "path {path:?} not found: charts are read from folders and .tgz files, or fetched from --repo \
         URL and oci:// addresses"
    )
}

/// An error of opening a file in Go's words.
pub(super) fn opening(path: &str, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    };
    format!("open {path}: {why}")
}

/// The files of a folder that `.helmignore` leaves.
pub(super) fn folder(root: &Path) -> Result<Vec<File>, String> {
    let rules = std::fs::read_to_string(root.join(".helmignore")).unwrap_or_default();
    let rules = Rules::parse(&rules).map_err(|error| error.to_string())?;
    let mut walk = Walk { rules, files: Vec::new(), left: MAX_CHART_BYTES };
    walk.folder(root, "", 0)?;
    Ok(walk.files)
}

struct Walk {
    rules: Rules,
    files: Vec<File>,
    left: u64,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), String> {
        let shown = folder.display();
        if depth > MAX_DEPTH {
            return Err(format!("{shown}: folders are nested deeper than {MAX_DEPTH} levels"));
        }
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{shown}: {error}"))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{shown}: {error}"))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let name = format!("{prefix}{name}");
            // Links are followed, as Helm does.
            let meta = std::fs::metadata(&path)
                .map_err(|error| opening(&path.display().to_string(), &error))?;
            if self.rules.ignores(&name, meta.is_dir()) {
                continue;
            }
            if meta.is_dir() {
                self.folder(&path, &format!("{name}/"), depth + 1)?;
            } else {
                self.file(&path, name, &meta)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String, meta: &std::fs::Metadata) -> Result<(), String> {
        let shown = path.display().to_string();
        if !meta.is_file() {
            return Err(format!(
                "cannot load irregular file {shown} as it has file mode type bits set"
            ));
        }
        if meta.len() > MAX_FILE_BYTES {
            let base = name.rsplit('/').next().unwrap_or(&name);
            return Err(format!(
                "chart file {base:?} is larger than the maximum file size {MAX_FILE_BYTES}"
            ));
        }
        self.left = self
            .left
            .checked_sub(meta.len())
            .ok_or_else(|| format!("chart is larger than the maximum size {MAX_CHART_BYTES}"))?;
        let data = std::fs::read(path)
            .map_err(|error| format!("error reading {name}: {}", opening(&shown, &error)))?;
        self.files.push(File::new(name, data));
        Ok(())
    }
}
