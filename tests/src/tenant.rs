//! A namespace in a world, and the verbs of a person who works there.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use world::git::{Content, Repository};

use crate::{Refused, World};

/// The group and version of the image kinds.
const IMAGE: &str = "image.toolkit.fluxcd.io/v1";

/// The group and version of the sources.
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";

/// The group and version of releases.
const RELEASE: &str = "helm.toolkit.fluxcd.io/v2";

/// The group and version of staged promotion.
const PROMOTION: &str = "promotion.sluice.dev/v1alpha1";

/// The group and version of Kustomizations.
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/v1";

/// The annotation that asks for a run.
const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";

/// A namespace in a world.
#[derive(Clone)]
pub struct Tenant {
    /// The world around.
    pub world: Arc<World>,
    /// The namespace.
    pub namespace: String,
}

/// An Event as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `Normal` or `Warning`.
    pub kind: String,
    /// The reason.
    pub reason: String,
    /// The message.
    pub message: String,
    /// How often it happened.
    pub count: i64,
}

impl Tenant {
    /// The full name of an image of this tenant.
    pub fn image(&self, name: &str) -> String {
        self.world.registry.image(&format!("{}/{name}", self.namespace))
    }

    /// Publishes tags of an image.
    pub fn publish(&self, name: &str, tags: &[&str]) {
        for tag in tags {
            self.world.registry.publish(&format!("{}/{name}", self.namespace), tag);
        }
    }

    /// An ImageRepository of the image of the same name; `spec` is merged into a usable one.
    pub fn image_repository(&self, name: &str, spec: &Value) -> Value {
        let usual = json!({"image": self.image(name), "insecure": true, "interval": "1h"});
        object(IMAGE, "ImageRepository", name, usual, spec)
    }

    /// An ImagePolicy on the ImageRepository `app`.
    pub fn image_policy(&self, name: &str, choice: &Value, spec: &Value) -> Value {
        let usual = json!({"imageRepositoryRef": {"name": "app"}, "policy": choice});
        object(IMAGE, "ImagePolicy", name, usual, spec)
    }

    /// A source of this kind.
    pub fn source(&self, kind: &str, name: &str, usual: Value, spec: &Value) -> Value {
        object(SOURCE, kind, name, usual, spec)
    }

    /// An OCIRepository of the image of the same name.
    pub fn oci_repository(&self, name: &str, spec: &Value) -> Value {
        let url = format!("oci://{}", self.image(name));
        let usual = json!({"url": url, "insecure": true, "interval": "1h"});
        object(SOURCE, "OCIRepository", name, usual, spec)
    }

    /// A GitRepository of the repository that [`Self::files`] makes.
    pub fn git_repository(&self, spec: &Value) -> Value {
        let url = self.world.git.repository_url(&self.repository_name());
        let usual = json!({"url": url, "interval": "1h", "ref": {"branch": "main"}});
        object(SOURCE, "GitRepository", "fleet", usual, spec)
    }

    /// A HelmRelease of the chart in the folder `chart` of that GitRepository.
    pub fn helm_release(&self, name: &str, values: &Value, spec: &Value) -> Value {
        let source = json!({"kind": "GitRepository", "name": "fleet"});
        let usual = json!({
            "chart": {"spec": {"chart": "./chart", "sourceRef": source}},
            "interval": "1h",
            "values": values,
        });
        object(RELEASE, "HelmRelease", name, usual, spec)
    }

    /// An ImageUpdateAutomation of that GitRepository.
    pub fn automation(&self, name: &str, spec: &Value) -> Value {
        let usual = json!({
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            "interval": "1h",
            "git": {"commit": {"author": {"name": "bot", "email": "bot@example.com"}}},
            "update": {"path": ".", "strategy": "Setters"},
        });
        object(IMAGE, "ImageUpdateAutomation", name, usual, spec)
    }

    /// A Kustomization of that GitRepository, into the tenant's namespace.
    pub fn kustomization(&self, name: &str, spec: &Value) -> Value {
        let usual = json!({
            "sourceRef": {"kind": "GitRepository", "name": "fleet"}, "path": "./",
            "interval": "1h", "retryInterval": "1s", "prune": true,
            "targetNamespace": self.namespace,
        });
        object(KUSTOMIZE, "Kustomization", name, usual, spec)
    }

    /// The name of the tenant's repository on the Git server.
    pub fn repository_name(&self) -> String {
        format!("{}-fleet", self.namespace)
    }

    /// A line with an image of `app` that is marked for the policy `app`.
    pub fn line(&self, tag: &str) -> String {
        format!(
            "image: {}:{tag} # {{\"$imagepolicy\": \"{}:app\"}}\n",
            self.image("app"),
            self.namespace
        )
    }

    /// Makes the tenant's repository on the Git server.
    ///
    /// # Errors
    /// When git fails.
    pub async fn files<C: Into<Content>>(
        &self,
        files: impl IntoIterator<Item = (&str, C)>,
    ) -> Result<Repository> {
        self.world.git.create(&self.repository_name(), "main", files).await
    }

    /// Publishes `tags` of `app`, and applies an ImageRepository and a policy for the highest 1.x.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn app(&self, tags: &[&str]) -> Result<()> {
        self.publish("app", tags);
        self.create(&self.image_repository("app", &json!({}))).await?;
        self.create(&self.image_policy("app", &json!({"semver": {"range": "1.x"}}), &json!({})))
            .await?;
        self.ready("ImagePolicy", "app").await?;
        Ok(())
    }

    /// Publishes a tag of `app` and waits until the policy has chosen it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn release(&self, tag: &str) -> Result<()> {
        self.publish("app", &[tag]);
        self.request("ImageRepository", "app").await?;
        let chosen = |it: &Value| it["status"]["latestRef"]["tag"] == tag;
        self.wait(("ImagePolicy", "app"), &format!("{tag} is chosen"), chosen).await?;
        Ok(())
    }

    /// Creates an object.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create(&self, object: &Value) -> Result<()> {
        match self.world.objects.create(Some(&self.namespace), object).await? {
            Ok(()) => Ok(()),
            Err(Refused(why)) => bail!("refused: {why}"),
        }
    }

    /// Tries to create an object that must be refused, and says why it was.
    ///
    /// # Errors
    /// When it is taken.
    pub async fn refused(&self, object: &Value) -> Result<String> {
        match self.world.objects.create(Some(&self.namespace), object).await? {
            Ok(()) => bail!("it was taken: {object}"),
            Err(Refused(why)) => Ok(why),
        }
    }

    /// Creates a Secret.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn secret(&self, name: &str, data: &[(&str, &str)]) -> Result<()> {
        let data: serde_json::Map<String, Value> =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.create(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data,
        }))
        .await
    }

    /// Merges `patch` into an object.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch(&self, it: (&str, &str), patch: &Value) -> Result<()> {
        let kind = (group(it.0), it.0);
        self.world.objects.patch(kind, (&self.namespace, it.1), patch).await
    }

    /// Deletes an object and waits until it is gone.
    ///
    /// # Errors
    /// When it stays.
    pub async fn delete(&self, it: (&str, &str)) -> Result<()> {
        let objects = &self.world.objects;
        objects.delete((group(it.0), it.0), (&self.namespace, it.1)).await?;
        let gone = || async { self.get(it).await.is_none() };
        objects.eventually(&format!("{}/{} is gone", it.0, it.1), gone).await
    }

    /// An object, if it is there.
    pub async fn get(&self, it: (&str, &str)) -> Option<Value> {
        self.world.objects.get(group(it.0), it.0, &self.namespace, it.1).await
    }

    /// Waits for an object to be as told, and returns it.
    ///
    /// # Errors
    /// When it never is, with what it is instead.
    pub async fn wait(
        &self,
        it: (&str, &str),
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let last = Mutex::new(None);
        let check = || async {
            let object = self.get(it).await;
            let good = object.as_ref().is_some_and(&holds);
            if let Ok(mut last) = last.lock() {
                *last = object;
            }
            good
        };
        let waited = self.world.objects.eventually(what, check).await;
        let last = last.into_inner().ok().flatten();
        match waited {
            Ok(()) => last.context("it was there"),
            Err(why) => bail!("{why}: {}/{} is {:#}", it.0, it.1, last.unwrap_or_default()),
        }
    }

    /// Waits for Ready=True at the current generation, and returns the object.
    ///
    /// # Errors
    /// When it never is.
    pub async fn ready(&self, kind: &str, name: &str) -> Result<Value> {
        let ready = |it: &Value| {
            let ready = condition(it, "Ready");
            ready["status"] == "True" && ready["observedGeneration"] == it["metadata"]["generation"]
        };
        self.wait((kind, name), "it is ready", ready).await
    }

    /// Waits for Ready=False with this reason at the current generation, and returns the message.
    ///
    /// # Errors
    /// When it never is.
    pub async fn failing(&self, kind: &str, name: &str, reason: &str) -> Result<String> {
        let failing = |it: &Value| {
            let ready = condition(it, "Ready");
            ready["status"] == "False"
                && ready["reason"] == reason
                && ready["observedGeneration"] == it["metadata"]["generation"]
        };
        let it = self.wait((kind, name), &format!("it fails with {reason}"), failing).await?;
        Ok(text(&condition(&it, "Ready")["message"]))
    }

    /// Asks for a run as `flux reconcile` does, and waits until it was made.
    ///
    /// # Errors
    /// When it is not.
    pub async fn request(&self, kind: &str, name: &str) -> Result<Value> {
        let before = self.get((kind, name)).await.context("it is there")?;
        let handled = text(&before["status"]["lastHandledReconcileAt"]);
        let token = json!(format!("{}1", handled));
        self.patch((kind, name), &json!({"metadata": {"annotations": {REQUESTED: &token}}}))
            .await?;
        let handled = |it: &Value| {
            it["status"]["lastHandledReconcileAt"] == token
                && condition(it, "Reconciling")["reason"] != "Progressing"
        };
        self.wait((kind, name), "the request is handled", handled).await
    }

    /// The Events about an object.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn events(&self, kind: &str, name: &str) -> Result<Vec<Event>> {
        let events = self.world.objects.list("v1", "Event", &self.namespace).await?;
        let about = |it: &&Value| {
            it["involvedObject"]["kind"] == kind && it["involvedObject"]["name"] == name
        };
        let event = |it: &Value| Event {
            kind: text(&it["type"]),
            reason: text(&it["reason"]),
            message: text(&it["message"]),
            count: it["count"].as_i64().unwrap_or(1),
        };
        Ok(events.iter().filter(about).map(event).collect())
    }

    /// Waits for an Event about an object whose message has `part`, and returns it.
    ///
    /// # Errors
    /// When there never is one, with those there are.
    pub async fn event(&self, kind: &str, name: &str, part: &str) -> Result<Event> {
        let find = || async {
            let events = self.events(kind, name).await.unwrap_or_default();
            events.into_iter().find(|it| it.message.contains(part) || it.reason == part)
        };
        let there = || async { find().await.is_some() };
        let waited = self.world.objects.eventually(&format!("an event says {part:?}"), there).await;
        match (waited, find().await) {
            (Ok(()), Some(event)) => Ok(event),
            _ => bail!("no event says {part:?}, but {:#?}", self.events(kind, name).await?),
        }
    }

    /// Everything that people can read of this tenant: all statuses and all Events.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn everything_said(&self) -> Result<String> {
        let mut said = String::new();
        for kind in ["ImageRepository", "ImagePolicy", "ImageUpdateAutomation"] {
            for it in self.world.objects.list(IMAGE, kind, &self.namespace).await? {
                said += &it["status"].to_string();
            }
        }
        for it in self.world.objects.list(KUSTOMIZE, "Kustomization", &self.namespace).await? {
            said += &it["status"].to_string();
        }
        for kind in ["GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Bucket"] {
            for it in self.world.objects.list(SOURCE, kind, &self.namespace).await? {
                said += &it["status"].to_string();
            }
        }
        for it in self.world.objects.list("v1", "Event", &self.namespace).await? {
            said += &it.to_string();
        }
        Ok(said)
    }
}

/// A condition of an object; null if it has none of this type.
pub fn condition(it: &Value, of: &str) -> Value {
    let conditions = it["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|it| it["type"] == of).cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn group(kind: &str) -> &'static str {
    match kind {
        "GitRepository" | "OCIRepository" | "HelmRepository" | "HelmChart" | "Bucket"
        | "ExternalArtifact" => SOURCE,
        "ArtifactGenerator" => "source.extensions.fluxcd.io/v1beta1",
        "Kustomization" => KUSTOMIZE,
        "HelmRelease" => RELEASE,
        "ConfigMap" | "Secret" | "Pod" | "Event" | "ServiceAccount" | "Namespace" => "v1",
        "Role" | "RoleBinding" => "rbac.authorization.k8s.io/v1",
        "Deployment" => "apps/v1",
        "Job" => "batch/v1",
        "Pipeline" | "Bundle" | "Stage" | "Promotion" | "Freeze" => PROMOTION,
        _ => IMAGE,
    }
}

fn object(api_version: &str, kind: &str, name: &str, mut spec: Value, more: &Value) -> Value {
    merge(&mut spec, more);
    json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec,
    })
}

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    let (Some(map), Some(changes)) = (into.as_object_mut(), patch.as_object()) else {
        *into = patch.clone();
        return;
    };
    for (key, value) in changes {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key).or_insert_with(|| json!({})), value);
        }
    }
}
