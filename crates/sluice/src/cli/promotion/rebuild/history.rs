//! What the commits of promotions say.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow};
use api::{
    promotion::{Pipeline, Stage},
    source::GitRepository,
};
use cloud::{CacheOptions, Cloud, Endpoints};
use forge::Forge;
use git::{Limits, Mirrors, Network, Trust, Want};
use http_client::Pool;
use jiff::Timestamp;
use kube::{Api, ResourceExt as _};
use tempfile::TempDir;

use crate::cli::promotion::place::Place;

/// How many commits are looked through.
const COMMITS: usize = 200_000;

/// Whose commits count.
pub(in crate::cli::promotion) enum Trusted {
    /// Everybody's.
    All,
    /// Those with a signature by one of these keys.
    Keys(Trust),
}

impl Trusted {
    pub(in crate::cli::promotion) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path);
        let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self::Keys(Trust::from_secret(&BTreeMap::from([(name, bytes)]))))
    }
}

/// One commit of a promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli::promotion) struct Record {
    pub(in crate::cli::promotion) commit: String,
    pub(in crate::cli::promotion) branch: String,
    pub(in crate::cli::promotion) at: Timestamp,
    /// What people call the bundle.
    pub(in crate::cli::promotion) label: String,
    /// Namespace and name.
    pub(in crate::cli::promotion) stage: String,
    pub(in crate::cli::promotion) name: String,
    pub(in crate::cli::promotion) bundle: String,
    pub(in crate::cli::promotion) kind: String,
    pub(in crate::cli::promotion) reason: Option<String>,
    /// Names and values of the components.
    pub(in crate::cli::promotion) components: Vec<(String, String)>,
    /// Names of the gates, and what they said.
    pub(in crate::cli::promotion) gates: Vec<(String, String)>,
    pub(in crate::cli::promotion) approvals: Vec<String>,
    pub(in crate::cli::promotion) rolls_back: Option<String>,
}

impl Record {
    /// Reads a message; nothing if it is not that of a promotion.
    pub(in crate::cli::promotion) fn parse(message: &str) -> Option<Self> {
        let subject = message.lines().next()?;
        let label = subject.split_once(": ")?.1.rsplit_once(" to ")?.0;
        let mut it = Self { label: label.to_owned(), ..Self::default() };
        let mut is_promotion = false;
        // Trailers are the last paragraph.
        let trailers = message.trim_end().rsplit("\n\n").next()?;
        for (key, value) in trailers.lines().filter_map(|line| line.split_once(": ")) {
            let value = value.to_owned();
            match key {
                "Promotion-Id" => is_promotion = true,
                "Promotion-Stage" => it.stage = value,
                "Promotion-Name" => it.name = value,
                "Promotion-Bundle" => it.bundle = value,
                "Promotion-Kind" => it.kind = value,
                "Promotion-Reason" => it.reason = Some(value),
                "Approved-By" => it.approvals.push(value),
                "Rolls-Back" => it.rolls_back = Some(value),
                _ => {
                    if let Some(name) = key.strip_prefix("Component-") {
                        it.components.push((name.to_owned(), value));
                    } else if let Some(name) = key.strip_prefix("Gate-") {
                        it.gates.push((name.to_owned(), value));
                    }
                }
            }
        }
        let whole = is_promotion && !it.stage.is_empty() && !it.bundle.is_empty();
        whole.then_some(it)
    }
}

/// The branches that stages write to, each read once.
pub(in crate::cli::promotion) struct Branches {
    place: Place,
    mirrors: Mirrors,
    cloud: Cloud,
    forge: Forge,
    known: HashMap<(String, String, String), Vec<Record>>,
    // Removed last.
    _folder: TempDir,
}

impl Branches {
    pub(in crate::cli::promotion) fn open(place: &Place) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let network = Network::new(git::Options::default());
        let mirrors = Mirrors::open(folder.path(), Limits::default(), network)?;
        let pool = Pool::new(concat!("sluice/", env!("CARGO_PKG_VERSION")));
        let now: cloud::Clock = Arc::new(Timestamp::now);
        let options = CacheOptions::default();
        let cloud = Cloud::new(
            std::env::vars().collect(),
            Endpoints::default(),
            pool.clone(),
            options.clone(),
            Arc::clone(&now),
        );
        let forge = Forge::new(pool, now, options);
        let place = Place { client: place.client.clone(), namespace: place.namespace.clone() };
        Ok(Self { place, mirrors, cloud, forge, known: HashMap::new(), _folder: folder })
    }

    /// The commits of a stage's promotions, oldest first.
    pub(in crate::cli::promotion) async fn records(
        &mut self,
        stage: &Stage,
        pipe: &Pipeline,
        trusted: &Trusted,
    ) -> Result<Vec<Record>> {
        let own = stage.namespace().unwrap_or_default();
        let edit = stage.spec.edit.clone().unwrap_or_default();
        let git = pipe.spec.git.as_ref();
        let source = edit.source_ref.as_ref().or_else(|| git.map(|it| &it.source_ref));
        let source = source.with_context(|| format!("{} names no repository", pipe.name_any()))?;
        let namespace = source.namespace.clone().unwrap_or_else(|| own.clone());
        let all = Api::<GitRepository>::namespaced(self.place.client.clone(), &namespace);
        let found = all.get_opt(&source.name).await.context("cannot read the GitRepository")?;
        let repository = found
            .with_context(|| format!("there is no GitRepository {namespace}/{}", source.name))?;
        let branch = edit.branch.or_else(|| git.and_then(|it| it.branch.clone()));
        let branch = branch.or_else(|| repository.spec.reference.as_ref()?.branch.clone());
        let branch = branch.unwrap_or_else(|| "master".to_owned());
        let key = (namespace, source.name.clone(), branch.clone());
        if !self.known.contains_key(&key) {
            let read = self.read(&repository, &branch, trusted).await;
            let read = read.with_context(|| format!("cannot read branch {branch}"))?;
            self.known.insert(key.clone(), read);
        }
        let wanted = format!("{own}/{}", stage.name_any());
        let all = self.known.get(&key).into_iter().flatten();
        Ok(all.filter(|it| it.stage == wanted).cloned().collect())
    }

    async fn read(
        &self,
        repository: &GitRepository,
        branch: &str,
        trusted: &Trusted,
    ) -> Result<Vec<Record>> {
        let access = repository::Access {
            client: &self.place.client,
            cloud: &self.cloud,
            forge: &self.forge,
            kind: "Stage",
            name: "rebuild",
            namespace: &self.place.namespace,
        };
        let remote = repository::remote(repository, &access).await;
        let remote = remote.map_err(|why| anyhow!("{why}"))?;
        let want = Want::branch(branch).with_history();
        let fetched = self.mirrors.fetch(&self.place.namespace, &remote, &want).await?;
        let head = fetched.commit(&format!("refs/heads/{branch}"));
        let head = fetched.snapshot(head.context("the branch does not exist")?).await?;
        let log = head.log(COMMITS).await?.context("the history is too long")?;
        let now = Timestamp::now().as_second();
        let mut records = Vec::new();
        for commit in log.into_iter().rev() {
            let Some(record) = Record::parse(&commit.message) else { continue };
            if let Trusted::Keys(keys) = trusted
                && head.signed(commit.id).await?.verify(keys, now).is_err()
            {
                continue;
            }
            let at = Timestamp::from_second(commit.committed)?;
            let (commit, branch) = (commit.id.to_string(), branch.to_owned());
            records.push(Record { commit, branch, at, ..record });
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let message = "promote(shop): 1.8.3 to prod\n\napi 1.8.1 -> 1.8.3\n\nPromotion-Id: 5b0c/0\n\
            Promotion-Name: prod-k3-1\nPromotion-Stage: flux-system/prod\nPromotion-Bundle: shop-k3\n\
            Promotion-From: staging@9f1c2e7\nPromotion-Kind: Manual\nPromotion-Reason: fair: now\n\
            Component-api: ghcr.io/x/api:1.8.3@sha256:11\nGate-signoff: passed: 1 of 1; bob\n\
            Approved-By: bob 2026-09-01T08:12:40Z\nRolls-Back: prod-a81-1\n";
        let it = Record::parse(message).unwrap();
        assert_eq!((it.label.as_str(), it.name.as_str()), ("1.8.3", "prod-k3-1"));
        assert_eq!((it.kind.as_str(), it.stage.as_str()), ("Manual", "flux-system/prod"));
        assert_eq!(it.reason.as_deref(), Some("fair: now"));
        let api = ("api".to_owned(), "ghcr.io/x/api:1.8.3@sha256:11".to_owned());
        assert_eq!(it.components, [api]);
        assert_eq!(it.gates, [("signoff".to_owned(), "passed: 1 of 1; bob".to_owned())]);
        assert_eq!(it.rolls_back.as_deref(), Some("prod-a81-1"));
        assert_eq!(Record::parse("fix: a to b\n\nPromotion-Stage: a/b\n"), None);
        assert_eq!(Record::parse(""), None);
    }
}
