//! The files of an artifact, copied from sources by the rules of `cp`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use api::source_extensions::{CopyOperation, CopyStrategy, OutputArtifact};
use artifact::tarball::{Node, Path, Tree};

use super::{
    glob::{self, Exclude},
    merge,
    path::{base, clean, join},
};

/// A file that is merged is shorter than this.
const MERGE_LIMIT: u64 = 16 << 20;

/// The content of a file in an artifact that is being made.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// That of a file of a source.
    File(PathBuf),
    /// What merging gave.
    Merged(Vec<u8>),
}

impl Content {
    pub(super) fn read(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::File(path) => fs::read(path),
            Self::Merged(text) => Ok(text.clone()),
        }
    }
}

/// What a source holds, by its alias.
pub(super) type Sources = BTreeMap<String, Tree<PathBuf>>;

/// An artifact before it is archived.
pub(super) struct Composed {
    pub(super) tree: Tree<Content>,
    /// Names the file in the store: equal files make equal names.
    pub(super) hash: u32,
}

/// Makes the tree of an artifact, of at most `most` files and folders.
pub(super) fn compose(
    artifact: &OutputArtifact,
    sources: &Sources,
    most: usize,
) -> Result<Composed, String> {
    let mut staged = Staged { tree: Tree::default(), most };
    for operation in &artifact.copy {
        let done = apply(operation, sources, &mut staged);
        done.map_err(|why| {
            let CopyOperation { from, to, .. } = operation;
            format!(
                "failed to apply copy operations: failed to apply copy operation from '{from}' to \
                 '{to}': {why}"
            )
        })?;
    }
    let hash = hash(&artifact.name, &staged.tree);
    let hash = hash.map_err(|why| format!("failed to hash staging dir: {why}"))?;
    Ok(Composed { tree: staged.tree, hash })
}

/// Adler-32 over a sorted list of all files with theirs; folders do not count.
fn hash(name: &str, tree: &Tree<Content>) -> Result<u32, String> {
    let mut files: Vec<(String, &Content)> = Vec::new();
    for (path, node) in tree.iter() {
        if let Node::File { content, .. } = node {
            files.push((format!("{name}/{path}"), content));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut whole = adler2::Adler32::new();
    for (path, content) in files {
        if path.contains('\n') {
            return Err("filenames with newlines are not supported".to_owned());
        }
        let mut own = adler2::Adler32::new();
        own.write_slice(&content.read().map_err(|why| why.to_string())?);
        whole.write_slice(format!("{:x}  {path}\n", own.checksum()).as_bytes());
    }
    Ok(whole.checksum())
}

/// One copy, taken apart.
struct Copy<'a> {
    source: &'a Tree<PathBuf>,
    /// What is copied.
    from: &'a str,
    /// Where it goes.
    to: &'a str,
    excludes: Vec<Exclude>,
    merges: bool,
}

impl Copy<'_> {
    fn excludes(&self, path: &str) -> bool {
        self.excludes.iter().any(|exclude| exclude.matches(path))
    }
}

fn apply(operation: &CopyOperation, sources: &Sources, staged: &mut Staged) -> Result<(), String> {
    let from = operation.from.strip_prefix('@').and_then(|it| it.split_once('/'));
    let (alias, from) = from.ok_or_else(|| {
        format!("invalid copy source '{}': source format must be '@alias/pattern'", operation.from)
    })?;
    let to = operation.to.strip_prefix("@artifact/").ok_or_else(|| {
        let to = &operation.to;
        format!("invalid copy destination '{to}': destination must start with '@artifact/'")
    })?;
    let source = sources.get(alias).ok_or_else(|| format!("source alias '{alias}' not found"))?;
    let excludes = operation.exclude.iter().flatten().map(|pattern| {
        let parsed = Exclude::parse(pattern);
        parsed.ok_or_else(|| format!("invalid exclude pattern '{pattern}'"))
    });
    let excludes = excludes.collect::<Result<_, _>>()?;
    let merges = operation.strategy == Some(CopyStrategy::Merge);
    let copy = Copy { source, from, to, excludes, merges };
    if glob::is_pattern(from) {
        matching(&copy, alias, staged)
    } else {
        single(&copy, operation.to.ends_with('/'), staged)
    }
}

/// What is named without a pattern.
fn single(copy: &Copy<'_>, into_folder: bool, staged: &mut Staged) -> Result<(), String> {
    let from = clean(copy.from);
    let at = inside(&from).map_err(|why| format!("failed to stat source '{from}': {why}"))?;
    match glob::is_folder(copy.source, &at) {
        None => Err(format!("source '{from}' does not exist")),
        Some(true) => folder(copy, &at, &join(copy.to, base(&from)), staged),
        Some(false) if copy.excludes(&from) => Ok(()),
        Some(false) => {
            let is_folder = |to: &Path| glob::is_folder(&staged.tree, to) == Some(true);
            let into = into_folder || inside(&clean(copy.to)).is_ok_and(|to| is_folder(&to));
            let to = if into { join(copy.to, base(&from)) } else { clean(copy.to) };
            file(copy, &at, &to, staged)
        }
    }
}

/// All that a pattern describes.
fn matching(copy: &Copy<'_>, alias: &str, staged: &mut Staged) -> Result<(), String> {
    let pattern = copy.from;
    let found = glob::find(copy.source, pattern)
        .ok_or_else(|| format!("invalid glob pattern '{pattern}': syntax error in pattern"))?;
    if found.is_empty() {
        return Err(format!("no files match pattern '{pattern}' in source '{alias}'"));
    }
    let mut found = found.into_iter().filter(|path| !copy.excludes(path)).peekable();
    if found.peek().is_none() {
        return Err(format!(
            "all files matching pattern '{pattern}' in source '{alias}' were excluded"
        ));
    }
    for path in found {
        // `dir/**` is what is in the folder, as with cp; anything else keeps its path.
        let below = pattern.strip_suffix("/**").and_then(|it| path.strip_prefix(it));
        let to = join(copy.to, below.and_then(|it| it.strip_prefix('/')).unwrap_or(&path));
        let at = inside(&path)?;
        let done = match glob::is_folder(copy.source, &at) {
            Some(true) => folder(copy, &at, &to, staged),
            _ => file(copy, &at, &to, staged),
        };
        done.map_err(|why| format!("failed to copy file '{path}' to '{to}': {why}"))?;
    }
    Ok(())
}

/// A file; merged with one that is there already, if the spec says so.
fn file(copy: &Copy<'_>, at: &Path, to: &str, staged: &mut Staged) -> Result<(), String> {
    let to = inside(to).map_err(|why| format!("failed to create destination directory: {why}"))?;
    let Some(Node::File { executable, content }) = copy.source.get(at) else {
        return Err(format!("source '{at}' does not exist"));
    };
    let (executable, content) = match staged.tree.get(&to) {
        Some(Node::File { content: known, .. }) if copy.merges => {
            let over = Content::File(content.clone());
            (false, Content::Merged(merge::merge(&mergeable(known)?, &mergeable(&over)?)?))
        }
        _ => (*executable, Content::File(content.clone())),
    };
    staged.insert(&to, Node::File { executable, content })
}

fn mergeable(content: &Content) -> Result<Vec<u8>, String> {
    if let Content::File(path) = content
        && fs::metadata(path).is_ok_and(|it| it.len() > MERGE_LIMIT)
    {
        return Err(format!("a file to be merged has more than {MERGE_LIMIT} bytes"));
    }
    content.read().map_err(|why| why.to_string())
}

/// A folder with what is in it; files that are there already are replaced, whatever the strategy.
fn folder(copy: &Copy<'_>, at: &Path, to: &str, staged: &mut Staged) -> Result<(), String> {
    let to = inside(to).map_err(|why| format!("failed to create destination directory: {why}"))?;
    staged.insert(&to, Node::Folder)?;
    let mut pruned: Option<&Path> = None;
    for (path, node) in copy.source.below(at) {
        if pruned.is_some_and(|above| path.is_below(above)) {
            continue;
        }
        let Some(relative) = path.strip(at) else { continue };
        if copy.excludes(relative.as_str()) {
            pruned = Some(path);
            continue;
        }
        let to = to.join(&relative).map_err(|why| why.to_string())?;
        match node {
            Node::Folder => staged.insert(&to, Node::Folder)?,
            Node::File { executable, content } => {
                let content = Content::File(content.clone());
                staged.insert(&to, Node::File { executable: *executable, content })?;
            }
            Node::Link { .. } => {}
        }
    }
    Ok(())
}

/// A cleaned path, if it stays in its tree.
fn inside(path: &str) -> Result<Path, String> {
    let escapes = path.starts_with('/') || path == ".." || path.starts_with("../");
    if escapes {
        return Err(format!("{path}: path escapes from parent"));
    }
    Path::parse(path).map_err(|why| why.to_string())
}

/// The artifact as far as it is made.
struct Staged {
    tree: Tree<Content>,
    most: usize,
}

impl Staged {
    fn insert(&mut self, to: &Path, node: Node<Content>) -> Result<(), String> {
        let is_folder = matches!(node, Node::Folder);
        if is_folder && matches!(self.tree.get(to), Some(Node::File { .. })) {
            return Err(format!("{to}: not a directory"));
        }
        if !is_folder && to.is_root() {
            return Err(format!("{to}: is a directory"));
        }
        self.tree.insert(to.clone(), node).map_err(|why| why.to_string())?;
        if self.tree.len() > self.most {
            return Err(format!("the artifact has more than {} files", self.most));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
