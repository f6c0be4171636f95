//! The `commitStatus` gate.

use api::{
    promotion::{CommitStatusGate, CommitStatusOn},
    source::GitRepository,
};
use futures::{FutureExt as _, future::BoxFuture};
use gate::status::{Gate, Said, Verdict};
use kube::{Api, ResourceExt as _};
use pipeline::gate::{Answer, Kind};

use super::{INTERVAL, Outside, answer, before, namespace, waiting};
use crate::{
    branch,
    gate::{Adapter, Asked},
    provider::{Provider, Reach},
    stage::config,
};

pub(super) struct CommitStatus(pub(super) Outside);

impl Adapter for CommitStatus {
    fn kind(&self) -> Kind {
        Kind::CommitStatus
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        async move { self.answer(asked).await.unwrap_or_else(|why| waiting(why, asked)) }.boxed()
    }
}

impl CommitStatus {
    async fn answer(&self, asked: &Asked) -> Result<Answer, String> {
        let spec = asked.gate.commit_status.clone().unwrap_or_default();
        let mut said = Vec::new();
        let commits = self.commits(&spec, asked).await?;
        let gate = Gate {
            contexts: spec.contexts,
            creators: spec.creators,
            interval: INTERVAL.min(std::time::Duration::from_secs(30)),
        };
        for (address, commit) in commits {
            said = self.said(&address, &commit, asked).await?;
            let found = gate::status::evaluate(&gate, &said, &before(asked), asked.now);
            if found.state != gate::State::Passed {
                return Ok(answer(found));
            }
        }
        Ok(answer(gate::status::evaluate(&gate, &said, &before(asked), asked.now)))
    }

    /// The commits that are looked at, with the Git addresses of their repositories.
    async fn commits(
        &self,
        spec: &CommitStatusGate,
        asked: &Asked,
    ) -> Result<Vec<(String, String)>, String> {
        let status = asked.promotion.status.clone().unwrap_or_default();
        let commit = match spec.on.unwrap_or_default() {
            CommitStatusOn::SourceRevision => return sources(spec, asked),
            CommitStatusOn::PromotionCommit => asked.commit.clone(),
            CommitStatusOn::PullRequestHead => status.pull_request.and_then(|it| it.head),
        };
        let commit = commit.ok_or("there is no such commit yet")?;
        Ok(vec![(self.home(asked).await?, commit)])
    }

    /// The Git address of the repository that the stage writes to.
    async fn home(&self, asked: &Asked) -> Result<String, String> {
        let key = branch::repository_key(&asked.stage, &asked.pipeline);
        let (namespace, name) = key.ok_or("no repository is named")?;
        let all: Api<GitRepository> = Api::namespaced(self.0.client.clone(), &namespace);
        Ok(all.get(&name).await.map_err(|why| why.to_string())?.spec.url)
    }

    async fn said(&self, address: &str, commit: &str, asked: &Asked) -> Result<Vec<Said>, String> {
        let push = config::push(&asked.stage, &asked.pipeline, false);
        let (namespace, promotion) = (namespace(asked), asked.promotion.name_any());
        let reach = Reach {
            client: &self.0.client,
            forge: &self.0.forge,
            guard: &self.0.guard,
            promotion: (&namespace, &promotion),
        };
        let open = async |address: &str| {
            Provider::open(&push, address, &reach).await.map_err(|why| why.to_string())
        };
        let provider = open(address).await?;
        // Who builds an image says where its source is; the login is for the stage's own forge alone.
        let home = self.home(asked).await?;
        let api = &provider.repository.api;
        if open(&home).await?.repository.api != *api || host(&home) != host(address) {
            return Err(format!("{api} is not the forge of the stage's repository"));
        }
        let caller = provider.caller();
        let all = provider.forge.statuses(&provider.access(&caller), commit).await;
        Ok(all.map_err(|why| why.to_string())?.into_iter().map(said).collect())
    }
}

/// What images say about where they were built from.
fn sources(spec: &CommitStatusGate, asked: &Asked) -> Result<Vec<(String, String)>, String> {
    let wanted = spec.component.as_deref();
    let components = asked.bundle.spec.components.iter();
    let meant = components.filter(|it| wanted.is_none_or(|name| it.name == name));
    let found: Vec<_> = meant
        .filter_map(|it| it.image.as_ref())
        .filter_map(|it| Some((it.source.clone()?, it.revision.clone()?)))
        .collect();
    if found.is_empty() {
        return Err("no image tells its source and revision by its labels".to_owned());
    }
    Ok(found)
}

fn said(it: forge::CommitStatus) -> Said {
    let verdict = match it.state {
        forge::Verdict::Pending => Verdict::Pending,
        forge::Verdict::Success => Verdict::Success,
        forge::Verdict::Failure | forge::Verdict::Error => Verdict::Failure,
    };
    Said { context: it.context, verdict, creator: it.creator, url: it.url }
}

/// The host of a Git address.
fn host(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.split_once('/').map_or(rest, |(host, _)| host);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.split(':').next().unwrap_or_default().to_lowercase()
}
