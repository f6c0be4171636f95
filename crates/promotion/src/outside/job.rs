//! The `job` gate.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use gate::{Measured, Rule, job};
use k8s_openapi::api::batch::v1;
use kube::{Api, ResourceExt as _, api::PostParams};
use pipeline::gate::{Answer, Kind, State};

use super::{INTERVAL, Outside, answer, before, limit, namespace, values};
use crate::{
    deploy,
    gate::{Adapter, Asked},
};

/// Between two looks at a Job that runs.
const LOOK: Duration = Duration::from_secs(5);

pub(super) struct Job(pub(super) Outside);

impl Adapter for Job {
    fn kind(&self) -> Kind {
        Kind::Job
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        async move { self.answer(asked).await.unwrap_or_else(|why| missing(why, asked)) }.boxed()
    }
}

impl Job {
    /// Makes the Job if it is not there, as the Pipeline's account, and looks how it stands.
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let spec = asked.gate.job.clone().unwrap_or_default();
        let (namespace, promotion) = (namespace(asked), &asked.promotion);
        let (name, uid) = (promotion.name_any(), promotion.uid().unwrap_or_default());
        let attempt = attempt(asked);
        let environment = environment(asked);
        let gate = job::Gate {
            name: &asked.name,
            template: &spec.template,
            service_account: spec.service_account_name.as_deref(),
            namespace: &namespace,
            owner: ("promotion.sluice.dev/v1alpha1", &name, &uid),
            attempt,
            environment: &environment,
        };
        let account = asked.pipeline.spec.service_account_name.as_deref();
        let client = deploy::as_account(&self.0.client, &namespace, account);
        let jobs: Api<v1::Job> = Api::namespaced(client, &namespace);
        let there = ensure(&jobs, &gate).await?;
        let owners = there.owner_references();
        if owners.iter().all(|it| it.uid != uid) {
            return Err(format!("Job {} is of somebody else", there.name_any()));
        }
        let there = serde_json::to_value(&there).map_err(|why| why.to_string())?;
        let mut found = answer(job::evaluate(&there));
        found.attempt = attempt;
        if found.state == State::Pending {
            found.next_check = asked.now.checked_add(LOOK).ok();
        }
        Ok(found)
    }
}

/// Which Job it is: one whose result is not fresh any more is followed by another one.
fn attempt(asked: &Asked) -> u32 {
    asked.before.as_ref().map_or(1, |it| match it.state {
        State::Pending => it.attempt.max(1),
        _ => it.attempt.saturating_add(1),
    })
}

/// A Job that does not come about is tried again, more and more seldom, and not without end.
fn missing(why: String, asked: &Asked) -> Answer {
    let given = asked.gate.job.as_ref().and_then(|it| it.error_limit);
    let rule =
        Rule { count: 1, failure_limit: 0, error_limit: limit(given, 3), interval: INTERVAL };
    let found = rule.count(&Measured::Unknown(why, None), &before(asked), asked.now);
    Answer { attempt: attempt(asked), ..answer(found) }
}

/// The Job of this attempt, made now if it is not there.
async fn ensure(jobs: &Api<v1::Job>, gate: &job::Gate<'_>) -> Result<v1::Job, String> {
    let name = job::name(gate);
    let failed = |why: kube::Error| format!("Job {name}: {why}");
    if let Some(there) = jobs.get_opt(&name).await.map_err(failed)? {
        return Ok(there);
    }
    let wanted = serde_json::from_value(job::manifest(gate)?)
        .map_err(|why| format!("the template is no Job: {why}"))?;
    match jobs.create(&PostParams::default(), &wanted).await {
        // Made by a turn that ended before it could tell.
        Err(kube::Error::Api(it)) if it.code == 409 => jobs.get(&name).await.map_err(failed),
        made => made.map_err(failed),
    }
}

fn environment(asked: &Asked) -> Vec<(String, String)> {
    let mut all = vec![
        ("STAGE".to_owned(), asked.stage.name_any()),
        ("BUNDLE".to_owned(), asked.bundle.name_any()),
        ("COMMIT".to_owned(), asked.commit.clone().unwrap_or_default()),
    ];
    let name = |text: &str| {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        format!("COMPONENT_{}", text.chars().map(letter).collect::<String>())
    };
    all.extend(values(&asked.bundle).iter().map(|(key, value)| (name(key), value.clone())));
    all
}
