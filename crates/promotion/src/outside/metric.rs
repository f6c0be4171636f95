//! The `metric` gate.

use api::{
    meta::{LocalObjectReference, NamespacedObjectReference},
    promotion::{MetricGate, Prometheus},
};
use futures::{FutureExt as _, future::BoxFuture};
use gate::{Rule, http::Context, metric::Gate};
use gotemplate::{FuncSet, Function, Limits, Options, Template};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use pipeline::gate::{Answer, Kind};
use serde::Deserialize;

use super::{Outside, TIMEOUT, answer, before, interval, key, limit, namespace, waiting};
use crate::{
    deploy,
    gate::{Adapter, Asked},
};

/// The steps and bytes that a query's template may use.
const LIMITS: (u64, u64) = (100_000, 64 << 10);

pub(super) struct Metric(pub(super) Outside);

impl Adapter for Metric {
    fn kind(&self) -> Kind {
        Kind::Metric
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        async move { self.answer(asked).await.unwrap_or_else(|why| waiting(why, asked)) }.boxed()
    }
}

/// Flagger's `MetricTemplate`, as far as it says something here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    provider: Provider,
    query: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Provider {
    #[serde(rename = "type")]
    kind: String,
    address: String,
    secret_ref: Option<LocalObjectReference>,
    insecure_skip_verify: bool,
}

impl Metric {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let spec = asked.gate.metric.clone().unwrap_or_default();
        let (server, query) = self.server(&spec, asked).await?;
        let namespace = namespace(asked);
        let client = self.0.connect(&namespace, server.cert_secret_ref.as_ref()).await?;
        let gate = Gate {
            headers: self.0.login(&namespace, server.secret_ref.as_ref()).await?,
            address: server.address,
            query,
            success_if: spec.success_if,
            rule: Rule {
                count: limit(spec.count, 1),
                failure_limit: limit(spec.failure_limit, 0),
                error_limit: limit(spec.error_limit, 3),
                interval: interval(spec.interval.as_deref())?,
            },
        };
        let (guard, key) = (&self.0.guard, key(asked));
        let context =
            Context { client: &client, guard, key: &key, timeout: TIMEOUT, now: asked.now };
        Ok(answer(gate::metric::ask(&gate, &before(asked), &context).await))
    }

    /// Which Prometheus is asked what.
    async fn server(
        &self,
        spec: &MetricGate,
        asked: &Asked,
    ) -> Result<(Prometheus, String), String> {
        if let Some(server) = &spec.prometheus {
            return Ok((server.clone(), spec.query.clone().ok_or("a Prometheus needs a query")?));
        }
        let reference = spec.metric_template_ref.as_ref();
        let reference = reference.ok_or("neither prometheus nor metricTemplateRef is set")?;
        let (template, is_own) = self.template(reference, asked).await?;
        let Provider { kind, address, secret_ref, insecure_skip_verify } = template.provider;
        let refused = |why: &str| Err(format!("MetricTemplate '{}': {why}", reference.name));
        if kind != "prometheus" {
            return refused("its provider is no prometheus");
        }
        if insecure_skip_verify {
            return refused("certificates are checked whatever insecureSkipVerify says");
        }
        if secret_ref.is_some() && !is_own {
            return refused("its Secret is in another namespace");
        }
        // The gate's own query takes the place of the template's.
        let query = match &spec.query {
            Some(own) => own.clone(),
            None => worded(&template.query, spec, asked)?,
        };
        Ok((Prometheus { address, secret_ref, cert_secret_ref: None }, query))
    }

    /// Reads a `MetricTemplate` as the Pipeline's account, and whether it is of the promotion's namespace.
    async fn template(
        &self,
        reference: &NamespacedObjectReference,
        asked: &Asked,
    ) -> Result<(Spec, bool), String> {
        let own = namespace(asked);
        let place = reference.namespace.clone().filter(|it| !it.is_empty());
        let place = place.unwrap_or_else(|| own.clone());
        let full = format!("MetricTemplate '{place}/{}'", reference.name);
        if self.0.no_cross_namespace_refs && place != own {
            return Err(format!("{full}: cross-namespace references have been blocked"));
        }
        let account = asked.pipeline.spec.service_account_name.as_deref();
        let client = deploy::as_account(&self.0.client, &own, account);
        let kind = GroupVersionKind::gvk("flagger.app", "v1beta1", "MetricTemplate");
        let resource = ApiResource::from_gvk_with_plural(&kind, "metrictemplates");
        let api: Api<DynamicObject> = Api::namespaced_with(client, &place, &resource);
        let found = api.get_opt(&reference.name).await.map_err(|why| format!("{full}: {why}"))?;
        let found = found.ok_or_else(|| format!("{full} does not exist"))?;
        let spec = found.data.get("spec").cloned().unwrap_or_default();
        let spec = serde_json::from_value(spec).map_err(|why| format!("{full}: {why}"))?;
        Ok((spec, place == own))
    }
}

/// A query with Flagger's functions: what is promoted stands for the canary.
fn worded(query: &str, spec: &MetricGate, asked: &Asked) -> Result<String, String> {
    let constant = |text: String| {
        Function::new("-> string", move |_| Ok(gotemplate::Value::from(text.as_str())))
    };
    let stage = asked.stage.name_any();
    let every = spec.interval.clone().unwrap_or_else(|| "1m".to_owned());
    let functions = FuncSet::builtin()
        .with("namespace", constant(namespace(asked)))
        .with("name", constant(stage.clone()))
        .with("target", constant(stage.clone()))
        .with("service", constant(stage))
        .with("interval", constant(every));
    let failed = |why: gotemplate::Error| format!("the MetricTemplate's query: {why}");
    let template = Template::parse("query", query, &functions).map_err(failed)?;
    let (steps, bytes) = LIMITS;
    let limits = Limits { steps, bytes, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    template.execute(&gotemplate::Value::Nil, &options).map_err(failed)
}
