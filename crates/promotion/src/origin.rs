//! Where images come from: what their registries have, and what images say about themselves.

use std::{collections::BTreeSet, time::Duration};

use access::{Reader, Workload};
use api::{
    image::{ImagePolicy, ImageRepository},
    promotion::{Component, ImageValue, Pipeline},
    source::Verification,
};
use cloud::InvolvedObject;
use jiff::Timestamp;
use kube::ResourceExt as _;
use registry::{Access, Call, Digest, Error, Manifest, Platform, Repository};
use serde::Deserialize;
use verification::Subject;

use crate::{Context, store::Stores};

/// The time for one conversation with a registry.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The configuration of an image is shorter than this.
const MAX_CONFIG: u64 = 4 << 20;

/// An image's repository, as its ImageRepository says that it is entered.
pub(crate) struct Origin<'a> {
    context: &'a Context,
    repository: Repository,
    access: Access,
}

/// Why nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It is not there.
    Gone(String),
    /// It cannot be found out now.
    Later(String),
}

impl From<Error> for Unknown {
    fn from(why: Error) -> Self {
        let text = why.to_string();
        if why.is_not_found() { Self::Gone(text) } else { Self::Later(text) }
    }
}

/// What of an image's configuration is of interest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    created: Option<String>,
    #[serde(flatten)]
    platform: Platform,
    #[serde(rename = "config")]
    labelled: Labelled,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Labelled {
    labels: Option<std::collections::BTreeMap<String, String>>,
}

/// The ImageRepository of a policy.
pub(crate) fn repository_of(
    policy: &ImagePolicy,
    stores: &Stores,
) -> Option<std::sync::Arc<ImageRepository>> {
    let reference = &policy.spec.image_repository_ref;
    let namespace = reference.namespace.clone().filter(|it| !it.is_empty());
    let namespace = namespace.or_else(|| policy.namespace()).unwrap_or_default();
    stores.images.get(&namespace, &reference.name)
}

/// Reads what an object refers to.
fn reader<'a>(context: &'a Context, namespace: &'a str, it: (&'a str, &'a str)) -> Reader<'a> {
    let (kind, name) = it;
    let object = InvolvedObject { kind, name, namespace, operation: "reconcile" };
    let (client, cloud) = (&context.client, &context.cloud);
    Reader { client, cloud, workload: Workload::default(), namespace, object }
}

impl<'a> Origin<'a> {
    /// The way into a repository of images.
    ///
    /// # Errors
    /// What of the ImageRepository or its Secrets cannot be used; never a Secret's content.
    pub(crate) async fn open(it: &ImageRepository, context: &'a Context) -> Result<Self, Unknown> {
        let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
        let reader = reader(context, &namespace, ("ImageRepository", &name));
        let repository = Repository::parse(&it.spec.image, it.spec.insecure.unwrap_or(false));
        let repository = repository.map_err(|why| Unknown::Later(why.to_string()))?;
        let access = access::image(&it.spec, &reader).await.map_err(Unknown::Later)?;
        Ok(Self { context, repository, access })
    }

    fn call(&self) -> Call<'_> {
        Call { repository: &self.repository, access: &self.access, timeout: TIMEOUT }
    }

    /// The digest that a tag or digest stands for.
    pub(crate) async fn digest(&self, reference: &str) -> Result<String, Unknown> {
        Ok(self.context.registry.resolve(&self.call(), reference).await?)
    }

    /// Adds what an image says about itself by its labels; one that says nothing is as good.
    pub(crate) async fn describe(&self, image: &mut ImageValue) {
        let Some(digest) = image.digest.clone() else { return };
        let said = async {
            let manifest = self.context.registry.image(&self.call(), &digest).await?;
            self.config(&manifest).await
        };
        let Ok(config) = said.await.map_err(|why: Unknown| {
            tracing::debug!(?why, name = image.name, "an image says nothing about itself");
        }) else {
            return;
        };
        let label = |key: &str, most: usize| {
            let text = config.labelled.labels.as_ref()?.get(key)?;
            (!text.is_empty() && text.len() <= most).then(|| text.clone())
        };
        let created: Option<Timestamp> = config.created.as_deref().and_then(|it| it.parse().ok());
        image.created = created.map(api::meta::time);
        image.source = label("org.opencontainers.image.source", 1024);
        image.revision = label("org.opencontainers.image.revision", 256);
    }

    async fn config(&self, manifest: &Manifest) -> Result<Config, Unknown> {
        let Some(descriptor) = &manifest.content.config else { return Ok(Config::default()) };
        let bytes = self.context.registry.small_blob(&self.call(), descriptor, MAX_CONFIG).await?;
        serde_json::from_slice(&bytes).map_err(|why| Unknown::Later(why.to_string()))
    }

    /// Whether an image is what a component requires.
    ///
    /// # Errors
    /// What it is not, or what cannot be found out now.
    pub(crate) async fn fits(
        &self,
        digest: &str,
        (component, pipe): (&Component, &Pipeline),
        now: Timestamp,
    ) -> Result<(), Unknown> {
        let Some(wanted) = &component.require else { return Ok(()) };
        if let Some(lacks) = self.lacks(digest, &wanted.platforms).await? {
            return Err(Unknown::Gone(format!("is not there for {lacks}")));
        }
        match &wanted.verify {
            Some(verify) => self.verify(digest, (verify, pipe), now).await,
            None => Ok(()),
        }
    }

    /// Looks for a good signature. That there is none yet may change by itself.
    async fn verify(
        &self,
        digest: &str,
        (verify, pipe): (&Verification, &Pipeline),
        now: Timestamp,
    ) -> Result<(), Unknown> {
        let digest = Digest::parse(digest).map_err(|why| Unknown::Later(why.to_string()))?;
        let shown = format!("{}@{digest}", self.repository.canonical());
        let call = self.call();
        let registry = &self.context.registry;
        let subject = Subject { registry, call: &call, shown: &shown, digest: &digest };
        let (namespace, name) = (pipe.namespace().unwrap_or_default(), pipe.name_any());
        let reader = reader(self.context, &namespace, ("Pipeline", &name));
        let work = verification::verify(subject, verify, (&reader, now));
        match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(Unknown::Later(format!("it is not verified: {why}"))),
            Err(_) => Err(Unknown::Later("its signature could not be had in time".to_owned())),
        }
    }

    /// The first of these platforms, such as `linux/arm64`, that an image does not have.
    async fn lacks(&self, digest: &str, wanted: &[String]) -> Result<Option<String>, Unknown> {
        if wanted.is_empty() {
            return Ok(None);
        }
        let manifest = self.context.registry.manifest(&self.call(), digest).await?;
        let there: BTreeSet<String> = if manifest.is_index() {
            let all = manifest.content.manifests.iter().filter_map(|it| it.platform.as_ref());
            all.flat_map(names).collect()
        } else {
            names(&self.config(&manifest).await?.platform).into_iter().collect()
        };
        Ok(wanted.iter().find(|it| !there.contains(*it)).cloned())
    }
}

/// What a platform is called: a variant may be left out.
fn names(it: &Platform) -> Vec<String> {
    let plain = format!("{}/{}", it.os, it.architecture);
    let full = it.variant.as_ref().map(|variant| format!("{plain}/{variant}"));
    [plain].into_iter().chain(full).collect()
}
