//! Rendered texts to manifests: cut apart, told apart from hooks, brought in order.

use std::collections::BTreeMap;

use crate::Error;
use crate::decode::{self, Fields};
use crate::engine::base_name;
use crate::hook::{Hook, Role, role};
use crate::kind::{INSTALL, UNINSTALL, compare};

/// One object of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Path of its template.
    pub path: String,
    /// Its text.
    pub content: String,
    /// What it is.
    pub head: Head,
}

/// What tells one object from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Annotations, sorted by name.
    pub annotations: Vec<(String, String)>,
}

impl Head {
    /// Reads the head of a manifest.
    ///
    /// # Errors
    /// [`Error::Yaml`] for what is no mapping of the right shape.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let value = decode::parse_some(text.as_bytes(), &["apiVersion", "kind", "metadata"])?;
        let fields = Fields::of(&value, "SimpleHead", "releaseutil.SimpleHead")?;
        let mut head = Self {
            api_version: fields.text("apiVersion")?,
            kind: fields.text("kind")?,
            ..Self::default()
        };
        if let Some(metadata) = fields.get("metadata") {
            let place = "SimpleHead.metadata";
            let Ok(fields) = Fields::of(metadata, place, "releaseutil.SimpleHead") else {
                let into = "Go struct field SimpleHead.metadata of type struct { Name string \
                    \"json:\\\"name\\\"\"; Annotations map[string]string \
                    \"json:\\\"annotations\\\"\" }";
                return Err(decode::mismatch(metadata, into));
            };
            head.name = fields.text("name")?;
            head.annotations = fields.text_map("annotations")?.unwrap_or_default();
        }
        Ok(head)
    }

    /// The annotation `name`.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// The documents of a text, as Helm cuts it: at lines that start with `---`, also within blocks.
pub fn split(text: &str) -> Vec<&str> {
    let text = text.trim();
    let mut documents = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some((end, next)) = separator(text, from) {
        documents.push(&text[start..end]);
        (start, from) = (next, next);
    }
    documents.push(&text[start..]);
    documents.into_iter().filter(|document| !document.is_empty()).map(str::trim).collect()
}

/// The next `(?:^|\s*\n)---\s*` from a place on: where it starts and ends.
fn separator(text: &str, from: usize) -> Option<(usize, usize)> {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
    let mut search = from;
    loop {
        let at = search + text[search..].find("---")?;
        let before = &text[from..at];
        if at == 0 || before.ends_with('\n') {
            let start = from + before.trim_end_matches(space).len();
            let rest = &text[at + 3..];
            let end = text.len() - rest.trim_start_matches(space).len();
            return Some((start, end));
        }
        search = at + 1;
    }
}

/// Cuts rendered files apart and sorts: hooks and other objects, both by kind, then by path.
///
/// # Errors
/// [`Error::Render`] naming the file that is no YAML.
pub(crate) fn sort(files: &BTreeMap<String, String>) -> Result<(Vec<Hook>, Vec<Manifest>), Error> {
    let (mut hooks, mut manifests) = (Vec::new(), Vec::new());
    for (path, text) in files {
        if base_name(path).starts_with('_') || text.trim().is_empty() {
            continue;
        }
        for document in split(text) {
            let head = Head::parse(document)
                .map_err(|error| Error::Render(format!("YAML parse error on {path}: {error}")))?;
            match role(&head, path, document) {
                Role::Part => {
                    let (path, content) = (path.clone(), document.to_owned());
                    manifests.push(Manifest { path, content, head });
                }
                Role::Hook(hook) => hooks.push(hook),
                Role::Unknown => {}
            }
        }
    }
    hooks.sort_by(|a: &Hook, b: &Hook| compare(&INSTALL, &a.kind, &b.kind));
    manifests.sort_by(|a, b| compare(&INSTALL, &a.head.kind, &b.head.kind));
    Ok((hooks, manifests))
}

/// The objects of a release's manifest in the order in which they are deleted.
///
/// # Errors
/// [`Error::Render`] for a document that is no YAML.
pub fn for_uninstall(manifest: &str) -> Result<Vec<Manifest>, Error> {
    let mut manifests = Vec::new();
    for (at, document) in split(manifest).into_iter().enumerate() {
        let path = format!("manifest-{at}");
        let head = Head::parse(document)
            .map_err(|error| Error::Render(format!("YAML parse error on {path}: {error}")))?;
        manifests.push(Manifest { path, content: document.to_owned(), head });
    }
    // Helm sorts the made-up names as texts: 10 comes before 2.
    manifests.sort_by(|a, b| a.path.cmp(&b.path));
    manifests.sort_by(|a, b| compare(&UNINSTALL, &a.head.kind, &b.head.kind));
    Ok(manifests)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn texts_are_cut_as_helm_does() {
        assert_eq!(split("a: 1\n---\nb: 2\n"), ["a: 1", "b: 2"]);
        assert_eq!(split("---\n---\na: 1\n  \n---   # x\nb: 2"), ["---\na: 1", "# x\nb: 2"]);
        assert_eq!(split("a: |\n  x\n---b"), ["a: |\n  x", "b"]);
        assert_eq!(split("a: x---y\n ---\n"), ["a: x---y\n ---"]);
        assert_eq!(split("  \n"), [""; 0]);
        assert_eq!(split("a\n----\nb"), ["a", "-\nb"]);
        assert_eq!(split("---\n---"), ["---"]);
    }
}
