//! From a spec and its Secrets to the way a registry is spoken to.

use std::time::Duration;

use ::access::{Reader, Workload};
use api::image::{ImageRepository, ImageRepositorySpec};
use cloud::InvolvedObject;
use kube::ResourceExt as _;
use registry::{Access, Repository};

use crate::Context;

/// The least time that a conversation gets.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);

/// Whose reconciliation needs the access.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Referrer {
    Repository,
    Policy,
}

/// The repository that a spec names.
pub(crate) fn parse(spec: &ImageRepositorySpec) -> Result<Repository, registry::Error> {
    Repository::parse(&spec.image, spec.insecure.unwrap_or(false))
}

/// The time one conversation with the registry may take: the interval unless the spec says
/// otherwise, at least a second. The CRD admits only durations.
pub(crate) fn timeout(spec: &ImageRepositorySpec) -> Duration {
    let text = spec.timeout.as_deref().unwrap_or(&spec.interval);
    api::duration::parse(text).unwrap_or_default().max(LEAST_TIMEOUT)
}

/// Reads everything that the spec of `it` refers to. Errors are upstream's, without its prefix.
pub(crate) async fn of(context: &Context, it: &ImageRepository) -> Result<Access, String> {
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let reader = Reader {
        client: &context.client,
        cloud: &context.cloud,
        workload: Workload {
            per_object: context.options.object_level_workload_identity,
            default_account: context.options.default_service_account.as_deref(),
        },
        namespace: &namespace,
        object: InvolvedObject {
            kind: "ImageRepository",
            name: &name,
            namespace: &namespace,
            operation: "reconcile",
        },
    };
    let access = ::access::image(&it.spec, &reader).await?;
    context.registry.check(&access).map_err(|error| error.to_string())?;
    Ok(access)
}
