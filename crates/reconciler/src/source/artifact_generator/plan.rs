//! Whether a spec makes sense, beyond what its schema says.

use std::collections::BTreeSet;

use api::{reason, source_extensions::ArtifactGenerator};
use controller::Stop;
use kube::ResourceExt as _;

use super::Options;

/// Stalls a generator whose spec can never work.
pub(super) fn validate(it: &ArtifactGenerator, options: &Options) -> Result<(), Stop> {
    let invalid = |message: String| Stop::stall(reason::VALIDATION_FAILED, message);
    let own = it.namespace().unwrap_or_default();
    let mut aliases = BTreeSet::new();
    for source in &it.spec.sources {
        if !aliases.insert(source.alias.as_str()) {
            return Err(invalid(format!("duplicate source alias '{}' found", source.alias)));
        }
        let other = source.namespace.as_deref().filter(|name| !name.is_empty() && *name != own);
        if let Some(other) = other.filter(|_| options.no_cross_namespace_refs) {
            let message = format!(
                "cross-namespace reference to source {}/{other}/{} is not allowed",
                source.kind, source.name
            );
            return Err(Stop::stall(reason::ACCESS_DENIED, message));
        }
    }
    let mut names = BTreeSet::new();
    for artifact in &it.spec.output_artifacts {
        if !names.insert(artifact.name.as_str()) {
            return Err(invalid(format!("duplicate artifact name '{}' found", artifact.name)));
        }
        let alias = alias(artifact.revision.as_deref());
        if let Some(alias) = alias.filter(|alias| !aliases.contains(alias)) {
            let name = &artifact.name;
            let message = format!("artifact {name} revision source alias '{alias}' not found");
            return Err(invalid(message));
        }
    }
    Ok(())
}

/// The alias that `@alias` names.
pub(super) fn alias(reference: Option<&str>) -> Option<&str> {
    reference.filter(|it| !it.is_empty()).map(|it| it.strip_prefix('@').unwrap_or(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::artifact_generator::observe::tests::generator;

    #[test]
    fn what_can_never_work_stalls() {
        let options = Options { no_cross_namespace_refs: true, ..Options::default() };
        let told = |spec: &str| match validate(&generator(spec), &options) {
            Err(Stop::Stall { reason, message }) => format!("{reason}: {message}"),
            other => format!("{other:?}"),
        };
        let git = "{alias: a, kind: GitRepository, name: x}";
        let out = "{name: o, copy: [{from: '@a/', to: '@artifact/'}]}";
        let two = format!("{{sources: [{git}, {git}], artifacts: [{out}]}}");
        assert_eq!(told(&two), "ValidationFailed: duplicate source alias 'a' found");
        let two = format!("{{sources: [{git}], artifacts: [{out}, {out}]}}");
        assert_eq!(told(&two), "ValidationFailed: duplicate artifact name 'o' found");
        let unknown =
            format!("{{sources: [{git}], artifacts: [{{name: o, revision: '@b', copy: []}}]}}");
        assert_eq!(
            told(&unknown),
            "ValidationFailed: artifact o revision source alias 'b' not found"
        );
        let far = "{alias: a, kind: Bucket, name: x, namespace: other}";
        let far = format!("{{sources: [{far}], artifacts: [{out}]}}");
        assert_eq!(
            told(&far),
            "AccessDenied: cross-namespace reference to source Bucket/other/x is not allowed"
        );
        let near = "{alias: a, kind: Bucket, name: x, namespace: apps}";
        validate(&generator(&format!("{{sources: [{near}], artifacts: [{out}]}}")), &options)
            .unwrap();
    }
}
