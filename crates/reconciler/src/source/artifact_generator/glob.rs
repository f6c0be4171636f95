//! The two languages of patterns: Go's `fs.Glob` for what is copied, in which `**` is no more than
//! `*`, and doublestar for what is left out.

use artifact::{
    Glob,
    tarball::{Node, Path, Tree},
};

/// How many patterns the braces of one may stand for.
const MOST: usize = 1000;

/// Whether a path of a copy is a pattern.
pub(super) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', ']'])
}

/// Everything in a tree that a pattern describes, part by part; none for a malformed pattern.
pub(super) fn find<C>(tree: &Tree<C>, pattern: &str) -> Option<Vec<String>> {
    if !has_meta(pattern) {
        let is_there = is_clean(pattern) && exists(tree, pattern);
        return Some(is_there.then(|| pattern.to_owned()).into_iter().collect());
    }
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let folder = if folder.is_empty() { "." } else { folder };
    let name = Glob::parse(name)?;
    let folders = if has_meta(folder) {
        // A pattern that holds nothing but itself would never end.
        if folder == pattern {
            return None;
        }
        find(tree, folder)?
    } else {
        vec![folder.to_owned()]
    };
    let mut found = Vec::new();
    for folder in folders.iter().filter(|folder| is_clean(folder)) {
        let Ok(path) = Path::parse(folder) else { continue };
        for (below, _) in tree.below(&path) {
            let inside = below.strip(&path).filter(|it| it.parts().count() == 1);
            if inside.is_some_and(|it| name.matches(it.as_str())) {
                found.push(below.as_str().to_owned());
            }
        }
    }
    Some(found)
}

/// Whether `fs.FS` takes the path at all.
fn is_clean(path: &str) -> bool {
    path == "." || path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn exists<C>(tree: &Tree<C>, path: &str) -> bool {
    Path::parse(path).is_ok_and(|path| path.is_root() || tree.get(&path).is_some())
}

fn has_meta(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// Whether a path in a tree is a folder; none if there is nothing.
pub(super) fn is_folder<C>(tree: &Tree<C>, path: &Path) -> Option<bool> {
    if path.is_root() {
        return Some(true);
    }
    tree.get(path).map(|node| matches!(node, Node::Folder))
}

/// A pattern for what is left out: `**` stands for any number of folders, `{a,b}` for either.
#[derive(Debug)]
pub(super) struct Exclude {
    alternatives: Vec<Vec<Part>>,
}

#[derive(Debug)]
enum Part {
    /// `**`
    Any,
    One(Glob),
}

impl Exclude {
    /// None for a malformed pattern.
    pub(super) fn parse(pattern: &str) -> Option<Self> {
        let mut alternatives = Vec::new();
        for text in expand(pattern)? {
            let parts = text.split('/').map(|part| match part {
                "**" => Some(Part::Any),
                part => Glob::parse(&part.replace("[!", "[^")).map(Part::One),
            });
            alternatives.push(parts.collect::<Option<Vec<_>>>()?);
        }
        Some(Self { alternatives })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|parts| fits(parts, &names))
    }
}

/// Whether the parts describe all names: after a `**` that took too little, it takes one more.
fn fits(parts: &[Part], names: &[&str]) -> bool {
    let (mut part, mut name) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        match parts.get(part) {
            None if name == names.len() => return true,
            Some(Part::Any) => {
                back = Some((part + 1, name));
                part += 1;
                continue;
            }
            Some(Part::One(glob)) if names.get(name).is_some_and(|it| glob.matches(it)) => {
                (part, name) = (part + 1, name + 1);
                continue;
            }
            _ => {}
        }
        match back {
            Some((after, from)) if from < names.len() => {
                back = Some((after, from + 1));
                (part, name) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// The patterns without braces that one with braces stands for; none if they do not close or are too
/// many.
fn expand(pattern: &str) -> Option<Vec<String>> {
    let (mut done, mut waiting) = (Vec::new(), vec![pattern.to_owned()]);
    while let Some(text) = waiting.pop() {
        if let Some(Braces { open, close, commas }) = braces(&text).ok()? {
            let (before, after) = (&text[..open], &text[close + 1..]);
            let mut from = open + 1;
            for to in commas.into_iter().chain([close]) {
                waiting.push(format!("{before}{}{after}", &text[from..to]));
                from = to + 1;
            }
        } else {
            done.push(text);
        }
        if done.len() + waiting.len() > MOST {
            return None;
        }
    }
    Some(done)
}

/// Where the first braces open and close, and the commas between them.
struct Braces {
    open: usize,
    close: usize,
    commas: Vec<usize>,
}

/// Braces that do not match.
struct Unmatched;

fn braces(text: &str) -> Result<Option<Braces>, Unmatched> {
    let (mut open, mut depth, mut commas) = (None, 0_usize, Vec::new());
    let (mut escaped, mut class) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' if !class => class = true,
            b']' => class = false,
            _ if class => {}
            b'{' => {
                depth += 1;
                open.get_or_insert(at);
            }
            b',' if depth == 1 => commas.push(at),
            b'}' => {
                depth = depth.checked_sub(1).ok_or(Unmatched)?;
                if let (0, Some(open)) = (depth, open) {
                    return Ok(Some(Braces { open, close: at, commas }));
                }
            }
            _ => {}
        }
    }
    if depth == 0 { Ok(None) } else { Err(Unmatched) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree<()> {
        let mut tree = Tree::default();
        for path in paths {
            let node = Node::File { executable: false, content: () };
            tree.insert(Path::parse(path).unwrap(), node).unwrap();
        }
        tree
    }

    #[test]
    fn two_stars_are_one_level() {
        let tree = tree(&["a/x.yaml", "a/b/y.yaml", "a/b/c/z.yaml", "top.yaml", ".hidden"]);
        let found = |pattern: &str| find(&tree, pattern).unwrap().join(" ");
        assert_eq!(found("a/**"), "a/b a/x.yaml");
        assert_eq!(found("**/*.yaml"), "a/x.yaml");
        assert_eq!(found("*"), ".hidden a top.yaml");
        assert_eq!(found("a/*/?.yaml"), "a/b/y.yaml");
        assert_eq!(found("./*.yaml"), "top.yaml");
        assert_eq!(found("a]"), "");
        assert_eq!(found("a*/"), "");
        assert!(find(&tree, "a/[").is_none() && find(&tree, "[/x").is_none());
    }

    #[test]
    fn excludes_are_doublestar() {
        let matches = |pattern: &str, path: &str| Exclude::parse(pattern).unwrap().matches(path);
        for (pattern, path) in [
            ("**/*.md", "README.md"),
            ("**/*.md", "a/b/README.md"),
            ("a/**", "a/b/c"),
            ("a/**", "a"),
            ("a/**/c", "a/c"),
            ("a/**/c", "a/b/b/c"),
            ("*.{md,txt}", "x.txt"),
            ("{a,b/c}/*", "b/c/d"),
            ("[!a]x", "bx"),
            ("a**", "abc"),
            ("{a,{b,c}}", "c"),
            ("\\{", "{"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*.md", "a/README.md"), ("a/**", "b/a/c"), ("a**", "a/b"), ("*.{md}", "x.m")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        for wrong in ["[", "{a", "a}", "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"] {
            assert!(Exclude::parse(wrong).is_none(), "{wrong}");
        }
    }
}
