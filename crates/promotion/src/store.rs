//! The objects that decisions are made of, as the shared watches have them.

use std::sync::Arc;

use api::{
    image::{ImagePolicy, ImageRepository, ImageUpdateAutomation},
    kustomize::Kustomization,
    promotion::{Bundle, Freeze, Pipeline, Promotion, Stage},
    source::{GitRepository, HelmChart, HelmRepository, OciRepository},
};
use controller::{Host, Store};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;

/// All of them.
pub(crate) struct Stores {
    pub(crate) pipelines: Store<Pipeline>,
    pub(crate) bundles: Store<Bundle>,
    pub(crate) stages: Store<Stage>,
    pub(crate) promotions: Store<Promotion>,
    pub(crate) freezes: Store<Freeze>,
    pub(crate) policies: Store<ImagePolicy>,
    pub(crate) images: Store<ImageRepository>,
    pub(crate) automations: Store<ImageUpdateAutomation>,
    pub(crate) repositories: Store<GitRepository>,
    pub(crate) artifacts: Store<OciRepository>,
    pub(crate) charts: Store<HelmChart>,
    pub(crate) helm_repositories: Store<HelmRepository>,
    pub(crate) kustomizations: Store<Kustomization>,
    pub(crate) namespaces: Store<PartialObjectMeta<Namespace>>,
}

impl Stores {
    pub(crate) fn of(host: &Host) -> Self {
        Self {
            pipelines: host.store(),
            bundles: host.store(),
            stages: host.store(),
            promotions: host.store(),
            freezes: host.cluster_store(),
            policies: host.store(),
            images: host.store(),
            automations: host.store(),
            repositories: host.store(),
            artifacts: host.store(),
            charts: host.store(),
            helm_repositories: host.store(),
            kustomizations: host.store(),
            namespaces: host.cluster_store(),
        }
    }

    /// Ends when all objects that existed at the start are known.
    pub(crate) async fn synced(&self) {
        self.pipelines.synced().await;
        self.bundles.synced().await;
        self.stages.synced().await;
        self.promotions.synced().await;
        self.freezes.synced().await;
        self.policies.synced().await;
        self.images.synced().await;
        self.automations.synced().await;
        self.repositories.synced().await;
        self.artifacts.synced().await;
        self.charts.synced().await;
        self.helm_repositories.synced().await;
        self.kustomizations.synced().await;
        self.namespaces.synced().await;
    }

    /// The bundles of a pipeline.
    pub(crate) fn bundles_of(&self, namespace: &str, pipeline: &str) -> Vec<Arc<Bundle>> {
        let all = self.bundles.in_namespace(namespace).into_iter();
        all.filter(|it| it.spec.pipeline_ref.name == pipeline).collect()
    }

    /// The promotions into a stage.
    pub(crate) fn promotions_of(&self, namespace: &str, stage: &str) -> Vec<Arc<Promotion>> {
        let all = self.promotions.in_namespace(namespace).into_iter();
        all.filter(|it| it.spec.stage == stage).collect()
    }
}
