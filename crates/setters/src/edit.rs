//! Editing files.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use yaml::{Content, Document, Node};

use crate::layout::{Kind, Layout, Token};
use crate::marker::{self, Marker};
use crate::object::{Object, ObjectId};
use crate::spell::{Splice, spell};
use crate::{Change, Marked, Outcome, Policies, screen};

/// The largest file that is looked into, in bytes; etcd takes objects of 1.5 MiB.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The new bytes, if anything changed.
    pub content: Option<Vec<u8>>,
    /// The values that changed, in the order of the file.
    pub changes: Vec<Change>,
    /// Every marker found, in the order of the file.
    pub markers: Vec<Marked>,
}

/// What became of many files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Path and new bytes of the files that changed, in the order given.
    pub files: Vec<(String, Vec<u8>)>,
    /// The values that changed.
    pub changes: Vec<Change>,
    /// Every marker found.
    pub markers: Vec<Marked>,
}

/// Edits many files, given as path (with `/`) and bytes.
pub fn update<P: AsRef<str>, B: AsRef<[u8]>>(
    files: impl IntoIterator<Item = (P, B)>,
    policies: &Policies,
) -> Update {
    let mut update = Update::default();
    for (path, bytes) in files {
        let edit = edit(path.as_ref(), bytes.as_ref(), policies);
        update.files.extend(edit.content.map(|content| (path.as_ref().to_owned(), content)));
        update.changes.extend(edit.changes);
        update.markers.extend(edit.markers);
    }
    update
}

/// Edits one file; files that are not YAML by name, or hold no marker, come back empty-handed.
pub fn edit(path: &str, bytes: &[u8], policies: &Policies) -> Edit {
    if !screen::is_candidate(path) || !screen::has_marker(bytes) {
        return Edit::default();
    }
    let edited = Source::read(bytes).and_then(|source| Editor::new(path, &source, policies).run());
    edited.unwrap_or_else(|outcome| Edit {
        markers: vec![Marked { file: path.to_owned(), line: 0, setter: None, outcome }],
        ..Edit::default()
    })
}

/// A file that both parsers could read.
struct Source<'b> {
    text: &'b str,
    /// Read with CR LF as LF, as kyaml does: yaml.v3 ties some comments otherwise if lines end
    /// in CR LF.
    documents: Vec<Document>,
    /// Where, in the text without them, CRs were left out.
    returns: Vec<usize>,
    layout: Layout,
    /// There are several documents, so that kyaml would not take a list apart.
    is_cut: bool,
}

impl<'b> Source<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, Outcome> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(Outcome::Unparsable(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Outcome::Unparsable("it is not UTF-8 text".to_owned()))?;
        let chunks = screen::chunks(text).map_err(Outcome::Unparsable)?;
        let (plain, returns) = without_returns(text);
        let documents =
            Document::parse_all(&plain).map_err(|error| Outcome::Unparsable(error.to_string()))?;
        let layout = Layout::parse(&chunks)?;
        Ok(Self { text, documents, returns, layout, is_cut: chunks.len() > 1 })
    }

    /// Where a node is in the text.
    fn span(&self, node: &Node) -> Range<usize> {
        let place = |at: usize| at + self.returns.partition_point(|&place| place < at);
        place(node.span.start)..place(node.span.end)
    }

    fn objects(&self) -> Result<Vec<Object<'_>>, Outcome> {
        let objects = self.documents.iter().map(|it| Object::all(it, !self.is_cut));
        let objects: Vec<_> = objects.collect::<Result<_, _>>().map_err(Outcome::Unparsable)?;
        Ok(objects.into_iter().flatten().collect())
    }
}

/// The text with LF for CR LF, and where in it the CRs were.
fn without_returns(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let places: Vec<_> =
        text.match_indices("\r\n").enumerate().map(|(n, (at, _))| at - n).collect();
    let plain = if places.is_empty() { text.into() } else { text.replace("\r\n", "\n").into() };
    (plain, places)
}

struct Editor<'e> {
    path: &'e str,
    source: &'e Source<'e>,
    policies: &'e Policies,
    edit: Edit,
    /// The new values by where the old ones start.
    values: HashMap<usize, String>,
    splices: Vec<Splice>,
    /// Where the comments start that belong to a scalar.
    claimed: HashSet<usize>,
}

impl<'e> Editor<'e> {
    fn new(path: &'e str, source: &'e Source<'e>, policies: &'e Policies) -> Self {
        let (edit, values) = (Edit::default(), HashMap::new());
        let (splices, claimed) = (Vec::new(), HashSet::new());
        Self { path, source, policies, edit, values, splices, claimed }
    }

    fn run(mut self) -> Result<Edit, Outcome> {
        let comments = self.comments();
        for object in self.source.objects()? {
            for scalar in object.scalars() {
                self.visit(&object.id, scalar, &comments);
            }
        }
        self.explain_the_rest();
        self.edit.markers.sort_by_key(|marked| marked.line);
        self.edit.content = self.apply()?;
        Ok(self.edit)
    }

    /// The comments that could be markers, by their text.
    fn comments(&self) -> HashMap<&'e str, Vec<&'e Token>> {
        let mut comments: HashMap<_, Vec<_>> = HashMap::new();
        for token in self.source.layout.all(Kind::Comment) {
            let text = self.source.text[token.bytes.clone()].trim_end();
            if marker::resembles(text) {
                comments.entry(text).or_default().push(token);
            }
        }
        comments
    }

    fn visit(
        &mut self,
        object: &ObjectId,
        scalar: &Node,
        comments: &HashMap<&'e str, Vec<&'e Token>>,
    ) {
        // As kyaml: a line comment hides what is above, even if it is no marker.
        let written = match scalar.comments.line.as_str() {
            "" => &scalar.comments.head,
            line => line,
        };
        let Some(marker) = Marker::parse(written) else { return };
        // The same text may stand elsewhere; the one that is meant is close.
        let start = self.source.span(scalar).start;
        let distance = |token: &&&Token| token.bytes.start.abs_diff(start);
        let comment = comments.get(written.trim_end()).into_iter().flatten().min_by_key(distance);
        let outcome = match comment {
            None => Outcome::Disagree(format!("the comment at line {} is none", scalar.line)),
            Some(_) => self.set(&marker, object, scalar).unwrap_or_else(|outcome| outcome),
        };
        self.claimed.extend(comment.map(|token| token.bytes.start));
        let line = comment.map_or(scalar.line, |token| token.line);
        self.tell(line, Some(marker.text), outcome);
    }

    fn tell(&mut self, line: usize, setter: Option<String>, outcome: Outcome) {
        let file = self.path.to_owned();
        self.edit.markers.push(Marked { file, line, setter, outcome });
    }

    /// Plans the edit that a marker asks for.
    fn set(
        &mut self,
        marker: &Marker,
        object: &ObjectId,
        scalar: &Node,
    ) -> Result<Outcome, Outcome> {
        let Content::Scalar { value: old, style } = &scalar.content else {
            return Err(Outcome::Unattached);
        };
        let span = self.source.span(scalar);
        if span.is_empty() {
            return Err(Outcome::Unattached);
        }
        // Where a block ends is a matter of taste; the check of the result covers it.
        let token = self.source.layout.scalar_at(span.start);
        if token.is_none_or(|it| it.kind == Kind::Scalar && it.bytes != span) {
            let why = format!("line {} can be read in two ways", scalar.line);
            return Err(Outcome::Disagree(why));
        }
        let new = self.policies.value(marker)?;
        if new == *old {
            return Ok(Outcome::Same);
        }
        if let Some(tag) = scalar.tag.as_ref().filter(|tag| forbids_strings(tag)) {
            return Err(Outcome::Tagged(tag.clone()));
        }
        self.splices.extend(spell(self.source.text, &span, *style, &new));
        self.values.insert(span.start, new.clone());
        let (file, old, object) = (self.path.to_owned(), old.clone(), object.clone());
        self.edit.changes.push(Change { file, object, old, new, setter: marker.text.clone() });
        Ok(Outcome::Updated)
    }

    /// Tells of the markers that belong to no scalar value, and of what was meant as one.
    fn explain_the_rest(&mut self) {
        for token in self.source.layout.all(Kind::Comment) {
            let comment = &self.source.text[token.bytes.clone()];
            if self.claimed.contains(&token.bytes.start) || !marker::resembles(comment) {
                continue;
            }
            match Marker::parse(comment) {
                Some(marker) => self.tell(token.line, Some(marker.text), Outcome::Unattached),
                None => self.tell(token.line, None, Outcome::Malformed),
            }
        }
    }

    /// The new text, if there is one, checked to say what it should.
    fn apply(&mut self) -> Result<Option<Vec<u8>>, Outcome> {
        if self.splices.is_empty() {
            return Ok(None);
        }
        self.splices.sort_by_key(|(range, _)| range.start);
        let text = self.source.text;
        let mut edited = String::with_capacity(text.len() + 64);
        let mut end = 0;
        for (range, replacement) in &self.splices {
            edited.push_str(&text[end..range.start]);
            edited.push_str(replacement);
            end = range.end;
        }
        edited.push_str(&text[end..]);
        if self.is_as_planned(&edited) {
            return Ok(Some(edited.into_bytes()));
        }
        Err(Outcome::Disagree("an edit would change more than the marked values".to_owned()))
    }

    /// Whether `edited` reads as before but for the values that were set.
    fn is_as_planned(&self, edited: &str) -> bool {
        let Ok(now) = Document::parse_all(&without_returns(edited).0) else { return false };
        let before = &self.source.documents;
        let mut pairs: Vec<_> =
            before.iter().zip(&now).map(|(before, now)| (&before.root, &now.root)).collect();
        let mut same = before.len() == now.len();
        while let Some((before, now)) = pairs.pop().filter(|_| same) {
            same = (&before.tag, &before.anchor) == (&now.tag, &now.anchor)
                && self.is_same_content(before, now, &mut pairs);
        }
        same
    }

    /// Compares two nodes and leaves what is inside of them to `pairs`.
    fn is_same_content<'n>(
        &self,
        before: &'n Node,
        now: &'n Node,
        pairs: &mut Vec<(&'n Node, &'n Node)>,
    ) -> bool {
        match (&before.content, &now.content) {
            (Content::Scalar { value: old, .. }, Content::Scalar { value: new, .. }) => {
                let span = self.source.span(before);
                let set = self.values.get(&span.start).filter(|_| !span.is_empty());
                new == set.unwrap_or(old)
            }
            (Content::Sequence { items: old, .. }, Content::Sequence { items: new, .. }) => {
                pairs.extend(old.iter().zip(new));
                old.len() == new.len()
            }
            (Content::Mapping { pairs: old, .. }, Content::Mapping { pairs: new, .. }) => {
                let entries = old.iter().zip(new);
                pairs.extend(entries.flat_map(|(old, new)| [(&old.0, &new.0), (&old.1, &new.1)]));
                old.len() == new.len()
            }
            (Content::Alias(old), Content::Alias(new)) => old == new,
            _ => false,
        }
    }
}

/// Whether a tag says that a scalar is something else than a string; a tag of the user's own does
/// not.
fn forbids_strings(tag: &str) -> bool {
    tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|name| name != "str")
}
