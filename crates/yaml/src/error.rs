//! What a document got wrong, in go-yaml's words.

/// Why a text is not the YAML (or JSON) that was asked for.
///
/// The wording is go-yaml's, because users of Flux and Helm know it and search for it. That
/// includes its line numbers: they are those go-yaml prints, which for some grammar errors is
/// the line before the offending one, and absent on the first line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text breaks the grammar of YAML.
    #[error("yaml: {}{problem}", place(*.line))]
    Syntax {
        /// The line as go-yaml counts it, if it tells one.
        line: Option<usize>,
        /// What was found or missing.
        problem: String,
        /// Byte offset into the text where reading stopped.
        offset: usize,
    },
    /// The text is well-formed but cannot be turned into a value.
    #[error("yaml: {0}")]
    Decode(String),
    /// Several values are wrong, each told with its line (duplicate keys in strict mode).
    #[error("yaml: unmarshal errors:\n  {}", .0.join("\n  "))]
    Unmarshal(Vec<String>),
    /// The value has no JSON form.
    #[error("{0}")]
    Json(String),
}

fn place(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}
