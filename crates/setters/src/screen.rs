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

/// The line of a document separator that is followed by something else than a comment, which
/// kyaml refuses; the first line of a file is not looked at.
pub(crate) fn bad_separator(text: &str) -> Option<&str> {
    text.split_inclusive('\n').skip(1).filter(|line| line.ends_with('\n')).map(str::trim_end).find(
        |line| {
            line.strip_prefix("---").is_some_and(|rest| {
                let rest = rest.trim_start();
                !rest.is_empty() && !rest.starts_with('#')
            })
        },
    )
}

/// Whether the text is split into documents, so that kyaml would not unwrap a list in it.
pub(crate) fn has_separator(text: &str) -> bool {
    text.split_inclusive('\n').skip(1).any(|line| line.starts_with("---") && line.ends_with('\n'))
}
