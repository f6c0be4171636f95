//! The newest tags within a range.

use std::cmp::Ordering;

use version::{Constraint, Version};

use crate::{Error, Id, RemoteRef};

/// A tag that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) tag: String,
    pub(crate) commit: Id,
}

/// The tags of the highest version within `range`; several only if they differ in build metadata or
/// spelling alone. Tags that are no versions are passed over.
pub(crate) fn best(range: &str, listed: &[RemoteRef]) -> Result<Vec<Candidate>, Error> {
    let range_parsed = Constraint::parse(range)
        .map_err(|why| Error::Config(format!("semver parse error: {why}")))?;
    let mut best: Vec<Candidate> = Vec::new();
    let mut highest: Option<Version> = None;
    for candidate in listed.iter().filter_map(Candidate::of) {
        let Ok(version) = parse(&candidate.tag) else { continue };
        if !range_parsed.check(&version) {
            continue;
        }
        match highest.as_ref().map(|highest| version.precedence(highest)) {
            Some(Ordering::Less) => continue,
            Some(Ordering::Equal) => {}
            Some(Ordering::Greater) | None => best.clear(),
        }
        best.push(candidate);
        highest = Some(version);
    }
    if best.is_empty() {
        return Err(Error::NotFound(format!("no match found for semver: {range}")));
    }
    Ok(best)
}

/// A version of at least three parts (fluxcd/pkg/version `ParseVersion`).
fn parse(tag: &str) -> Result<Version, version::Error> {
    if tag.split('.').count() < 3 {
        return Err(version::Error::InvalidVersion);
    }
    Version::parse(tag)
}

#[cfg(test)]
mod tests {
    use super::best;
    use crate::RemoteRef;

    fn chosen(range: &str, tags: &[&str]) -> Result<Vec<String>, String> {
        let id = "1111111111111111111111111111111111111111".parse().unwrap();
        let listed: Vec<_> = tags
            .iter()
            .map(|tag| RemoteRef { name: format!("refs/tags/{tag}"), id, peeled: None })
            .collect();
        let tags = best(range, &listed).map_err(|why| why.to_string())?;
        Ok(tags.into_iter().map(|candidate| candidate.tag).collect())
    }

    #[test]
    fn the_highest_in_range_wins() {
        let tags = ["v1.0.0", "v1.2.0", "1.10.0", "v2.0.0-rc.1", "v2", "latest"];
        assert_eq!(chosen(">=1.0.0", &tags).unwrap(), ["1.10.0"]);
        assert_eq!(chosen(">=1.0.0-0", &tags).unwrap(), ["v2.0.0-rc.1"]);
        assert_eq!(chosen(">=3.0.0", &tags).unwrap_err(), "no match found for semver: >=3.0.0");
        assert!(chosen("nonsense", &tags).unwrap_err().starts_with("semver parse error: "));
        let twins = ["v1.0.0+a", "v1.0.0+b", "v0.9.0"];
        assert_eq!(chosen("*", &twins).unwrap(), ["v1.0.0+a", "v1.0.0+b"]);
    }
}
