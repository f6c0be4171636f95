//! Whether what a bundle holds can be had.

use api::promotion::{
    ADOPTED, Bundle, BundleComponent, Component, GitValue, ImageValue, OciValue, Pipeline,
};
use git::Id;
use jiff::Timestamp;
use kube::ResourceExt as _;
use pipeline::value::bundle_name;

use crate::{
    Context, chart, component,
    origin::{self, Origin, Unknown},
    store::Stores,
    tree, value,
};

/// Looks for everything a bundle holds. At `first` it must be what it says it is: anybody may have
/// written that down; later it must merely still be there.
pub(crate) async fn available(
    it: &Bundle,
    (context, stores): (&Context, &Stores),
    (first, now): (bool, Timestamp),
) -> Result<(), Unknown> {
    let namespace = it.namespace().unwrap_or_default();
    let pipe = stores.pipelines.get(&namespace, &it.spec.pipeline_ref.name);
    let pipe = pipe.ok_or_else(|| {
        Unknown::Later(format!("Pipeline '{}' does not exist", it.spec.pipeline_ref.name))
    })?;
    let adopted = it.labels().get(ADOPTED).is_some_and(|it| it == "true");
    let name = bundle_name(&pipe.name_any(), &value::to_parts(&it.spec.components));
    if name != it.name_any() {
        return Err(Unknown::Gone(format!("a bundle of these values must be called {name}")));
    }
    let look = Look { context, stores, pipe: &pipe, claims: first && !adopted, now };
    for component in &it.spec.components {
        let spec = component::named(&pipe, &component.name).ok_or_else(|| {
            Unknown::Gone(format!("the Pipeline has no component '{}'", component.name))
        })?;
        look.component(spec, component).await.map_err(|why| match why {
            Unknown::Gone(why) => Unknown::Gone(format!("{}: {why}", component.name)),
            Unknown::Later(why) => Unknown::Later(format!("{}: {why}", component.name)),
        })?;
    }
    Ok(())
}

struct Look<'a> {
    context: &'a Context,
    stores: &'a Stores,
    pipe: &'a Pipeline,
    /// Whether what it claims must be true now, such as that a tag stands for a digest.
    claims: bool,
    now: Timestamp,
}

impl Look<'_> {
    async fn component(&self, spec: &Component, it: &BundleComponent) -> Result<(), Unknown> {
        match (&it.image, &it.oci, &it.git) {
            (Some(image), ..) => self.image(spec, image).await,
            (_, Some(oci), _) => self.oci(spec, oci),
            (_, _, Some(git)) => self.git(spec, git).await,
            (None, None, None) => self.chart(spec, it),
        }
    }

    fn place(&self, named: Option<&String>) -> String {
        let own = || self.pipe.namespace().unwrap_or_default();
        named.filter(|it| !it.is_empty()).cloned().unwrap_or_else(own)
    }

    async fn image(&self, spec: &Component, it: &ImageValue) -> Result<(), Unknown> {
        let later = |why: &str| Unknown::Later(why.to_owned());
        let policy = spec.image_policy_ref.as_ref();
        let policy = policy.ok_or_else(|| Unknown::Gone("the component is no image".to_owned()))?;
        let found = self.stores.policies.get(&self.place(policy.namespace.as_ref()), &policy.name);
        let repository = found.and_then(|it| origin::repository_of(&it, self.stores));
        let repository = repository.ok_or_else(|| later("its ImageRepository does not exist"))?;
        if self.claims && repository.spec.image != it.name {
            let text = format!("{} is not the image of the component", it.name);
            return Err(Unknown::Gone(text));
        }
        // One that was read from files may be of another repository, and be known by its tag only.
        if repository.spec.image != it.name {
            return Ok(());
        }
        let origin = Origin::open(&repository, self.context).await?;
        let Some(digest) = &it.digest else {
            if self.claims {
                return Err(Unknown::Gone(format!("{}:{} has no digest", it.name, it.tag)));
            }
            return origin.digest(&it.tag).await.map(drop);
        };
        if self.claims && !it.tag.is_empty() {
            let stands_for = origin.digest(&it.tag).await?;
            if stands_for != *digest {
                let text = format!("{}:{} is {stands_for}, not {digest}", it.name, it.tag);
                return Err(Unknown::Gone(text));
            }
            return origin.fits(digest, (spec, self.pipe), self.now).await.map_err(
                |why| match why {
                    Unknown::Gone(why) => Unknown::Gone(format!("{}:{} {why}", it.name, it.tag)),
                    Unknown::Later(why) => Unknown::Later(format!("{}:{}: {why}", it.name, it.tag)),
                },
            );
        }
        origin.digest(digest).await.map(drop)
    }

    fn oci(&self, spec: &Component, it: &OciValue) -> Result<(), Unknown> {
        let named = spec.oci_ref.as_ref();
        let named =
            named.ok_or_else(|| Unknown::Gone("the component is no artifact".to_owned()))?;
        if !self.claims {
            return Ok(());
        }
        let source = self.stores.artifacts.get(&self.place(named.namespace.as_ref()), &named.name);
        let now = component::artifact(source, &named.name).map_err(Unknown::Later)?;
        let want = pipeline::value::Value::Oci {
            url: it.url.clone(),
            tag: it.tag.clone(),
            digest: it.digest.clone(),
        };
        if now == want {
            return Ok(());
        }
        Err(Unknown::Gone(format!("OCIRepository '{}' has {}", named.name, now.text())))
    }

    fn chart(&self, spec: &Component, it: &BundleComponent) -> Result<(), Unknown> {
        let named = spec.chart.as_ref();
        let named = named.ok_or_else(|| Unknown::Gone("the component is no chart".to_owned()))?;
        if !self.claims {
            return Ok(());
        }
        let now = chart::value(self.pipe, spec, self.stores).map_err(Unknown::Later)?;
        if value::to_part(it).is_some_and(|it| it.value == now) {
            return Ok(());
        }
        let name = &named.source_ref.name;
        Err(Unknown::Gone(format!("{} '{name}' has {}", named.source_ref.kind, now.text())))
    }

    async fn git(&self, spec: &Component, it: &GitValue) -> Result<(), Unknown> {
        let named = spec.git_ref.as_ref();
        let named = named.ok_or_else(|| Unknown::Gone("the component is no commit".to_owned()))?;
        let namespace = self.place(named.namespace.as_ref());
        let source = self.stores.repositories.get(&namespace, &named.name);
        let source = source.ok_or_else(|| {
            Unknown::Later(format!("GitRepository '{}' does not exist", named.name))
        })?;
        if self.claims && source.spec.url != it.url {
            return Err(Unknown::Gone(format!("{} is not the repository", it.url)));
        }
        let Ok(id) = it.commit.parse::<Id>() else {
            return Err(Unknown::Gone(format!("'{}' is no commit", it.commit)));
        };
        tree::holds(&source, id, self.context).await
    }
}
