//! Go's `Regexp.Expand` templates: `$1`, `$name`, `${name}`, `$$`.

use super::Pattern;

/// A template, taken apart once for one pattern.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// The first of these groups that took part in the match.
    Group(Vec<usize>),
}

impl Template {
    /// Takes `text` apart; a `$` that starts nothing stands for itself.
    pub(crate) fn new(text: &str, pattern: &Pattern) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            pieces.push(Piece::Text(before.to_owned()));
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                pieces.push(Piece::Text("$".to_owned()));
                rest = after;
            } else if let Some((name, after)) = name(rest) {
                pieces.push(Piece::Group(groups(name, pattern)));
                rest = after;
            } else {
                pieces.push(Piece::Text("$".to_owned()));
            }
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self { pieces }
    }

    /// Fills in what the groups matched of `text`.
    pub(crate) fn expand(&self, text: &str, locations: &regex::CaptureLocations) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(literal) => out.push_str(literal),
                Piece::Group(groups) => {
                    let group = groups.iter().find_map(|&index| locations.get(index));
                    out.push_str(group.map_or("", |(start, end)| &text[start..end]));
                }
            }
        }
        out
    }
}

/// The name at the start of `text`, in braces or not, and what follows it.
fn name(text: &str) -> Option<(&str, &str)> {
    let (braced, inner) = match text.strip_prefix('{') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let part_of_name = |c: char| c == '_' || c.is_alphanumeric();
    let end = inner.find(|c| !part_of_name(c)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let rest = if braced { rest.strip_prefix('}')? } else { rest };
    (!name.is_empty()).then_some((name, rest))
}

/// The groups that a name stands for: a number without leading zeros is an index.
fn groups(name: &str, pattern: &Pattern) -> Vec<usize> {
    let decimal = name.bytes().all(|byte| byte.is_ascii_digit());
    if decimal && (name.len() == 1 || !name.starts_with('0')) {
        return name.parse().into_iter().collect();
    }
    let named = |index: &usize| pattern.names[*index].as_deref() == Some(name);
    (0..pattern.names.len()).filter(named).map(|index| index + 1).collect()
}
