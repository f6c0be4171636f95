//! The `commitStatus` gate.

use api::{
    promotion::{CommitStatusGate, CommitStatusOn},
    source::GitRepository,
};
use forge::{Access, Caller, InvolvedObject, Kind as Forge, Login, Repository};
use futures::{FutureExt as _, future::BoxFuture};
use gate::status::{Gate, Said, Verdict};
use http_client::{Options, secret::Secret};
use kube::{Api, ResourceExt as _};
use pipeline::gate::{Answer, Kind};

use super::{INTERVAL, Outside, TIMEOUT, answer, before, namespace, waiting};
use crate::{
    branch,
    gate::{Adapter, Asked},
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
        let push = asked.stage.spec.push.clone().unwrap_or_default();
        let provider = push.provider.as_deref();
        let provider = provider.ok_or("push.provider does not say what kind of forge it is")?;
        let kind: Forge = provider.parse().map_err(|why: forge::Error| why.to_string())?;
        let of = |address: &str| {
            Repository::new(kind, address, push.address.as_deref()).map_err(|why| why.to_string())
        };
        let repository = of(address)?;
        // Who builds an image says where its source is; the login is for the stage's own forge alone.
        let home = self.home(asked).await?;
        if of(&home)?.api != repository.api || host(&home) != host(address) {
            return Err(format!("{} is not the forge of the stage's repository", repository.api));
        }
        let secret = push.secret_ref.ok_or("push.secretRef does not say how to log in")?;
        let namespace = namespace(asked);
        let name = format!("{namespace}/{}", secret.name);
        let data = self.0.secret(&namespace, &secret.name).await?;
        let login = Login::parse(Secret { name: &name, data: &data });
        let login = login.map_err(|why| why.to_string())?;
        let promotion = asked.promotion.name_any();
        let object = InvolvedObject {
            kind: "Promotion",
            name: &promotion,
            namespace: &namespace,
            operation: "reconcile",
        };
        let access = Access {
            repository: &repository,
            login: &login,
            caller: &Caller { tenant: &namespace, object },
            http: &Options::default(),
            timeout: TIMEOUT,
        };
        let all = self.0.forge.statuses(&access, commit).await.map_err(|why| why.to_string())?;
        Ok(all.into_iter().map(said).collect())
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
