//! What is wrong with a chart, an index or a release, in Helm's words.

/// Why something of Helm's could not be read, packed or rendered. The texts are Helm's own, letter
/// by letter: users see them in conditions and search the web for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive is broken, too large, or reaches outside of itself.
    #[error("{0}")]
    Archive(String),
    /// The metadata of a chart break a rule.
    #[error("validation: {0}")]
    Validation(String),
    /// A file of a chart cannot be read as what it should be; names the file.
    #[error("{0}")]
    Chart(String),
    /// YAML that is none, or does not have the shape that is asked for.
    #[error("{0}")]
    Yaml(String),
    /// Values of the wrong shape, or that a schema refuses.
    #[error("{0}")]
    Values(String),
    /// A template that cannot be parsed or executed, or whose output is no manifest.
    #[error("{0}")]
    Render(String),
    /// The record of a release.
    #[error("{0}")]
    Release(String),
    /// A line of `.helmignore`.
    #[error("{0}")]
    Ignore(String),
    /// The index of a repository, or what is looked for in it.
    #[error("{0}")]
    Index(String),
    /// A dependency that cannot be had.
    #[error("{0}")]
    Dependency(String),
    /// A provenance file, or the chart it does not fit.
    #[error("{0}")]
    Provenance(String),
}

impl Error {
    /// The same with words before it, as Go wraps errors. A broken rule stays one only without them.
    pub(crate) fn within(self, context: &str) -> Self {
        Self::Chart(format!("{context}: {self}"))
    }
}
