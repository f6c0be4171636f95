//! `ImagePolicy`: the tag to run, chosen from what was scanned.
//!
//! ```text
//! ImageRepository (spec, status) ─┐
//! tags on disk ───────────────────┼─> plan (pure) ─> latestRef, Ready
//! registry (digest, if asked for) ┘
//! ```
//!
//! Invariants: the latest reference moves only when name, tag or digest differ, and is kept while
//! the policy fails; the same tags always give the same choice; nothing is asked of a registry
//! unless the digest is.

mod plan;

use std::{sync::Arc, time::Duration};

use api::{
    image::{ImagePolicy, ImageRef, ImageRepository},
    meta::{READY, Status as _},
    reason,
};
use controller::{Host, Next, Reconcile, Reference, Report, Stop, Store, Turn, Watch};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use policy::Rule;

use self::plan::{Digest, Selection};
use crate::{Context, access, tags::Stored};

/// How long a policy waits in silence for the first scan of a repository made at the same time.
const FIRST_SCAN: Duration = Duration::from_secs(5);

/// Reconciles ImagePolicies.
pub struct PolicyReconciler {
    context: Context,
    repositories: Store<ImageRepository>,
}

impl PolicyReconciler {
    /// A reconciler that reads repositories from the host's shared watch.
    pub fn new(context: Context, host: &Host) -> Self {
        Self { context, repositories: host.store() }
    }

    /// The repository that is referred to, if this policy may refer to it.
    async fn repository(&self, it: &ImagePolicy) -> Result<Arc<ImageRepository>, Stop> {
        let (namespace, name) = repository_key(it);
        let own = it.namespace().unwrap_or_default();
        let denied = |why: String| {
            Stop::fail(
                reason::ACCESS_DENIED,
                format!("failed to get the referred ImageRepository: {why}"),
            )
        };
        if self.context.options.no_cross_namespace_refs && namespace != own {
            return Err(denied(format!(
                "cannot access 'ImageRepository/{namespace}/{name}', \
                 cross-namespace references have been blocked"
            )));
        }
        let Some(repository) = self.repositories.get(&namespace, &name) else {
            return Err(Stop::fail(
                reason::DEPENDENCY_NOT_READY,
                format!(
                    "failed to get the referred ImageRepository: referenced ImageRepository does \
                     not exist: ImageRepository.image.toolkit.fluxcd.io \"{name}\" not found"
                ),
            ));
        };
        if namespace != own {
            self.admitted(&repository, &own)
                .await?
                .map_err(|why| denied(format!("access denied: {why}")))?;
        }
        Ok(repository)
    }

    /// Whether the repository lets policies of `own` in; why not otherwise.
    async fn admitted(
        &self,
        repository: &ImageRepository,
        own: &str,
    ) -> Result<Result<(), String>, Stop> {
        let namespace = repository.namespace().unwrap_or_default();
        let name = repository.name_any();
        let Some(access) = &repository.spec.access_from else {
            return Ok(Err(format!(
                "'{namespace}/{name}' can't be accessed due to missing ACL labels on 'accessFrom'"
            )));
        };
        let labels = Api::<Namespace>::all(self.context.client.clone())
            .get_metadata(own)
            .await?
            .metadata
            .labels
            .unwrap_or_default();
        let matches = access.namespace_selectors.iter().any(|selector| {
            let wanted = selector.match_labels.iter().flatten();
            wanted.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        });
        Ok(if matches {
            Ok(())
        } else {
            Err(format!(
                "'{namespace}/{name}' can't be accessed due to ACL labels mismatch on namespace \
                 '{own}'"
            ))
        })
    }

    /// The scanned tags, or what to wait for while there are none.
    async fn tags(&self, of: &ImageRepository, turn: &mut Turn) -> Result<Stored, Stop> {
        let status = of.status.clone().unwrap_or_default();
        let image = status.canonical_image_name.clone().unwrap_or_default();
        let uid = of.uid().unwrap_or_default();
        match self.context.tags.get(&uid, &image).await {
            Some(stored) if !stored.tags.is_empty() => Ok(stored),
            _ if is_first_scan_under_way(of) => {
                let now = turn.now();
                let since = *turn.memo::<Option<Timestamp>>().get_or_insert(now);
                if now.duration_since(since).unsigned_abs() < FIRST_SCAN {
                    let deadline = since.checked_add(FIRST_SCAN).ok();
                    let wake_on = Vec::new();
                    return Err(Stop::Pending { next: Next::Park { wake_on, deadline } });
                }
                Err(self.no_tags())
            }
            _ => Err(self.no_tags()),
        }
    }

    fn no_tags(&self) -> Stop {
        let after = self.context.options.requeue_dependency;
        let halves = after.subsec_millis() >= 500;
        let seconds = Duration::from_secs(after.as_secs() + u64::from(halves));
        let message =
            format!("retrying in {} error: no tags in database", api::duration::Go(seconds));
        Stop::wait(reason::DEPENDENCY_NOT_READY, message, after)
    }

    /// The chosen image, with its digest if the policy wants it.
    async fn latest(
        &self,
        it: &ImagePolicy,
        repository: &ImageRepository,
        tag: String,
    ) -> Result<ImageRef, Stop> {
        let mut latest = ImageRef { name: repository.spec.image.clone(), tag, digest: None };
        latest.digest = match plan::digest(it, &latest) {
            Digest::Known(digest) => digest,
            Digest::Ask => Some(self.digest(repository, &latest).await.map_err(|error| {
                Stop::fail(reason::FAILED, format!("failed fetching digest of {latest}: {error}"))
            })?),
        };
        Ok(latest)
    }

    async fn digest(&self, of: &ImageRepository, latest: &ImageRef) -> Result<String, String> {
        let wanted = |error: registry::Error| {
            format!("failed fetching descriptor for {:?}: {error}", latest.to_string())
        };
        let repository = access::parse(&of.spec).map_err(wanted)?;
        let access = access::of(&self.context, of)
            .await
            .map_err(|error| format!("failed to configure authentication options: {error}"))?;
        let timeout = access::timeout(&of.spec);
        let registry = &self.context.registry;
        registry.digest(&repository, &latest.tag, &access, timeout).await.map_err(wanted)
    }
}

impl Reconcile for PolicyReconciler {
    type Resource = ImagePolicy;
    const CONTROLLER: &'static str = crate::CONTROLLER;

    async fn turn(&self, it: &ImagePolicy, turn: &mut Turn) -> Result<Report<Self>, Stop> {
        let next = next(it)?;
        let repository = self.repository(it).await?;
        access::parse(&repository.spec).map_err(|e| Stop::stall(reason::IMAGE_URL_INVALID, e))?;
        self.context.check_gates(&repository, access::Referrer::Policy)?;
        let rule = rule(it)?;
        let stored = self.tags(&repository, turn).await?;
        let selection = Selection::new(rule, it.spec.filter_tags.as_ref())
            .map_err(|error| Stop::stall(reason::INVALID_POLICY, error))?;
        let bytes = stored.tags.iter().map(String::len).sum();
        let work = move || selection.choose(&stored.tags);
        let chosen = self.context.compute.run(bytes, work).await;
        let choice = chosen
            .map_err(|error| Stop::fail(reason::FAILURE, error))?
            .map_err(|error| Stop::fail(reason::FAILURE, error))?;
        let latest = self.latest(it, &repository, choice.tag).await?;
        let status = plan::moved(it.status.clone().unwrap_or_default(), latest);
        let message = plan::message(&status);
        Ok(Report { steady: Some(message.clone()), ..Report::ready(status, message, next) })
    }

    fn references(&self, it: &ImagePolicy) -> Vec<Reference> {
        let (namespace, name) = repository_key(it);
        vec![Reference::object::<ImageRepository>(namespace, name)]
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::on::<ImageRepository>(|before, after| match (before, after) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => matters(before) != matters(after),
        })]
    }
}

fn repository_key(it: &ImagePolicy) -> (String, String) {
    let reference = &it.spec.image_repository_ref;
    let namespace = reference.namespace.clone().filter(|namespace| !namespace.is_empty());
    (namespace.or_else(|| it.namespace()).unwrap_or_default(), reference.name.clone())
}

fn rule(it: &ImagePolicy) -> Result<Rule, Stop> {
    Selection::rule(&it.spec.policy).map_err(|error| Stop::stall(reason::INVALID_POLICY, error))
}

/// When to run again: at the interval if digests are followed, else only after changes.
fn next(it: &ImagePolicy) -> Result<Next, Stop> {
    use api::image::ReflectionPolicy::Always;
    match (&it.spec.digest_reflection_policy, &it.spec.interval) {
        (Some(Always), None) => Err(Stop::stall(
            reason::INTERVAL_NOT_CONFIGURED,
            "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'",
        )),
        (Some(Always), Some(interval)) => {
            let every = api::duration::parse(interval)
                .map_err(|error| Stop::stall(reason::INTERVAL_NOT_CONFIGURED, error))?;
            Ok(Next::Interval { every })
        }
        _ => Ok(Next::Idle),
    }
}

/// What of a repository a policy depends on.
fn matters(it: &ImageRepository) -> impl PartialEq + use<> {
    let status = it.status.clone().unwrap_or_default();
    let revision = status.last_scan_result.and_then(|result| result.revision);
    (revision, status.canonical_image_name, it.spec.access_from.clone())
}

/// Whether tags are to be expected in a moment: nothing was scanned, and nothing speaks against it.
fn is_first_scan_under_way(it: &ImageRepository) -> bool {
    let status = it.status.clone().unwrap_or_default();
    let failed = status.condition(READY).is_some_and(|ready| ready.status == "False");
    status.last_scan_result.is_none() && !failed && !it.spec.suspend.unwrap_or(false)
}
