//! Waiting for what stages and promotions say, and asking as somebody.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use api::promotion::{
    GateState, Phase, Promotion, PromotionKind, PromotionSpec, STAGE, Stage, StageStatus,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

use super::{shop, watch::wait};

/// Looks at the stages of the demo, as the administrator.
pub(super) struct Stages {
    client: Client,
    all: Api<Stage>,
    promotions: Api<Promotion>,
}

/// What came to a stage.
pub(super) struct Arrival {
    pub(super) stage: StageStatus,
    pub(super) promotion: Promotion,
    pub(super) commit: String,
}

impl Stages {
    pub(super) fn start(client: Client) -> Self {
        let all = Api::namespaced(client.clone(), shop::NAME);
        let promotions = Api::namespaced(client.clone(), shop::NAME);
        Self { client, all, promotions }
    }

    /// Waits until a stage knows what it runs.
    pub(super) async fn known(&self, stage: &str) -> Result<String> {
        let runs = |it: Option<&Stage>| it?.status.as_ref()?.current.as_ref()?.version.clone();
        let it = wait(&self.all, stage, |it| runs(it).is_some()).await?;
        runs(Some(&it)).context("the stage forgot what it runs")
    }

    /// Waits until a stage would take a version if somebody asked.
    pub(super) async fn offered(&self, stage: &str, version: &str) -> Result<StageStatus> {
        let offered = |it: Option<&Stage>| {
            let candidate = it.and_then(|it| it.status.as_ref()?.candidate.clone());
            let blocked = candidate.as_ref().and_then(|it| it.blocked_by.as_deref());
            blocked == Some("promote is Manual")
                && candidate.is_some_and(|it| it.version.as_deref() == Some(version))
        };
        let it = wait(&self.all, stage, offered).await?;
        Ok(it.status.unwrap_or_default())
    }

    /// Waits until a stage runs a version, deployed and verified, and is done with it.
    pub(super) async fn came(&self, stage: &str, version: &str) -> Result<Arrival> {
        let there = |it: Option<&Stage>| {
            let Some(status) = it.and_then(|it| it.status.as_ref()) else { return false };
            let current = status.current.clone().unwrap_or_default();
            status.promotion.is_none()
                && current.version.as_deref() == Some(version)
                && current.verified_at.is_some()
                && current.promotion.is_some()
        };
        let it = wait(&self.all, stage, there).await?;
        let stage = it.status.unwrap_or_default();
        let current = stage.current.clone().unwrap_or_default();
        let promotion = self.promotions.get(&current.promotion.unwrap_or_default()).await?;
        let commit = current.commit.context("the stage has no commit")?;
        Ok(Arrival { stage, promotion, commit })
    }

    /// Waits until a promotion waits for approvals, and knows those of `people`; what it says.
    pub(super) async fn asks(&self, promotion: &str, people: &[&str]) -> Result<String> {
        let said = |it: Option<&Promotion>| {
            let status = it?.status.as_ref()?;
            let knows = |name: &&str| status.approvals.iter().any(|it| it.by == *name);
            let gate = status.gates.iter().find(|it| it.kind == "approval")?;
            let waits = gate.state == GateState::Pending && people.iter().all(knows);
            let asked = waits && gate.since.is_some();
            asked.then(|| format!("{}: {}", gate.name, gate.message.clone().unwrap_or_default()))
        };
        let it = wait(&self.promotions, promotion, |it| said(it).is_some()).await?;
        said(Some(&it)).context("the promotion no longer asks")
    }

    /// Waits until a promotion has failed; the reason and what it says.
    pub(super) async fn failed(&self, promotion: &str) -> Result<(String, String)> {
        let failed = |it: Option<&Promotion>| {
            let phase = it.and_then(|it| it.status.as_ref()?.phase).unwrap_or_default();
            phase.is_terminal()
        };
        let it = wait(&self.promotions, promotion, failed).await?;
        let status = it.status.unwrap_or_default();
        if status.phase != Some(Phase::Failed) {
            bail!("promotion {promotion} did not fail, but {:?}", status.phase);
        }
        Ok((status.reason.unwrap_or_default(), status.message.unwrap_or_default()))
    }

    /// The image that a Deployment has in a namespace.
    pub(super) async fn image(&self, namespace: &str) -> Result<String> {
        let all: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let it = all.get(shop::NAME).await?;
        let pod = it.spec.and_then(|it| it.template.spec);
        let image = pod.and_then(|it| it.containers.into_iter().next()?.image);
        image.context("the Deployment has no image")
    }
}

/// Somebody with a kubeconfig of their own.
pub(super) struct Person {
    name: String,
    promotions: Api<Promotion>,
}

impl Person {
    pub(super) async fn of(name: &str, kubeconfig: &Path) -> Result<Self> {
        let found = Kubeconfig::read_from(kubeconfig)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(found, &options).await?;
        let promotions = Api::namespaced(Client::try_from(config)?, shop::NAME);
        Ok(Self { name: name.to_owned(), promotions })
    }

    /// Asks for a bundle in production; the promotion's name.
    pub(super) async fn promote(&self, bundle: &str, version: &str) -> Result<String> {
        let stage = "production".to_owned();
        let name = format!("{stage}-{version}");
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            labels: Some([(STAGE.to_owned(), stage.clone())].into()),
            ..ObjectMeta::default()
        };
        let spec = PromotionSpec {
            stage,
            bundle: bundle.to_owned(),
            kind: PromotionKind::Manual,
            requested_by: Some(self.name.clone()),
            ..PromotionSpec::default()
        };
        let it = Promotion { metadata, spec, status: None };
        self.promotions.create(&PostParams::default(), &it).await?;
        Ok(name)
    }

    /// Approves in one's own name.
    pub(super) async fn approve(&self, promotion: &str) -> Result<()> {
        self.sign(promotion, &self.name).await.map_err(Into::into)
    }

    /// Tries to approve in the name of somebody else; what the API server says to that.
    pub(super) async fn forge(&self, promotion: &str, other: &str) -> Result<Option<String>> {
        match self.sign(promotion, other).await {
            Ok(()) => Ok(None),
            Err(kube::Error::Api(status)) if [403, 422].contains(&status.code) => {
                let why = status.message.rsplit("denied request: ").next().unwrap_or_default();
                Ok(Some(why.to_owned()))
            }
            Err(why) => Err(why.into()),
        }
    }

    /// Adds an approval to those that are there.
    async fn sign(&self, promotion: &str, name: &str) -> Result<(), kube::Error> {
        let it = self.promotions.get(promotion).await?;
        let mut all = json!(it.spec.approvals);
        all.as_array_mut().into_iter().for_each(|all| all.push(json!({ "by": name })));
        let patch = Patch::Merge(json!({ "spec": { "approvals": all } }));
        self.promotions.patch(promotion, &PatchParams::default(), &patch).await.map(drop)
    }
}
