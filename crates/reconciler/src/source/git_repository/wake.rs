//! What makes a GitRepository run besides its own changes: the artifacts it includes.

use api::source::GitRepository;
use controller::Reference;
use kube::ResourceExt as _;

/// The included repositories.
pub(super) fn references(it: &GitRepository) -> Vec<Reference> {
    let namespace = it.namespace().unwrap_or_default();
    let includes = it.spec.include.iter().flatten();
    includes
        .map(|include| {
            Reference::object::<GitRepository>(namespace.clone(), include.repository.name.clone())
        })
        .collect()
}

/// Whether there is another artifact than before.
pub(super) fn has_new_artifact(
    before: Option<&GitRepository>,
    after: Option<&GitRepository>,
) -> bool {
    let artifact = |it: Option<&GitRepository>| {
        let artifact = it?.status.as_ref()?.artifact.as_ref()?;
        Some((artifact.revision.clone(), artifact.digest.clone()))
    };
    artifact(after).is_some() && artifact(before) != artifact(after)
}

#[cfg(test)]
mod tests {
    use api::source::{Artifact, GitRepositoryInclude, GitRepositorySpec, GitRepositoryStatus};

    use super::*;

    #[test]
    fn included_artifacts_wake() {
        let include = |name: &str| GitRepositoryInclude {
            repository: api::meta::LocalObjectReference { name: name.into() },
            ..Default::default()
        };
        let spec = GitRepositorySpec { include: Some(vec![include("a")]), ..Default::default() };
        let mut it = GitRepository::new("it", spec);
        it.metadata.namespace = Some("apps".into());
        assert_eq!(references(&it), [Reference::object::<GitRepository>("apps", "a")]);
        let with = |revision: &str| {
            let mut it = it.clone();
            let artifact = Artifact {
                path: String::new(),
                url: String::new(),
                revision: revision.into(),
                digest: String::new(),
                last_update_time: api::meta::Time(jiff::Timestamp::UNIX_EPOCH),
                size: None,
                metadata: None,
            };
            it.status =
                Some(GitRepositoryStatus { artifact: Some(artifact), ..Default::default() });
            it
        };
        assert!(has_new_artifact(Some(&it), Some(&with("1"))));
        assert!(has_new_artifact(Some(&with("1")), Some(&with("2"))));
        assert!(!has_new_artifact(Some(&with("1")), Some(&with("1"))));
        assert!(!has_new_artifact(Some(&with("1")), None));
    }
}
