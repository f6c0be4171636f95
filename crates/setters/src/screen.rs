//! Which files are looked at, and which of them are refused as upstream's reader refuses them.

/// Whether a file of this path may carry markers: `*.yaml`, `*.yml` or `Kustomization`.
pub fn is_candidate(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // A name such as `.yaml` is all extension, as in Go.
    name == "Kustomization" || matches!(name.rsplit_once('.'), Some((_, "yaml" | "yml")))
}

/// Whether the bytes `"$imagepolicy"`, with the quotes, occur. This is all that a file without
/// markers costs.
pub fn has_marker(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\"$imagepolicy\"").is_some()
}

/// One document of a text, as kyaml cuts it before it parses: from `---` at the start of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk<'t> {
    pub(crate) text: &'t str,
    /// Where it starts in the whole text.
    pub(crate) byte: usize,
    /// Its first line, from 1.
    pub(crate) line: usize,
}

/// Cuts a text into documents, which begin with their separators. The error tells why kyaml would
/// refuse the text: a separator with something else than a comment behind it, or a directive, which
/// the cut parts from its document.
pub(crate) fn chunks(text: &str) -> Result<Vec<Chunk<'_>>, String> {
    let mut chunks = Vec::new();
    let (mut start, mut first_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let behind = line.strip_prefix("---").filter(|_| index > 0 && line.ends_with('\n'));
        if let Some(behind) = behind.map(str::trim) {
            if !behind.is_empty() && !behind.starts_with('#') {
                return Err(format!("invalid document separator: {}", line.trim_end()));
            }
            chunks.push(Chunk { text: &text[start..at], byte: start, line: first_line });
            (start, first_line) = (at, index + 1);
        }
        at += line.len();
    }
    chunks.push(Chunk { text: &text[start..], byte: start, line: first_line });
    match chunks.iter().find_map(Chunk::directive_line) {
        Some(line) => Err(format!("line {line}: directives are not supported")),
        None => Ok(chunks),
    }
}

impl Chunk<'_> {
    /// The line of a directive that opens the chunk.
    fn directive_line(&self) -> Option<usize> {
        let text = self.text.trim_start_matches('\u{feff}');
        let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        let (index, line) = text.lines().enumerate().find(|(_, line)| !blank(line))?;
        line.starts_with('%').then_some(self.line + index)
    }
}
