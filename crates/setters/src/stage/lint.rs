//! Markers that no stage can set.

use std::fmt;

use super::edit::{self, KEYS};
use super::plan::Outcome;
use super::{Markers, Reference, Stage, marker};
use crate::attach::{Attached, attached};
use crate::marker::Marker;
use crate::screen;
use crate::source::Source;

/// A marker, or a file with markers, that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The path of the file.
    pub file: String,
    /// The line, from 1; 0 if it is about the whole file.
    pub line: usize,
    /// The marker's text, if it could be read.
    pub marker: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        match &self.marker {
            Some(marker) => write!(f, ": {marker}: {}", self.message),
            None => write!(f, ": {}", self.message),
        }
    }
}

/// What is wrong with the markers of a repository, of whose stages these are all.
pub fn lint<P: AsRef<str>, B: AsRef<[u8]>>(
    files: impl IntoIterator<Item = (P, B)>,
    stages: &[Stage],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, bytes) in files {
        let (path, bytes) = (path.as_ref(), bytes.as_ref());
        if screen::is_candidate(path) && edit::mentions(bytes) {
            file(path, bytes, stages, &mut findings);
        }
    }
    findings
}

fn file(path: &str, bytes: &[u8], stages: &[Stage], findings: &mut Vec<Finding>) {
    let matters = |text: &str| crate::marker::resembles(text, &KEYS);
    let mut tell = |line, marker: Option<String>, message| {
        findings.push(Finding { file: path.to_owned(), line, marker, message });
    };
    let source = match Source::read(bytes, &matters) {
        Ok(source) => source,
        Err(why) => return tell(0, None, why.to_string()),
    };
    match attached(&source, &KEYS) {
        Err(why) => tell(0, None, why.to_string()),
        Ok(all) => {
            for it in all {
                let text = it.marker.as_ref().map(|marker| marker.text.clone());
                if let Some(message) = complaint(path, &it, stages) {
                    tell(it.line, text, message);
                }
            }
        }
    }
}

/// What is wrong with one marker; nothing if it is in order, or no stage's business.
fn complaint(path: &str, it: &Attached<'_>, stages: &[Stage]) -> Option<String> {
    let malformed = || Outcome::Unwritable(crate::Outcome::Malformed).to_string();
    let Some(marker) = &it.marker else { return Some(malformed()) };
    let wishes: Vec<(&Stage, Result<edit::Wish, Outcome>)> =
        stages.iter().map(|stage| (stage, edit::wish(stage, marker))).collect();
    if wishes.iter().all(|(_, wish)| *wish == Err(Outcome::NotOurs)) {
        return foreign(marker, stages);
    }
    let ours = |(_, wish): &&(&Stage, Result<edit::Wish, Outcome>)| *wish != Err(Outcome::NotOurs);
    if let Some(Err(why)) = wishes.iter().filter(ours).map(|(_, wish)| wish).find(|it| it.is_err())
    {
        return Some(why.to_string());
    }
    if let Err(why) = &it.place {
        return Some(why.to_string());
    }
    let setters: Vec<&str> = wishes
        .iter()
        .filter(ours)
        .filter(|(stage, _)| stage.scope.contains(path))
        .map(|(stage, _)| stage.name.as_str())
        .collect();
    match setters[..] {
        [] => Some("it is outside the paths of every stage that could set it".to_owned()),
        [_] => None,
        _ => Some(format!(
            "the stages {} would all set it: name one with @ in a $promotion marker",
            setters.join(", ")
        )),
    }
}

/// What is wrong with a marker that none of the stages follows.
fn foreign(marker: &Marker, stages: &[Stage]) -> Option<String> {
    if marker.key != marker::KEY {
        return None;
    }
    let it = Reference::parse(&marker.text)?;
    let is_pipeline = |stage: &&Stage| {
        stage.pipeline == it.pipeline
            && it.namespace.is_none_or(|namespace| namespace == stage.namespace)
    };
    let Some(stage) = it.stage else {
        let deaf = stages.iter().any(|it| is_pipeline(&it) && it.markers == Markers::StageOnly);
        return deaf.then(|| {
            "every stage of the pipeline follows markers with its own name only".to_owned()
        });
    };
    let known = stages.iter().any(|it| is_pipeline(&it));
    known.then(|| format!("the pipeline has no stage '{stage}'"))
}
