//! One file of a stage.

use std::borrow::Cow;

use super::plan::{Change, Marked, Outcome, Site};
use super::{Attribute, Field, Markers, Reference, Stage, field, marker};
use crate::attach::{Attached, attached};
use crate::marker::{KEY, Marker, Part};
use crate::source::Source;
use crate::write::Writer;
use crate::{ObjectId, screen};

/// The markers that mean something to a stage; the first one in a comment counts.
pub(super) const KEYS: [&str; 2] = [marker::KEY, KEY];

/// What became of one file.
#[derive(Debug, Default)]
pub(super) struct Edited {
    pub(super) content: Option<Vec<u8>>,
    pub(super) sites: Vec<Site>,
    pub(super) changes: Vec<Change>,
    pub(super) markers: Vec<Marked>,
    /// The numbers of the fields that were found.
    pub(super) fields: Vec<usize>,
}

/// The component and attribute that a marker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) component: String,
    pub(super) attribute: Attribute,
    /// The image has its digest whatever was there before.
    pinned: bool,
}

/// Whether the bytes mention a marker that may matter.
pub(super) fn mentions(bytes: &[u8]) -> bool {
    screen::has_marker(bytes) || memchr::memmem::find(bytes, b"\"$promotion\"").is_some()
}

/// Edits the file if it holds anything of the stage.
pub(super) fn edit(stage: &Stage, path: &str, bytes: &[u8]) -> Edited {
    if !screen::is_candidate(path) {
        return Edited::default();
    }
    let fields: Vec<(usize, &Field)> = stage
        .fields
        .iter()
        .enumerate()
        .filter(|(_, it)| it.target.may_be_in(path, bytes))
        .collect();
    let marked = mentions(bytes);
    if !marked && fields.is_empty() {
        return Edited::default();
    }
    let matters = |text: &str| !fields.is_empty() || crate::marker::resembles(text, &KEYS);
    let edited = Source::read(bytes, &matters).and_then(|source| {
        let mut editor = Editor::new(stage, path, &source);
        editor.markers()?;
        editor.fields(&fields)?;
        editor.finish()
    });
    edited.unwrap_or_else(|why| {
        let mut edited = Edited::default();
        // A file that is no YAML, a chart's template say, and whose markers are nobody's is no news.
        if concerns(stage, bytes) || fields.iter().any(|(_, it)| is_by_file(it)) {
            let outcome = Outcome::Unwritable(why);
            edited.markers.push(Marked { file: path.to_owned(), line: 0, marker: None, outcome });
        }
        edited
    })
}

fn is_by_file(field: &Field) -> bool {
    matches!(field.target, super::Target::File(_))
}

/// Whether a file that cannot be read seems to hold markers of the stage.
fn concerns(stage: &Stage, bytes: &[u8]) -> bool {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    let policies = stage.components.values().flat_map(|it| &it.policies);
    let mut names = policies.map(|it| format!("{}:{}", it.namespace, it.name));
    (has("\"$promotion\"") && has(&stage.pipeline)) || names.any(|name| has(&name))
}

/// What a marker asks this stage for; the error says why it asks for nothing.
pub(super) fn wish(stage: &Stage, marker: &Marker) -> Result<Wish, Outcome> {
    if marker.key == KEY { policy_wish(stage, marker) } else { own_wish(stage, &marker.text) }
}

fn own_wish(stage: &Stage, text: &str) -> Result<Wish, Outcome> {
    let malformed = Outcome::Unwritable(crate::Outcome::Malformed);
    let it = Reference::parse(text).ok_or(malformed)?;
    let namespace = it.namespace.unwrap_or(&stage.namespace);
    let is_mine = match it.stage {
        Some(name) => name == stage.name,
        None => stage.markers == Markers::Any,
    };
    if namespace != stage.namespace || it.pipeline != stage.pipeline || !is_mine {
        return Err(Outcome::NotOurs);
    }
    if !stage.components.contains_key(it.component) {
        return Err(Outcome::UnknownComponent(it.component.to_owned()));
    }
    let attribute = it.attribute.parse();
    let attribute = attribute.map_err(|_| Outcome::UnknownAttribute(it.attribute.to_owned()))?;
    Ok(Wish { component: it.component.to_owned(), attribute, pinned: false })
}

fn policy_wish(stage: &Stage, marker: &Marker) -> Result<Wish, Outcome> {
    if stage.markers == Markers::StageOnly {
        return Err(Outcome::NotOurs);
    }
    let mut words = marker.text.splitn(3, ':');
    let (namespace, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let found = stage.components.iter().find_map(|(component, it)| {
        let is = |it: &&super::Policy| it.namespace == namespace && it.name == name;
        it.policies.iter().find(is).map(|policy| (component, policy))
    });
    let (component, policy) = found.ok_or(Outcome::NotOurs)?;
    let (_, _, part) = marker
        .target()
        .ok_or_else(|| Outcome::UnknownAttribute(words.next().unwrap_or_default().to_owned()))?;
    let attribute = match part {
        Part::Whole => Attribute::Image,
        Part::Name => Attribute::Name,
        Part::Tag => Attribute::Tag,
        Part::Digest => Attribute::Digest,
    };
    Ok(Wish { component: component.clone(), attribute, pinned: policy.reflects_digest })
}

struct Editor<'e, 'b> {
    stage: &'e Stage,
    path: &'e str,
    source: &'e Source<'b>,
    writer: Writer<'e, 'b>,
    edited: Edited,
}

/// A place in a file and who asks for what there.
struct Asked<'n> {
    line: usize,
    /// The marker's text, or `field` and its path.
    marker: String,
    object: ObjectId,
    path: String,
    scalar: &'n yaml::Node,
    wish: Wish,
}

impl<'e, 'b> Editor<'e, 'b> {
    fn new(stage: &'e Stage, path: &'e str, source: &'e Source<'b>) -> Self {
        Self { stage, path, source, writer: Writer::new(source), edited: Edited::default() }
    }

    fn markers(&mut self) -> Result<(), crate::Outcome> {
        for Attached { line, key, marker, place } in attached(self.source, &KEYS)? {
            let Some(marker) = marker else {
                let outcome = Outcome::Unwritable(crate::Outcome::Malformed);
                // What is no marker of an image policy is for its automation to tell.
                self.tell(line, (key != KEY).then(|| key.to_owned()), outcome);
                continue;
            };
            let text = marker.text.clone();
            let outcome = wish(self.stage, &marker).and_then(|wish| {
                let place = place.map_err(Outcome::Unwritable)?;
                let crate::attach::Place { object, path, scalar } = place;
                self.set(Asked { line, marker: marker.text, object, path, scalar, wish })
            });
            self.tell(line, Some(text), outcome.unwrap_or_else(|refusal| refusal));
        }
        Ok(())
    }

    fn fields(&mut self, fields: &[(usize, &Field)]) -> Result<(), crate::Outcome> {
        if fields.is_empty() {
            return Ok(());
        }
        for object in self.source.objects()? {
            let Some(root) = object.root() else { continue };
            for (number, field) in fields {
                if !field.target.is(&object.id) {
                    continue;
                }
                let Some(scalar) = field.path.find(root).filter(|it| field::is_scalar(it)) else {
                    continue;
                };
                self.edited.fields.push(*number);
                let marker = format!("field {}", field.path);
                let (component, attribute) = (field.component.clone(), field.attribute);
                let outcome = self.set(Asked {
                    line: scalar.line,
                    marker: marker.clone(),
                    object: object.id.clone(),
                    path: field.path.to_string(),
                    scalar,
                    wish: Wish { component, attribute, pinned: false },
                });
                self.tell(scalar.line, Some(marker), outcome.unwrap_or_else(|refusal| refusal));
            }
        }
        Ok(())
    }

    fn tell(&mut self, line: usize, marker: Option<String>, outcome: Outcome) {
        let file = self.path.to_owned();
        self.edited.markers.push(Marked { file, line, marker, outcome });
    }

    fn set(&mut self, asked: Asked<'_>) -> Result<Outcome, Outcome> {
        let Asked { line, marker, object, path, scalar, wish } = asked;
        let Wish { component, attribute, pinned } = wish;
        let old = self.writer.value(scalar).map_err(Outcome::Unwritable)?.to_owned();
        let pinned = pinned || old.contains('@');
        let file = self.path.to_owned();
        self.edited.sites.push(Site {
            file: file.clone(),
            line,
            marker: marker.clone(),
            object: object.clone(),
            path: path.clone(),
            component: component.clone(),
            attribute,
            pinned,
            value: old.clone(),
        });
        let known = self.stage.components.get(&component);
        let known = known.ok_or_else(|| Outcome::UnknownComponent(component.clone()))?;
        let Some(value) = &known.value else { return Ok(Outcome::Read) };
        let new = value.get(attribute, pinned).map_err(Outcome::NotExpressible)?;
        match self.writer.set(scalar, &new).map_err(Outcome::Unwritable)? {
            crate::Outcome::Updated => {}
            _ => return Ok(Outcome::Same),
        }
        self.edited.changes.push(Change { file, line, object, path, component, old, new, marker });
        Ok(Outcome::Updated)
    }

    fn finish(self) -> Result<Edited, crate::Outcome> {
        let content = self.writer.finish()?;
        Ok(Edited { content, ..self.edited })
    }
}

/// The bytes after the edit.
pub(super) fn bytes(edited: Option<Vec<u8>>, before: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    edited.map_or(before, Cow::Owned)
}
