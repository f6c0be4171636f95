//! From an automation and its GitRepository to a repository that can be read and pushed to.

use std::sync::Arc;

use access::{Reader, Refusal, Workload};
use api::{
    image::{GitSpec, ImageUpdateAutomation},
    reason,
    source::{GitRepository, GitRepositoryRef},
};
use cloud::InvolvedObject;
use controller::{Stop, Store, secret};
use git::{Reference, Remote, Signer};
use kube::ResourceExt as _;

use crate::Context;

/// The branch that is checked out when nothing is said.
const DEFAULT_BRANCH: &str = "master";

/// A repository with everything that is needed to update it.
#[derive(Debug)]
pub(crate) struct Source {
    /// Whose mirror it is: the namespace of the GitRepository.
    pub(crate) scope: String,
    pub(crate) remote: Remote,
    pub(crate) reference: Reference,
    pub(crate) push: Push,
    pub(crate) signer: Option<Arc<Signer>>,
}

/// Where commits go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) branch: String,
    /// Whether that is another branch than the one checked out.
    pub(crate) switches: bool,
    pub(crate) refspec: Option<String>,
    /// As they are sent: `name=value`, or the bare name.
    pub(crate) options: Vec<String>,
}

/// Why there is no source.
enum Refused {
    Stall(&'static str, String),
    Fail(String),
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Stall(reason, message) => Self::Stall { reason, message },
            Refused::Fail(why) => Self::fail(
                reason::SOURCE_MANAGER_FAILED,
                format!("failed configuring source manager: {why}"),
            ),
        }
    }
}

fn invalid(why: &str) -> Refused {
    let message = format!("{why}: invalid source configuration");
    Refused::Stall(reason::INVALID_SOURCE_CONFIGURATION, message)
}

/// Reads and checks everything about the source.
pub(crate) async fn source(
    it: &ImageUpdateAutomation,
    repositories: &Store<GitRepository>,
    context: &Context,
) -> Result<Source, Stop> {
    let git = git_spec(it)?;
    let (namespace, name) = repository_key(it);
    if context.options.no_cross_namespace_refs && Some(&namespace) != it.namespace().as_ref() {
        return Err(Stop::stall(
            reason::ACCESS_DENIED,
            format!(
                "can't access 'GitRepository/{namespace}/{name}', cross-namespace references have \
                 been blocked"
            ),
        ));
    }
    let repository = repositories.get(&namespace, &name).ok_or_else(|| {
        Refused::Fail(format!(
            "referenced git repository does not exist: \
             GitRepository.source.toolkit.fluxcd.io \"{name}\" not found"
        ))
    })?;
    let reference = git.checkout.as_ref().map(|it| &it.reference);
    let reference = reference.or(repository.spec.reference.as_ref());
    let push = push(git, reference).map_err(Refused::Fail)?;
    let remote = remote(it, (&repository, &namespace), context).await?;
    let signer = signer(it, git, context).await.map_err(Refused::Fail)?;
    let reference = reference.map(to_git).unwrap_or_default();
    Ok(Source { scope: namespace, remote, reference, push, signer })
}

/// Namespace and name of the GitRepository.
pub(crate) fn repository_key(it: &ImageUpdateAutomation) -> (String, String) {
    let reference = &it.spec.source_ref;
    let namespace = reference.namespace.clone().filter(|namespace| !namespace.is_empty());
    (namespace.or_else(|| it.namespace()).unwrap_or_default(), reference.name.clone())
}

fn git_spec(it: &ImageUpdateAutomation) -> Result<&GitSpec, Refused> {
    let kind = &it.spec.source_ref.kind;
    if kind != "GitRepository" {
        return Err(invalid(&format!("source kind '{kind}' not supported")));
    }
    it.spec
        .git
        .as_ref()
        .ok_or_else(|| invalid("source kind 'GitRepository' necessitates field .spec.git"))
}

/// Where to push, and whether that is another branch.
fn push(git: &GitSpec, reference: Option<&GitRepositoryRef>) -> Result<Push, String> {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let spec = git.push.clone().unwrap_or_default();
    let checkout = match reference {
        Some(reference) => set(&reference.branch),
        None => Some(DEFAULT_BRANCH.to_owned()),
    };
    let inferred = reference.and_then(|reference| set(&reference.branch));
    let (branch, switches) = match set(&spec.branch) {
        Some(branch) => {
            let switches = checkout.as_ref() != Some(&branch);
            (branch, switches)
        }
        None => (
            inferred.ok_or(
                "push spec not provided, and cannot be inferred from .spec.git.checkout.ref or \
             GitRepository .spec.ref",
            )?,
            false,
        ),
    };
    let options = spec.options.unwrap_or_default().into_iter();
    let options = options.map(|(k, v)| if v.is_empty() { k } else { format!("{k}={v}") }).collect();
    Ok(Push { branch, switches, refspec: set(&spec.refspec), options })
}

fn to_git(it: &GitRepositoryRef) -> Reference {
    Reference {
        branch: it.branch.clone(),
        tag: it.tag.clone(),
        semver: it.semver.clone(),
        name: it.name.clone(),
        commit: it.commit.clone(),
    }
}

/// The repository on its server, with the credentials of the GitRepository.
async fn remote(
    it: &ImageUpdateAutomation,
    (repository, namespace): (&GitRepository, &str),
    context: &Context,
) -> Result<Remote, Refused> {
    let options = &context.options;
    let reader = Reader {
        client: &context.client,
        cloud: &context.cloud,
        workload: Workload {
            per_object: options.object_level_workload_identity,
            default_account: options.default_service_account.as_deref(),
        },
        namespace,
        object: InvolvedObject {
            kind: "ImageUpdateAutomation",
            name: &it.name_any(),
            namespace: &it.namespace().unwrap_or_default(),
            operation: "reconcile",
        },
    };
    access::remote(repository, &reader, &context.forge).await.map_err(|why| match why {
        Refusal::Secret(why) => {
            let name = repository.spec.secret_ref.clone().unwrap_or_default().name;
            Refused::Fail(format!("failed to get auth secret '{namespace}/{name}': {why}"))
        }
        Refusal::Provider { message, .. } => invalid(&message),
        Refusal::Remote(why) => unconfigured(&why.to_string()),
        Refusal::Login(why) => unconfigured(&why),
        Refusal::Gate(why) => Refused::Stall(reason::FEATURE_GATE_DISABLED, why.to_owned()),
        Refusal::Proxy(why) | Refusal::Timeout(why) => Refused::Fail(why),
    })
}

fn unconfigured(why: &str) -> Refused {
    Refused::Fail(format!("failed to configure authentication options: {why}"))
}

async fn signer(
    it: &ImageUpdateAutomation,
    git: &GitSpec,
    context: &Context,
) -> Result<Option<Arc<Signer>>, String> {
    let Some(key) = &git.commit.signing_key else { return Ok(None) };
    let (namespace, name) = (it.namespace().unwrap_or_default(), &key.secret_ref.name);
    let data = secret::read(&context.client, &namespace, name)
        .await
        .map_err(|why| format!("could not find signing key secret '{name}': {why}"))?;
    let signer = Signer::from_secret(name, &data).map_err(|why| why.to_string())?;
    Ok(Some(Arc::new(signer)))
}

#[cfg(test)]
mod tests {
    use api::image::PushSpec;

    use super::*;

    fn pushed(
        push_spec: Option<PushSpec>,
        reference: Option<&GitRepositoryRef>,
    ) -> Result<(String, bool), String> {
        let git = GitSpec { push: push_spec, ..GitSpec::default() };
        push(&git, reference).map(|it| (it.branch, it.switches))
    }

    #[test]
    fn where_to_push() {
        let to =
            |branch: &str| Some(PushSpec { branch: Some(branch.into()), ..PushSpec::default() });
        let branch =
            |name: &str| Some(GitRepositoryRef { branch: Some(name.into()), ..Default::default() });
        let tag = || Some(GitRepositoryRef { tag: Some("v1".into()), ..Default::default() });
        assert_eq!(pushed(None, branch("main").as_ref()), Ok(("main".into(), false)));
        assert_eq!(pushed(to("main"), branch("main").as_ref()), Ok(("main".into(), false)));
        assert_eq!(pushed(to("auto"), branch("main").as_ref()), Ok(("auto".into(), true)));
        assert_eq!(pushed(to("auto"), tag().as_ref()), Ok(("auto".into(), true)));
        assert_eq!(pushed(to("master"), None), Ok(("master".into(), false)));
        assert_eq!(pushed(to("main"), None), Ok(("main".into(), true)));
        assert!(pushed(None, tag().as_ref()).is_err());
        assert!(pushed(None, None).unwrap_err().starts_with("push spec not provided"));
    }

    #[test]
    fn push_options_are_sorted_text() {
        let options = [("merge_request.create", ""), ("ci.variable", "A=1")];
        let options = options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let git = GitSpec {
            push: Some(PushSpec {
                branch: Some("main".into()),
                refspec: None,
                options: Some(options),
            }),
            ..GitSpec::default()
        };
        let push = push(&git, None).unwrap();
        assert_eq!(push.options, ["ci.variable=A=1", "merge_request.create"]);
    }
}
