//! The highest tag of a range.

use std::cmp::Ordering;

use policy::Pattern;
use registry::{Call, Client, Listing, Scan};
use version::{Constraint, Version};

/// The highest tag in a range, of those that match the filter.
pub(super) async fn highest(
    call: &Call<'_>,
    registry: &Client,
    (range, filter): (&str, &str),
) -> Result<String, String> {
    let scan = Scan { timeout: call.timeout, previous: None };
    let listing = registry.list_tags(call.repository, call.access, &scan).await;
    let tags = match listing.map_err(|error| error.to_string())? {
        Listing::Tags { tags, .. } => tags,
        Listing::Unchanged => return Err("the registry sent no tags".to_owned()),
    };
    choose(tags, range, filter)
}

/// As upstream: the filter goes by the tags as they are; only tags with three numbers count.
fn choose(tags: Vec<String>, range: &str, filter: &str) -> Result<String, String> {
    let filter = match filter {
        "" => None,
        text => Some(Pattern::new(text).map_err(|error| error.to_string())?),
    };
    let range_of = Constraint::parse(range)
        .map_err(|error| format!("semver '{range}' parse error: {error}"))?;
    let tags = tags.into_iter().filter(|tag| filter.as_ref().is_none_or(|it| it.is_match(tag)));
    let versions = tags.filter(|tag| tag.split('.').count() >= 3);
    let versions = versions.filter_map(|tag| Version::parse(&tag).ok());
    let highest = versions
        .filter(|it| range_of.check(it))
        .reduce(|best, it| if it.precedence(&best) == Ordering::Greater { it } else { best });
    let highest = highest.ok_or_else(|| format!("no match found for semver: {range}"))?;
    Ok(highest.original().to_owned())
}

#[cfg(test)]
mod tests {
    use super::choose;

    fn chosen(tags: &[&str], range: &str, filter: &str) -> Result<String, String> {
        choose(tags.iter().map(|&tag| tag.to_owned()).collect(), range, filter)
    }

    #[test]
    fn the_highest_tag_of_the_range_is_chosen() {
        let tags = ["v1.2", "6.1.4", "6.1.5", "v6.2.0-rc.1", "latest", "6.1.6-dev", "7.0"];
        assert_eq!(chosen(&tags, "6.1.x", "").unwrap(), "6.1.5");
        assert_eq!(chosen(&tags, ">=6.1.0-0", "").unwrap(), "v6.2.0-rc.1");
        assert_eq!(chosen(&tags, ">=6.1.0-0", ".*-dev$").unwrap(), "6.1.6-dev");
        assert_eq!(chosen(&tags, "<1", "").unwrap_err(), "no match found for semver: <1");
        assert!(chosen(&tags, "x.y", "").unwrap_err().starts_with("semver 'x.y' parse error: "));
        assert!(chosen(&tags, "*", "(").unwrap_err().starts_with("error parsing regexp: "));
    }

    #[test]
    fn underscores_are_no_plus_here() {
        // Helm's charts are tagged so, but upstream reads tags of this kind as they are.
        assert!(chosen(&["1.0.0_build"], "*", "").is_err());
    }
}
