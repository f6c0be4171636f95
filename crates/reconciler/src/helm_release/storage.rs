//! Helm's records of a release: one Secret a revision, as stock Helm keeps them.

use std::collections::BTreeMap;
use std::fmt;

use helm::release::{Record, Status, pruned, secret_name};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, ResourceExt as _};

/// The type of the Secrets.
const TYPE: &str = "helm.sh/release.v1";

/// Labels that Helm sets itself; all others go from revision to revision.
const SYSTEM: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// The records in one namespace.
#[derive(Clone)]
pub(super) struct Storage {
    secrets: Api<Secret>,
}

/// A record with the labels that people put on it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) labels: BTreeMap<String, String>,
    /// The resource version of its Secret, once there is one.
    seen: Option<String>,
}

impl Stored {
    /// A record that is not stored yet.
    pub(super) fn new(record: Record, labels: BTreeMap<String, String>) -> Self {
        Self { record, labels, seen: None }
    }
}

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// Somebody else has changed or deleted it since it was read.
    Changed,
    /// The API server refused it.
    Failed(String),
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("update: somebody else has changed the release"),
            Self::Failed(why) => write!(f, "update: failed to update: {why}"),
        }
    }
}

impl Storage {
    /// The records in a namespace as a client sees them.
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self { secrets: Api::namespaced(client, namespace) }
    }

    /// All revisions of a release. What cannot be read is left out, as Helm does.
    pub(super) async fn history(&self, name: &str) -> Result<Vec<Stored>, String> {
        let selector = format!("name={name},owner=helm");
        let list = self.secrets.list(&ListParams::default().labels(&selector)).await;
        let list =
            list.map_err(|why| format!("query: failed to query with labels: {}", told(&why)))?;
        Ok(list.items.into_iter().filter_map(read).collect())
    }

    /// The newest revision of a release: only that one is decoded.
    pub(super) async fn last(&self, name: &str) -> Result<Option<Stored>, String> {
        let versions = self.versions(name).await?;
        // One whose content cannot be read is passed over, as Helm does.
        for version in versions.into_iter().rev() {
            if let Some(stored) = self.get(name, version).await? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// The numbers of all revisions, the newest last.
    pub(super) async fn versions(&self, name: &str) -> Result<Vec<i64>, String> {
        self.labelled(&format!("name={name},owner=helm")).await
    }

    /// The numbers of the revisions with a status, the newest last.
    pub(super) async fn with_status(&self, name: &str, status: Status) -> Result<Vec<i64>, String> {
        self.labelled(&format!("name={name},owner=helm,status={status}")).await
    }

    async fn labelled(&self, selector: &str) -> Result<Vec<i64>, String> {
        let list = self.secrets.list_metadata(&ListParams::default().labels(selector)).await;
        let list =
            list.map_err(|why| format!("query: failed to query with labels: {}", told(&why)))?;
        let mut versions: Vec<i64> =
            list.items.iter().filter_map(|it| it.labels().get("version")?.parse().ok()).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// One revision.
    pub(super) async fn get(&self, name: &str, version: i64) -> Result<Option<Stored>, String> {
        let key = secret_name(name, version);
        let found = self.secrets.get_opt(&key).await;
        let found = found.map_err(|why| format!("get: failed to get {key:?}: {}", told(&why)))?;
        Ok(found.and_then(read))
    }

    /// Records a new revision, after making room for it.
    pub(super) async fn create(
        &self,
        stored: &mut Stored,
        max: usize,
        now: Timestamp,
    ) -> Result<(), String> {
        // Revisions are numbered from one: up to this one there cannot be too many.
        let few = usize::try_from(stored.record.version).is_ok_and(|version| version <= max);
        if max > 0 && !few {
            let history = self.history(&stored.record.name).await?;
            let records: Vec<Record> = history.into_iter().map(|it| it.record).collect();
            for version in pruned(&records, max) {
                self.delete(&stored.record.name, version).await?;
            }
        }
        let secret = secret(stored, ("createdAt", now));
        match self.secrets.create(&PostParams::default(), &secret).await {
            Ok(written) => {
                stored.seen = written.resource_version();
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Err("release: already exists".to_owned())
            }
            Err(why) => Err(format!("create: failed to create: {}", told(&why))),
        }
    }

    /// Records how a revision is now, if nobody else has done so since it was read.
    pub(super) async fn update(
        &self,
        stored: &mut Stored,
        now: Timestamp,
    ) -> Result<(), Unwritten> {
        let mut secret = secret(stored, ("modifiedAt", now));
        secret.metadata.resource_version.clone_from(&stored.seen);
        let name = secret.name_any();
        match self.secrets.replace(&name, &PostParams::default(), &secret).await {
            Ok(written) => {
                stored.seen = written.resource_version();
                Ok(())
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                Err(Unwritten::Changed)
            }
            Err(why) => Err(Unwritten::Failed(told(&why))),
        }
    }

    /// Forgets a revision; one that is gone is forgotten.
    pub(super) async fn delete(&self, name: &str, version: i64) -> Result<(), String> {
        let key = secret_name(name, version);
        match self.secrets.delete(&key, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(why) => Err(told(&why)),
        }
    }
}

/// What the API server said.
fn told(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

fn read(secret: Secret) -> Option<Stored> {
    let (name, seen) = (secret.name_any(), secret.resource_version());
    let labels = secret.metadata.labels.unwrap_or_default();
    let labels = labels.into_iter().filter(|(key, _)| !SYSTEM.contains(&key.as_str())).collect();
    let data = secret.data?;
    match Record::decode(&data.get("release")?.0) {
        Ok(record) => Some(Stored { record, labels, seen }),
        Err(why) => {
            tracing::warn!(secret = name, "a release record is passed over: {why}");
            None
        }
    }
}

fn secret(stored: &Stored, (when, now): (&str, Timestamp)) -> Secret {
    let Stored { record, labels, .. } = stored;
    let mut labels = labels.clone();
    for (key, value) in [
        ("name", record.name.clone()),
        ("owner", "helm".to_owned()),
        ("status", record.info.status.to_string()),
        ("version", record.version.to_string()),
        (when, now.as_second().to_string()),
    ] {
        labels.insert(key.to_owned(), value);
    }
    let mut secret = Secret {
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([(
            "release".to_owned(),
            ByteString(record.encode().into_bytes()),
        )])),
        ..Secret::default()
    };
    secret.metadata.name = Some(secret_name(&record.name, record.version));
    secret.metadata.labels = Some(labels);
    secret
}
