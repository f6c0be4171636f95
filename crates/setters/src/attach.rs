//! Which marker belongs to which scalar.

use std::collections::{HashMap, HashSet};

use yaml::Node;

use crate::Outcome;
use crate::layout::{Kind, Token};
use crate::marker::{self, Marker};
use crate::object::ObjectId;
use crate::source::Source;

/// A comment that is a marker, or was probably meant as one.
pub(crate) struct Attached<'s> {
    /// The line of the comment, from 1.
    pub(crate) line: usize,
    /// The key it mentions.
    pub(crate) key: &'static str,
    /// What it says, if it can be read.
    pub(crate) marker: Option<Marker>,
    /// The scalar it belongs to, or why there is none.
    pub(crate) place: Result<Place<'s>, Outcome>,
}

/// A scalar and where it is.
pub(crate) struct Place<'s> {
    pub(crate) object: ObjectId,
    /// The way to it from the root of its object.
    pub(crate) path: String,
    pub(crate) scalar: &'s Node,
}

/// Every marker with one of the keys, in the order of the text.
pub(crate) fn attached<'s>(
    source: &'s Source<'_>,
    keys: &[&'static str],
) -> Result<Vec<Attached<'s>>, Outcome> {
    let comments = comments(source, keys);
    let mut found = Found { source, keys, attached: Vec::new(), claimed: HashSet::new() };
    for object in source.objects()? {
        let walk = object.walk();
        for (index, scalar) in walk.scalars() {
            found.visit(scalar, &comments, || (object.id.clone(), walk.path(index)));
        }
    }
    found.rest();
    found.attached.sort_by_key(|it| it.line);
    Ok(found.attached)
}

/// The comments that could be markers, by their text.
fn comments<'s>(source: &'s Source<'_>, keys: &[&str]) -> HashMap<&'s str, Vec<&'s Token>> {
    let mut comments: HashMap<_, Vec<_>> = HashMap::new();
    for token in source.layout.all(Kind::Comment) {
        let text = source.text[token.bytes.clone()].trim_end();
        if marker::resembles(text, keys) {
            comments.entry(text).or_default().push(token);
        }
    }
    comments
}

struct Found<'f, 's, 'b> {
    source: &'s Source<'b>,
    keys: &'f [&'static str],
    attached: Vec<Attached<'s>>,
    /// Where the comments start that belong to a scalar.
    claimed: HashSet<usize>,
}

impl<'s> Found<'_, 's, '_> {
    fn visit(
        &mut self,
        scalar: &'s Node,
        comments: &HashMap<&'s str, Vec<&'s Token>>,
        place: impl FnOnce() -> (ObjectId, String),
    ) {
        // As kyaml: a line comment hides what is above, even if it is no marker.
        let written = match scalar.comments.line.as_str() {
            "" => &scalar.comments.head,
            line => line,
        };
        let Some(marker) = Marker::parse(written, self.keys) else { return };
        // The same text may stand elsewhere; the one that is meant is close.
        let start = self.source.span(scalar).start;
        let distance = |token: &&&Token| token.bytes.start.abs_diff(start);
        let comment = comments.get(written.trim_end()).into_iter().flatten().min_by_key(distance);
        let place = if comment.is_some() {
            let (object, path) = place();
            Ok(Place { object, path, scalar })
        } else {
            Err(Outcome::Disagree(format!("the comment at line {} is none", scalar.line)))
        };
        self.claimed.extend(comment.map(|token| token.bytes.start));
        let line = comment.map_or(scalar.line, |token| token.line);
        self.attached.push(Attached { line, key: marker.key, marker: Some(marker), place });
    }

    /// The markers that belong to no scalar value, and what was meant as one.
    fn rest(&mut self) {
        for token in self.source.layout.all(Kind::Comment) {
            let comment = &self.source.text[token.bytes.clone()];
            let key = self.keys.iter().find(|key| marker::resembles(comment, &[key]));
            let Some(key) = key.filter(|_| !self.claimed.contains(&token.bytes.start)) else {
                continue;
            };
            let marker = Marker::parse(comment, self.keys);
            let why = if marker.is_some() { Outcome::Unattached } else { Outcome::Malformed };
            self.attached.push(Attached { line: token.line, key, marker, place: Err(why) });
        }
    }
}
