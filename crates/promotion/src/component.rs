//! What the components of a pipeline have now.

use std::sync::Arc;

use api::{
    image::ImagePolicy,
    promotion::{BundleComponent, Component, GitSource, ImageValue, Pipeline},
    reason,
    source::{GitRepository, OciRepository},
};
use controller::Stop;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use pipeline::{creation::Found, value::Value};

use crate::{
    Context, chart,
    freeze::span,
    origin::{self, Origin, Unknown},
    store::Stores,
    tree::Change,
    value,
};

/// Until a registry is asked again that did not answer.
const SOON: SignedDuration = SignedDuration::from_secs(30);

/// Finds out what components have.
pub(crate) struct Finder<'a> {
    pub(crate) context: &'a Context,
    pub(crate) stores: &'a Stores,
    pub(crate) pipe: &'a Pipeline,
    pub(crate) now: Timestamp,
    /// Whether registries are asked even for what was known.
    pub(crate) afresh: bool,
}

/// A value, or why there is none and when that may change by itself.
type Answer = Result<BundleComponent, (String, Option<Timestamp>)>;

impl Finder<'_> {
    /// What every component has, and how the bundle is to describe it.
    ///
    /// # Errors
    /// A stall that names the component.
    pub(crate) async fn all(&self) -> Result<(Vec<Found>, Vec<BundleComponent>), Stop> {
        let status = self.pipe.status.clone().unwrap_or_default();
        let (mut all, mut described) = (Vec::new(), Vec::new());
        for component in &self.pipe.spec.components {
            let known = status.candidate.iter().find(|it| it.component == component.name);
            let known = known.and_then(|it| Some((it.value.as_ref()?, it.since.as_ref()?.0)));
            let answer = self.one(component, known.map(|(value, _)| value)).await?;
            let value = answer.as_ref().map_err(Clone::clone).and_then(|it| {
                let part = value::to_part(it);
                part.map(|it| it.value).ok_or_else(|| ("it has no value".to_owned(), None))
            });
            let same = |old: &BundleComponent| {
                value::to_part(old).map(|it| it.value).as_ref() == value.as_ref().ok()
            };
            let since = known.filter(|(old, _)| same(old)).map_or(self.now, |(_, since)| since);
            all.push(aged(component, value, since, self.now)?);
            described.extend(answer.ok());
        }
        Ok((all, described))
    }

    async fn one(
        &self,
        component: &Component,
        known: Option<&BundleComponent>,
    ) -> Result<Answer, Stop> {
        check(component)?;
        // What another spec let through is looked at anew.
        let status = self.pipe.status.as_ref();
        let observed = status.and_then(|it| it.observed_generation);
        let known = known.filter(|_| observed == self.pipe.metadata.generation);
        let own = self.pipe.namespace().unwrap_or_default();
        let mut it = BundleComponent { name: component.name.clone(), ..BundleComponent::default() };
        if let Some(policy) = &component.image_policy_ref {
            let namespace = self.allowed(policy.namespace.as_ref(), &own, component)?;
            let policy = (self.stores.policies.get(&namespace, &policy.name), &*policy.name);
            let known = known.and_then(|it| it.image.as_ref());
            return Ok(self.image(component, policy, known).await.map(|image| {
                it.image = Some(image);
                it
            }));
        }
        let part = |value| pipeline::value::Part { component: component.name.clone(), value };
        if let Some(oci) = &component.oci_ref {
            let namespace = self.allowed(oci.namespace.as_ref(), &own, component)?;
            let value = artifact(self.stores.artifacts.get(&namespace, &oci.name), &oci.name);
            return Ok(value.map(|it| value::from_part(&part(it))).map_err(|why| (why, None)));
        }
        if let Some(it) = &component.chart {
            self.allowed(it.source_ref.namespace.as_ref(), &own, component)?;
            let made = chart::ensure(self.pipe, component, (&self.context.client, self.stores));
            if let Err(why) = made.await {
                return Ok(Err((why, self.now.checked_add(SOON).ok())));
            }
            let value = chart::value(self.pipe, component, self.stores);
            return Ok(value.map(|it| value::from_part(&part(it))).map_err(|why| (why, None)));
        }
        let git = component.git_ref.clone().unwrap_or_default();
        let namespace = self.allowed(git.namespace.as_ref(), &own, component)?;
        let source = self.stores.repositories.get(&namespace, &git.name);
        Ok(self.git(&git, source, known).await.map(|it| value::from_part(&part(it))))
    }

    /// The commit a source has, or the one before if nothing changed since that counts.
    async fn git(
        &self,
        spec: &GitSource,
        source: Option<Arc<GitRepository>>,
        known: Option<&BundleComponent>,
    ) -> Result<Value, (String, Option<Timestamp>)> {
        let now = commit(source.clone(), &spec.name).map_err(|why| (why, None))?;
        let before = known.and_then(value::to_part).map(|it| it.value);
        let (Some(source), Some(before)) = (source, before) else { return Ok(now) };
        let id = |it: &Value| match it {
            Value::Git { commit, .. } => commit.parse::<git::Id>().ok(),
            Value::Image { .. } | Value::Chart { .. } | Value::Oci { .. } => None,
        };
        let (Some(from), Some(to)) = (id(&before), id(&now)) else { return Ok(now) };
        if from == to {
            return Ok(now);
        }
        let change = Change { source: &source, spec, pipe: self.pipe, from, to };
        match change.counts((self.context, self.stores)).await {
            Ok(true) => Ok(now),
            Ok(false) => Ok(before),
            Err(Unknown::Gone(why) | Unknown::Later(why)) => {
                let why = format!("what changed in '{}' cannot be seen: {why}", spec.name);
                Err((why, self.now.checked_add(SOON).ok()))
            }
        }
    }

    fn allowed(&self, to: Option<&String>, own: &str, it: &Component) -> Result<String, Stop> {
        let to = to.filter(|to| !to.is_empty()).map_or(own, String::as_str);
        if self.context.options.no_cross_namespace_refs && to != own {
            let text =
                format!("component '{}': cross-namespace references have been blocked", it.name);
            return Err(Stop::stall(reason::ACCESS_DENIED, text));
        }
        Ok(to.to_owned())
    }

    /// The image a policy chose, with its digest, whether the policy reflects it or not.
    async fn image(
        &self,
        component: &Component,
        (policy, name): (Option<Arc<ImagePolicy>>, &str),
        known: Option<&ImageValue>,
    ) -> Result<ImageValue, (String, Option<Timestamp>)> {
        let missing = |why: String| (why, None);
        let policy =
            policy.ok_or_else(|| missing(format!("ImagePolicy '{name}' does not exist")))?;
        let latest = policy.status.as_ref().and_then(|it| it.latest_ref.clone());
        let latest = latest
            .ok_or_else(|| missing(format!("ImagePolicy '{name}' has chosen no image yet")))?;
        let reflected = latest.digest.filter(|it| !it.is_empty());
        let same = |it: &&ImageValue| {
            it.name == latest.name
                && it.tag == latest.tag
                && it.digest.is_some()
                && reflected.as_ref().is_none_or(|digest| it.digest.as_ref() == Some(digest))
        };
        if let Some(known) = known.filter(same).filter(|_| reflected.is_some() || !self.afresh) {
            return Ok(known.clone());
        }
        let repository = origin::repository_of(&policy, self.stores);
        let repository = repository.ok_or_else(|| {
            missing(format!("the ImageRepository of ImagePolicy '{name}' does not exist"))
        })?;
        let later = |why: Unknown| {
            let (Unknown::Gone(why) | Unknown::Later(why)) = why;
            let why = format!("the digest of {}:{} cannot be had: {why}", latest.name, latest.tag);
            (why, self.now.checked_add(SOON).ok())
        };
        let origin = Origin::open(&repository, self.context).await.map_err(later)?;
        let digest = match reflected {
            Some(digest) => digest,
            None => origin.digest(&latest.tag).await.map_err(later)?,
        };
        if let Some(known) = known.filter(|it| {
            it.name == latest.name && it.tag == latest.tag && it.digest.as_ref() == Some(&digest)
        }) {
            return Ok(known.clone());
        }
        let fit = origin.fits(&digest, (component, self.pipe), self.now).await;
        fit.map_err(|why| match why {
            Unknown::Gone(why) => missing(format!("{}:{} {why}", latest.name, latest.tag)),
            Unknown::Later(why) => {
                let why = format!("{}:{}: {why}", latest.name, latest.tag);
                (why, self.now.checked_add(SOON).ok())
            }
        })?;
        let mut image = ImageValue {
            name: latest.name.clone(),
            tag: latest.tag.clone(),
            digest: Some(digest),
            ..ImageValue::default()
        };
        origin.describe(&mut image).await;
        Ok(image)
    }
}

/// Refuses what cannot be right, and what is not there yet.
fn check(it: &Component) -> Result<(), Stop> {
    let stall =
        |reason, what: &str| Err(Stop::stall(reason, format!("component '{}': {what}", it.name)));
    if it.stage_ref.is_some() {
        return stall(reason::NOT_IMPLEMENTED, "stageRef is not supported yet");
    }
    if let Some(why) = it.chart.as_ref().and_then(chart::problem) {
        return stall(reason::INVALID_POLICY, why);
    }
    let require = it.require.clone().unwrap_or_default();
    let of_image = it.image_policy_ref.is_some();
    let made = it.chart.as_ref().is_some_and(|it| it.source_ref.kind == chart::REPOSITORY);
    if require.verify.is_some() && !of_image && !made {
        let why = "require.verify is of images and charts of HelmRepositories: other sources have a \
                   verify of their own, and nothing of them counts that is not verified";
        return stall(reason::INVALID_POLICY, why);
    }
    let platform = |it: &String| matches!(it.split('/').count(), 2 | 3);
    if let Some(odd) = require.platforms.iter().find(|it| !platform(it)) {
        let why = format!("require.platforms: '{odd}' is not like linux/arm64 or linux/arm/v7");
        return stall(reason::INVALID_POLICY, &why);
    }
    if !require.platforms.is_empty() && !of_image {
        return stall(reason::INVALID_POLICY, "require.platforms is of images");
    }
    Ok(())
}

/// A value that may have to wait until it is old enough.
fn aged(
    it: &Component,
    value: Result<Value, (String, Option<Timestamp>)>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Found, Stop> {
    let least = it.require.as_ref().and_then(|it| it.min_age.as_deref());
    let least = least.map(span).transpose();
    let least = least.map_err(|why| Stop::stall(reason::INVALID_POLICY, why))?;
    let old = least.map(|least| since.saturating_add(least).unwrap_or(Timestamp::MAX));
    let young = old.filter(|old| *old > now);
    let (value, eligible_at) = match (value, young) {
        (Ok(_), Some(old)) => (Err(format!("younger than minAge until {old}")), young),
        (Ok(value), None) => (Ok(value), None),
        (Err((why, again)), _) => (Err(why), again),
    };
    Ok(Found { component: it.name.clone(), value, since: Some(since), eligible_at })
}

/// What an OCIRepository has.
pub(crate) fn artifact(source: Option<Arc<OciRepository>>, name: &str) -> Result<Value, String> {
    let source = source.ok_or_else(|| format!("OCIRepository '{name}' does not exist"))?;
    let artifact = source.status.as_ref().and_then(|it| it.artifact.clone());
    let artifact = artifact.ok_or_else(|| format!("OCIRepository '{name}' has no artifact yet"))?;
    let (tag, digest) = match artifact.revision.split_once('@') {
        Some((tag, digest)) => (Some(tag.to_owned()), digest.to_owned()),
        None => (None, artifact.revision.clone()),
    };
    Ok(Value::Oci { url: source.spec.url.clone(), tag, digest })
}

/// What a GitRepository has.
pub(crate) fn commit(source: Option<Arc<GitRepository>>, name: &str) -> Result<Value, String> {
    let source = source.ok_or_else(|| format!("GitRepository '{name}' does not exist"))?;
    let artifact = source.status.as_ref().and_then(|it| it.artifact.clone());
    let artifact = artifact.ok_or_else(|| format!("GitRepository '{name}' has no artifact yet"))?;
    let id = crate::deploy::commit_of(&artifact.revision);
    let id = id.ok_or_else(|| format!("GitRepository '{name}' has no commit"))?;
    let is_tag =
        source.spec.reference.as_ref().is_some_and(|it| it.tag.is_some() || it.semver.is_some());
    let tag = artifact.revision.split_once('@').map(|(tag, _)| tag.to_owned());
    Ok(Value::Git {
        url: source.spec.url.clone(),
        tag: tag.filter(|_| is_tag),
        commit: id.to_string(),
    })
}

/// The component of a pipeline by its name.
pub(crate) fn named<'a>(pipe: &'a Pipeline, name: &str) -> Option<&'a Component> {
    pipe.spec.components.iter().find(|it| it.name == name)
}
