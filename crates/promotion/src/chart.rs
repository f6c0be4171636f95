//! Charts of a HelmRepository: a HelmChart stands for each such component, as one does for a HelmRelease;
//! whoever reconciles it finds the version and checks the signature.

use api::{
    meta::{READY, Status as _},
    promotion::{ChartSource, Component, PIPELINE, Pipeline, SourceReference},
    source::{HelmChart, HelmChartSpec, LocalHelmChartSourceReference},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams},
};
use pipeline::value::Value;

use crate::{CONTROLLER, component::artifact, deploy, store::Stores};

/// The kind of sources that charts are found in.
pub(crate) const REPOSITORY: &str = "HelmRepository";
/// Time between two looks at a repository, unless the Pipeline says it.
const INTERVAL: &str = "5m";

/// Namespace and name of the HelmChart that tells which version a component has.
pub(crate) fn place(pipe: &Pipeline, component: &Component) -> Option<(String, String)> {
    let it = &component.chart.as_ref()?.source_ref;
    let namespace = it.namespace.clone().filter(|it| !it.is_empty());
    let namespace = namespace.or_else(|| pipe.namespace()).unwrap_or_default();
    if it.kind != REPOSITORY {
        return Some((namespace, it.name.clone()));
    }
    Some((namespace, format!("{}{}", prefix(pipe), component.name)))
}

/// How the name of each HelmChart of a pipeline begins. Neither namespaces nor components have dots: no two
/// of them get one name.
fn prefix(pipe: &Pipeline) -> String {
    format!("promotion.{}.{}.", pipe.namespace().unwrap_or_default(), pipe.name_any())
}

/// Who made a HelmChart, as it says itself.
fn maker(pipe: &Pipeline) -> String {
    format!("{}/{}", pipe.namespace().unwrap_or_default(), pipe.name_any())
}

fn is_of(it: &HelmChart, pipe: &Pipeline) -> bool {
    it.annotations().get(PIPELINE) == Some(&maker(pipe)) && it.name_any().starts_with(&prefix(pipe))
}

fn wanted(pipe: &Pipeline, component: &Component, it: &ChartSource) -> HelmChartSpec {
    HelmChartSpec {
        chart: it.chart.clone().unwrap_or_default(),
        version: Some(it.semver.clone().unwrap_or_else(|| "*".to_owned())),
        source_ref: LocalHelmChartSourceReference {
            api_version: None,
            kind: REPOSITORY.to_owned(),
            name: it.source_ref.name.clone(),
        },
        interval: pipe.spec.interval.clone().unwrap_or_else(|| INTERVAL.to_owned()),
        verify: component.require.as_ref().and_then(|it| it.verify.clone()),
        ..HelmChartSpec::default()
    }
}

/// Sees to it that the HelmChart of a component is there, as the Pipeline's account.
///
/// # Errors
/// Why it cannot be made.
pub(crate) async fn ensure(
    pipe: &Pipeline,
    component: &Component,
    (client, stores): (&Client, &Stores),
) -> Result<(), String> {
    let Some(it) = component.chart.as_ref().filter(|it| it.source_ref.kind == REPOSITORY) else {
        return Ok(());
    };
    let Some((namespace, name)) = place(pipe, component) else { return Ok(()) };
    let spec = wanted(pipe, component, it);
    let there = stores.charts.get(&namespace, &name);
    let same = |there: &HelmChart| {
        let HelmChartSpec { chart, version, source_ref, interval, verify, .. } = &there.spec;
        (chart, version, &source_ref.kind, &source_ref.name, interval, verify)
            == (
                &spec.chart,
                &spec.version,
                &spec.source_ref.kind,
                &spec.source_ref.name,
                &spec.interval,
                &spec.verify,
            )
    };
    match &there {
        Some(there) if !is_of(there, pipe) => {
            return Err(format!("HelmChart '{namespace}/{name}' is of somebody else"));
        }
        Some(there) if same(there) => return Ok(()),
        Some(_) | None => {}
    }
    let chart = HelmChart {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.clone()),
            annotations: Some([(PIPELINE.to_owned(), maker(pipe))].into()),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    };
    let params = PatchParams::apply(CONTROLLER).force();
    let own = pipe.namespace().unwrap_or_default();
    let account = pipe.spec.service_account_name.as_deref();
    let api = Api::<HelmChart>::namespaced(deploy::as_account(client, &own, account), &namespace);
    let made = api.patch(&name, &params, &Patch::Apply(&chart)).await;
    let made = made.map_err(|why| format!("HelmChart '{namespace}/{name}': {why}"))?;
    stores.charts.reached(&made.resource_version().unwrap_or_default()).await;
    Ok(())
}

/// Deletes each HelmChart that was made for a pipeline and that it does not need; all, if it goes. Not as its
/// account, which may be gone before it.
pub(crate) async fn sweep(
    pipe: &Pipeline,
    goes: bool,
    (client, stores): (&Client, &Stores),
) -> Result<(), String> {
    let needed = |it: &HelmChart| {
        let place = Some((it.namespace().unwrap_or_default(), it.name_any()));
        !goes && pipe.spec.components.iter().any(|component| self::place(pipe, component) == place)
    };
    for it in stores.charts.all().iter().filter(|it| is_of(it, pipe) && !needed(it)) {
        let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
        let api: Api<HelmChart> = Api::namespaced(client.clone(), &namespace);
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(why) => return Err(format!("HelmChart '{namespace}/{name}': {why}")),
        }
    }
    Ok(())
}

/// The chart that a component has.
///
/// # Errors
/// What is missing, and what is said about it.
pub(crate) fn value(
    pipe: &Pipeline,
    component: &Component,
    stores: &Stores,
) -> Result<Value, String> {
    let place = place(pipe, component);
    let (namespace, name) = place.ok_or_else(|| "the component is no chart".to_owned())?;
    let kind = component.chart.as_ref().map(|it| it.source_ref.kind.as_str());
    if kind == Some("OCIRepository") {
        return in_registry(stores, &namespace, &name);
    }
    let chart = stores.charts.get(&namespace, &name);
    let chart = chart.ok_or_else(|| format!("HelmChart '{name}' does not exist"))?;
    let status = chart.status.clone().unwrap_or_default();
    let said = status.condition(READY).filter(|it| it.status == "False");
    let said = said.map(|it| format!(": {}", it.message)).unwrap_or_default();
    if kind == Some(REPOSITORY) && status.observed_generation != chart.metadata.generation {
        return Err(format!("HelmChart '{name}' is not looked at yet{said}"));
    }
    let missing = || format!("HelmChart '{name}' has no artifact yet{said}");
    let artifact = status.artifact.clone().ok_or_else(missing)?;
    let source = &chart.spec.source_ref;
    let repository = stores.helm_repositories.get(&namespace, &source.name);
    let repository = repository.filter(|_| source.kind == REPOSITORY);
    let repository = repository
        .ok_or_else(|| format!("HelmChart '{name}' is of no HelmRepository that exists"))?;
    Ok(Value::Chart {
        url: repository.spec.url.clone(),
        name: chart.spec.chart.clone(),
        version: artifact.revision,
        digest: Some(artifact.digest).filter(|it| !it.is_empty()),
    })
}

fn in_registry(stores: &Stores, namespace: &str, name: &str) -> Result<Value, String> {
    let value = artifact(stores.artifacts.get(namespace, name), name)?;
    let Value::Oci { url, tag, digest } = value else {
        return Err(format!("OCIRepository '{name}' has no chart"));
    };
    let (url, chart) = url.rsplit_once('/').unwrap_or(("", &url));
    Ok(Value::Chart {
        url: url.to_owned(),
        name: chart.to_owned(),
        version: tag.unwrap_or_default(),
        digest: Some(digest),
    })
}

/// What is wrong with how a component names its chart.
pub(crate) fn problem(it: &ChartSource) -> Option<&'static str> {
    let SourceReference { kind, .. } = &it.source_ref;
    let of_repository = kind == REPOSITORY;
    match (of_repository, &it.chart, &it.semver) {
        (true, None, _) => Some("chart.chart says which chart of the HelmRepository it is"),
        (false, _, Some(_)) => Some(
            "chart.semver is of HelmRepositories: a HelmChart and an OCIRepository have a range of \
             their own",
        ),
        _ => None,
    }
}
