//! The chosen tag and the reason in words.

use crate::Error;
use crate::filter::{Candidate, Filter};
use crate::rule::{Order, Rule};

/// A chosen tag and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The tag as the registry has it.
    pub tag: String,
    /// What was compared, if the filter extracts something.
    pub extracted: Option<String>,
    /// The reason in one phrase, for people, such as
    /// `highest of 4 tags matching >=1.0.0, 1 pre-release left out`.
    pub reason: String,
}

/// What a rule found out on the way.
#[derive(Debug)]
pub(crate) enum Facts<'r> {
    SemVer { range: &'r str, matching: usize, prereleases: usize },
    Alphabetical(Order),
    Numerical(Order),
}

/// Chooses one of `tags`, which are visited in the given order (sorted descending, as in
/// [`Scan::tags`](crate::Scan::tags), the answer is the same as Flux').
///
/// Of tags with the same extracted value the last stands for all. Of equal versions the first
/// wins, of equal numbers the last.
pub fn select(
    tags: &[impl AsRef<str>],
    rule: &Rule,
    filter: Option<&Filter>,
) -> Result<Choice, Error> {
    let candidates = match filter {
        Some(filter) => filter.candidates(tags),
        None => tags
            .iter()
            .map(|tag| Candidate { tag: tag.as_ref(), value: tag.as_ref().into() })
            .collect(),
    };
    let (index, facts) = rule.best(&candidates)?;
    let Candidate { tag, value } = &candidates[index];
    let mut reason = facts.tell(candidates.len());
    if let Some(filter) = filter {
        let (kept, all, pattern) = (candidates.len(), tags.len(), filter.pattern());
        let compared = if value == tag { String::new() } else { format!(", compared by {value}") };
        reason = format!("{reason} ({kept} of {all} tags kept by {pattern}{compared})");
    }
    let extracted = (value != tag).then(|| value.to_string());
    Ok(Choice { tag: (*tag).to_owned(), extracted, reason })
}

impl Facts<'_> {
    fn tell(&self, candidates: usize) -> String {
        let (superlative, count, property) = match self {
            Self::SemVer { range, matching, .. } => {
                ("highest", *matching, format!(" matching {range}"))
            }
            Self::Alphabetical(Order::Ascending) => {
                ("last", candidates, " in alphabetical order".into())
            }
            Self::Alphabetical(Order::Descending) => {
                ("first", candidates, " in alphabetical order".into())
            }
            Self::Numerical(Order::Ascending) => {
                ("greatest", candidates, " in numerical order".into())
            }
            Self::Numerical(Order::Descending) => {
                ("least", candidates, " in numerical order".into())
            }
        };
        let mut text = match count {
            1 => format!("only tag{property}"),
            _ => format!("{superlative} of {count} tags{property}"),
        };
        if let Self::SemVer { prereleases: 1.., .. } = self {
            text.push_str(&self.left_out());
        }
        text
    }

    fn left_out(&self) -> String {
        match self {
            Self::SemVer { prereleases: 1, .. } => ", 1 pre-release left out".to_owned(),
            Self::SemVer { prereleases, .. } => format!(", {prereleases} pre-releases left out"),
            Self::Alphabetical(_) | Self::Numerical(_) => String::new(),
        }
    }
}
