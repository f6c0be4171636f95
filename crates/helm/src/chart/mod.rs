//! A chart: what it is, read from files or an archive, and packed again.

mod archive;
mod dependency;
mod ignore;
mod load;
mod metadata;
mod package;
mod pattern;

use std::sync::Arc;

use crate::Error;
use crate::values::Values;

pub use archive::{MAX_CHART_BYTES, MAX_FILE_BYTES, archive_files};
pub use dependency::{Dependency, Lock};
pub use ignore::Rules;
pub use metadata::{Maintainer, Metadata};
pub use package::package;

/// Whether a path matches a pattern of Go's `filepath.Match`; a broken one matches nothing.
pub fn path_matches(pattern: &str, path: &str) -> bool {
    pattern::matches(pattern, path).unwrap_or(false)
}

/// One file of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path in the chart, parted by `/`.
    pub name: String,
    /// Content.
    pub data: Arc<[u8]>,
}

impl File {
    /// A file.
    pub fn new(name: impl Into<String>, data: impl AsRef<[u8]>) -> Self {
        Self { name: name.into(), data: data.as_ref().into() }
    }

    /// The content as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }
}

/// A chart with those it holds in `charts/`.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Chart.yaml.
    pub metadata: Metadata,
    /// Chart.lock, or requirements.lock of an old chart.
    pub lock: Option<Lock>,
    /// The default values.
    pub values: Values,
    /// The text of values.yaml, with its comments.
    pub values_text: Option<Arc<[u8]>>,
    /// values.schema.json.
    pub schema: Option<Arc<[u8]>>,
    /// The files below `templates/`, in the order in which they came.
    pub templates: Vec<File>,
    /// All other files, in the order in which they came.
    pub files: Vec<File>,
    /// The charts in `charts/`, sorted by the name of their folder or archive.
    pub subcharts: Vec<Chart>,
    /// The name under which paths of templates below it show it, if that is not its own: Helm keeps
    /// the name from before an alias there.
    pub(crate) path_name: Option<String>,
}

impl Chart {
    /// Reads a chart from its files. The order of the files decides the order of templates; nothing
    /// is ignored here (see [`Chart::from_folder`]).
    ///
    /// # Errors
    /// What Helm says of a chart it cannot load.
    pub fn from_files(files: Vec<File>) -> Result<Self, Error> {
        load::chart(files, load::Place::ROOT)
    }

    /// Reads a chart from the files of a folder: those that its `.helmignore` names are left out,
    /// the rest is taken in the order of the paths.
    ///
    /// # Errors
    /// As [`Chart::from_files`], and for a bad `.helmignore`, and a file of more than
    /// [`MAX_FILE_BYTES`].
    pub fn from_folder(files: Vec<File>) -> Result<Self, Error> {
        Self::from_files(load::folder(files)?)
    }

    /// Reads a chart from a packed one (`.tgz`).
    ///
    /// # Errors
    /// As [`Chart::from_files`] and [`archive_files`].
    pub fn from_archive(archive: &[u8]) -> Result<Self, Error> {
        Self::from_files(archive_files(archive)?)
    }

    /// The chart's name.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Whether it only holds what other charts use.
    pub fn is_library(&self) -> bool {
        self.metadata.kind.eq_ignore_ascii_case("library")
    }

    /// Replaces the default values by those of `text`, as a merge of values files does.
    ///
    /// # Errors
    /// [`Error::Chart`] if the chart has no values.yaml, [`Error::Yaml`] if `text` holds no values.
    pub fn overwrite_values(&mut self, text: &[u8]) -> Result<bool, Error> {
        let Some(old) = &self.values_text else {
            return Err(Error::Chart(format!("failed to locate values file: {}", "values.yaml")));
        };
        if **old == *text {
            return Ok(false);
        }
        self.values = crate::values::parse(text)?;
        self.values_text = Some(text.into());
        Ok(true)
    }
}
