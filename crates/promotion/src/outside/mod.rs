//! The gates that ask the outside: what each needs from the cluster, and how its answer is told. The
//! asking itself is crate `gate`'s.

mod http;
mod job;
mod metric;
mod status;

use std::{sync::Arc, time::Duration};

use ::http::HeaderMap;
use api::{meta::LocalObjectReference, promotion as v1};
use controller::secret;
use http_client::{Client, Guard, Options, Pool, secret::Secret};
use kube::ResourceExt as _;
use pipeline::gate::{Answer, State};

use crate::gate::{Adapter, Asked};

/// The time for one request.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Between two questions, if the gate does not say.
const INTERVAL: Duration = Duration::from_mins(1);

/// What the adapters work with. Cheap to clone.
#[derive(Clone)]
pub struct Outside {
    /// The API server.
    pub client: kube::Client,
    /// Connections.
    pub pool: Pool,
    /// Where requests that tenants word may go.
    pub guard: Guard,
    /// Git forges.
    pub forge: forge::Forge,
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
}

impl Outside {
    /// An adapter for each type of gate that asks the outside; a new one is a line here.
    pub fn adapters(&self) -> Vec<Arc<dyn Adapter>> {
        vec![
            Arc::new(status::CommitStatus(self.clone())),
            Arc::new(http::Http(self.clone())),
            Arc::new(metric::Metric(self.clone())),
            Arc::new(job::Job(self.clone())),
        ]
    }

    /// The headers with the credentials that a Secret holds.
    async fn login(
        &self,
        namespace: &str,
        reference: Option<&LocalObjectReference>,
    ) -> Result<HeaderMap, String> {
        let Some(reference) = reference else { return Ok(HeaderMap::new()) };
        let data = self.secret(namespace, &reference.name).await?;
        let name = format!("{namespace}/{}", reference.name);
        gate::login::headers(Secret { name: &name, data: &data })
    }

    /// Connections that are made with the certificates that a Secret holds.
    async fn connect(
        &self,
        namespace: &str,
        certificates: Option<&LocalObjectReference>,
    ) -> Result<Client, String> {
        let mut options = Options::default();
        if let Some(reference) = certificates {
            let data = self.secret(namespace, &reference.name).await?;
            let name = format!("{namespace}/{}", reference.name);
            let tls = http_client::secret::tls(Secret { name: &name, data: &data })
                .map_err(|why| why.to_string())?;
            options.roots = tls.ca.map_or_else(Default::default, http_client::Roots::Only);
            options.identity = tls.identity;
        }
        self.pool.guarded(&options, &self.guard).map_err(|why| why.to_string())
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<secret::Data, String> {
        secret::read(&self.client, namespace, name).await.map_err(|why| why.to_string())
    }
}

fn before(asked: &Asked) -> gate::Before {
    // A result that is not fresh any more is found out anew.
    let open = asked.before.as_ref().filter(|it| it.state == State::Pending);
    open.map_or_else(gate::Before::default, |it| gate::Before {
        attempt: it.attempt,
        evidence: it.evidence.clone(),
    })
}

fn answer(it: gate::Answer) -> Answer {
    let state = match it.state {
        gate::State::Pending => State::Pending,
        gate::State::Passed => State::Passed,
        gate::State::Failed => State::Failed,
        gate::State::Error => State::Error,
    };
    let gate::Answer { message, next_check, attempt, evidence, .. } = it;
    Answer { state, message, next_check, attempt, evidence }
}

/// An answer that something in the cluster is missing or not right; it is looked again.
fn waiting(why: String, asked: &Asked) -> Answer {
    let next_check = asked.now.checked_add(INTERVAL).ok();
    Answer { message: why, next_check, ..Answer::default() }
}

fn interval(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(INTERVAL) };
    let it = api::duration::parse(text).map_err(|why| why.to_string())?;
    Ok(it.max(Duration::from_secs(1)))
}

fn limit(number: Option<i32>, default: u32) -> u32 {
    number.map_or(default, |it| u32::try_from(it).unwrap_or_default())
}

fn namespace(asked: &Asked) -> String {
    asked.promotion.namespace().unwrap_or_default()
}

/// What tells this gate of this promotion from all others.
fn key(asked: &Asked) -> String {
    format!("{}/{}", asked.promotion.uid().unwrap_or_default(), asked.name)
}

/// The display forms of the values of a bundle's components, by name.
fn values(bundle: &v1::Bundle) -> Vec<(String, String)> {
    let text = |name: &str, tag: Option<&String>, digest: Option<&String>| {
        let tag = tag.map(|it| format!(":{it}")).unwrap_or_default();
        let digest = digest.map(|it| format!("@{it}")).unwrap_or_default();
        format!("{name}{tag}{digest}")
    };
    let value = |it: &v1::BundleComponent| match (&it.image, &it.chart, &it.oci, &it.git) {
        (Some(it), ..) => text(&it.name, Some(&it.tag), it.digest.as_ref()),
        (_, Some(it), ..) => text(&it.name, Some(&it.version), it.digest.as_ref()),
        (_, _, Some(it), _) => text(&it.url, it.tag.as_ref(), Some(&it.digest)),
        (_, _, _, Some(it)) => it.commit.clone(),
        (None, None, None, None) => String::new(),
    };
    bundle.spec.components.iter().map(|it| (it.name.clone(), value(it))).collect()
}
