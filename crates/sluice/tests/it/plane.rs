//! A control plane whose own controllers leave everything to others.

use std::path::PathBuf;

use kube::{
    Api, Client,
    api::{DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    program::{Running, sluice},
    up::client,
};

pub(crate) struct Plane {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) client: Client,
    _up: Running,
    _folder: TempDir,
}

impl Plane {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        let nobody = "--watch-label-selector=reconciled-by=up";
        let mut up = Running::start(sluice(&["up", "--data-dir", dir, nobody]));
        up.line("reconciling until interrupted");
        let kubeconfig = folder.path().join("kubeconfig");
        let client = client(&std::fs::read_to_string(&kubeconfig).unwrap()).await;
        Self { kubeconfig, client, _up: up, _folder: folder }
    }

    pub(crate) async fn namespace(&self, name: &str) {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace"));
        let it = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.create(&Api::all_with(self.client.clone(), &kind), it).await;
    }

    /// An ImageRepository that needs no registry to be seen through: its address is wrong.
    pub(crate) async fn wrong_repository(&self, namespace: &str, name: &str) {
        let it = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"image": "https://example.com/app", "interval": "1h"},
        });
        self.create(&self.repositories(namespace), it).await;
    }

    pub(crate) fn repositories(&self, namespace: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("image.toolkit.fluxcd.io", "v1", "ImageRepository");
        let kind = ApiResource::from_gvk_with_plural(&kind, "imagerepositories");
        Api::namespaced_with(self.client.clone(), namespace, &kind)
    }

    async fn create(&self, api: &Api<DynamicObject>, it: Value) {
        let it: DynamicObject = serde_json::from_value(it).unwrap();
        api.create(&PostParams::default(), &it).await.unwrap();
    }
}
