//! Choosing among the tags: pure, from what was observed to what the status shall say.

use api::image::{
    ImagePolicy, ImagePolicyChoice, ImagePolicyStatus, ImageRef, Order, ReflectionPolicy, TagFilter,
};
use policy::{Choice, Filter, Rule};

/// What the spec asks for, in the words of the engine.
pub(super) struct Selection {
    rule: Rule,
    filter: Option<Filter>,
}

/// Why the spec cannot be followed; the texts are upstream's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Invalid {
    #[error("invalid policy: given ImagePolicyChoice object is invalid")]
    Nothing,
    #[error("invalid policy: {0}")]
    Rule(policy::Error),
    #[error("failed to filter tags: {0}")]
    Filter(policy::Error),
}

impl Selection {
    /// The rule of a spec, checked before any tag is looked at.
    pub(super) fn rule(choice: &ImagePolicyChoice) -> Result<Rule, Invalid> {
        match choice {
            ImagePolicyChoice { semver: Some(it), .. } => {
                Rule::semver(&it.range).map_err(Invalid::Rule)
            }
            ImagePolicyChoice { alphabetical: Some(it), .. } => {
                Ok(Rule::Alphabetical(order(it.order)))
            }
            ImagePolicyChoice { numerical: Some(it), .. } => Ok(Rule::Numerical(order(it.order))),
            _ => Err(Invalid::Nothing),
        }
    }

    /// The rule with the filter of a spec.
    pub(super) fn new(rule: Rule, filter: Option<&TagFilter>) -> Result<Self, Invalid> {
        let compile = |it: &TagFilter| {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            Filter::new(&text(&it.pattern), &text(&it.extract)).map_err(Invalid::Filter)
        };
        Ok(Self { rule, filter: filter.map(compile).transpose()? })
    }

    /// Chooses among tags in descending order.
    pub(super) fn choose(&self, tags: &[String]) -> Result<Choice, policy::Error> {
        policy::select(tags, &self.rule, self.filter.as_ref())
    }
}

fn order(order: Option<Order>) -> policy::Order {
    match order.unwrap_or_default() {
        Order::Asc => policy::Order::Ascending,
        Order::Desc => policy::Order::Descending,
    }
}

/// What is known of the digest before the registry is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// The reference carries this one, or none.
    Known(Option<String>),
    /// The registry must say.
    Ask,
}

/// Whether the digest of `chosen` must be looked up, by policy and what the status holds.
pub(super) fn digest(it: &ImagePolicy, chosen: &ImageRef) -> Digest {
    let latest = it.status.as_ref().and_then(|status| status.latest_ref.as_ref());
    match it.spec.digest_reflection_policy.unwrap_or_default() {
        ReflectionPolicy::Never => Digest::Known(None),
        ReflectionPolicy::Always => Digest::Ask,
        ReflectionPolicy::IfNotPresent => match latest {
            Some(latest) if latest.name == chosen.name && latest.tag == chosen.tag => {
                match latest.digest.as_deref() {
                    Some(digest) if !digest.is_empty() => Digest::Known(Some(digest.to_owned())),
                    _ => Digest::Ask,
                }
            }
            _ => Digest::Ask,
        },
    }
}

/// The status with `latest` as the latest reference; the previous one moves only if it differs.
pub(super) fn moved(mut status: ImagePolicyStatus, latest: ImageRef) -> ImagePolicyStatus {
    if status.latest_ref.as_ref() != Some(&latest) {
        status.observed_previous_ref = status.latest_ref.replace(latest);
    }
    status
}

/// The Ready message for a status that has a latest reference.
pub(super) fn message(status: &ImagePolicyStatus) -> String {
    let Some(latest) = &status.latest_ref else { return String::new() };
    let mut text = format!("Latest image tag for {} resolved to {}", latest.name, latest.tag);
    if let Some(digest) = latest.digest.as_deref().filter(|digest| !digest.is_empty()) {
        text += " with digest ";
        text += digest;
    }
    match &status.observed_previous_ref {
        Some(previous) if previous != latest => format!("{text} (previously {previous})"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use api::image::{NumericalPolicy, SemVerPolicy};

    use super::*;

    fn image(tag: &str, digest: Option<&str>) -> ImageRef {
        ImageRef { name: "r/app".into(), tag: tag.into(), digest: digest.map(Into::into) }
    }

    fn with(latest: Option<ImageRef>, how: ReflectionPolicy) -> ImagePolicy {
        let mut it = ImagePolicy::new("app", api::image::ImagePolicySpec::default());
        it.spec.digest_reflection_policy = Some(how);
        it.status = Some(ImagePolicyStatus { latest_ref: latest, ..Default::default() });
        it
    }

    #[test]
    fn semver_comes_before_the_others() {
        let choice = ImagePolicyChoice {
            semver: Some(SemVerPolicy { range: "latest".into() }),
            alphabetical: None,
            numerical: Some(NumericalPolicy::default()),
        };
        assert!(matches!(Selection::rule(&choice), Err(Invalid::Rule(_))));
        assert!(matches!(Selection::rule(&ImagePolicyChoice::default()), Err(Invalid::Nothing)));
    }

    #[test]
    fn digests_are_asked_for_as_the_policy_says() {
        use ReflectionPolicy::{Always, IfNotPresent, Never};
        let known = image("1", Some("sha256:a"));
        let ask =
            |latest: Option<&ImageRef>, how| digest(&with(latest.cloned(), how), &image("1", None));
        assert_eq!(ask(Some(&known), Never), Digest::Known(None));
        assert_eq!(ask(Some(&known), Always), Digest::Ask);
        assert_eq!(ask(Some(&known), IfNotPresent), Digest::Known(Some("sha256:a".into())));
        assert_eq!(ask(Some(&image("0", Some("sha256:a"))), IfNotPresent), Digest::Ask);
        assert_eq!(ask(Some(&image("1", None)), IfNotPresent), Digest::Ask);
        assert_eq!(ask(None, IfNotPresent), Digest::Ask);
    }

    #[test]
    fn the_previous_reference_moves_with_the_latest() {
        let status = moved(ImagePolicyStatus::default(), image("1", None));
        assert_eq!(message(&status), "Latest image tag for r/app resolved to 1");
        let status = moved(status, image("2", None));
        let status = moved(status.clone(), image("2", None));
        assert_eq!(
            message(&status),
            "Latest image tag for r/app resolved to 2 (previously r/app:1)"
        );
        let status = moved(status, image("2", Some("sha256:b")));
        assert_eq!(
            message(&status),
            "Latest image tag for r/app resolved to 2 with digest sha256:b (previously r/app:2)"
        );
        let status = moved(status, image("3", None));
        assert_eq!(
            message(&status),
            "Latest image tag for r/app resolved to 3 (previously r/app:2@sha256:b)"
        );
    }
}
