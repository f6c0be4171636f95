//! The record of one revision, in the form in which Helm 3 keeps it in a Secret.

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::Value as Json;

use crate::Error;
use crate::chart::{Chart, File, Metadata};
use crate::decode::{self, Fields};
use crate::hook::Hook;
use crate::json::{Struct, encode, sorted};
use crate::values::Values;

/// How large a record may be when it is unpacked: a Secret holds 1 MiB of it packed.
const MAX_BYTES: u64 = 64 << 20;

/// The state of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nobody knows.
    #[default]
    Unknown,
    /// It is installed.
    Deployed,
    /// It was taken away, and its record kept.
    Uninstalled,
    /// A later revision took its place.
    Superseded,
    /// Something went wrong.
    Failed,
    /// It is being taken away.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being upgraded.
    PendingUpgrade,
    /// It is being rolled back.
    PendingRollback,
}

/// The states with their names.
const STATUSES: [(Status, &str); 9] = [
    (Status::Unknown, "unknown"),
    (Status::Deployed, "deployed"),
    (Status::Uninstalled, "uninstalled"),
    (Status::Superseded, "superseded"),
    (Status::Failed, "failed"),
    (Status::Uninstalling, "uninstalling"),
    (Status::PendingInstall, "pending-install"),
    (Status::PendingUpgrade, "pending-upgrade"),
    (Status::PendingRollback, "pending-rollback"),
];

impl Status {
    /// Whether something is on its way, or was when a process was killed.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = STATUSES.iter().find(|(status, _)| status == self);
        f.write_str(found.map_or("unknown", |(_, name)| name))
    }
}

/// Anything else is `unknown`.
impl FromStr for Status {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = STATUSES.iter().find(|(_, name)| *name == text);
        Ok(found.map_or(Self::Unknown, |(status, _)| *status))
    }
}

/// What is known of a revision. Times are RFC 3339 with the offset they were written with; empty for
/// none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// When the first revision was installed.
    pub first_deployed: String,
    /// When this one was.
    pub last_deployed: String,
    /// When it was taken away.
    pub deleted: String,
    /// What people read in the history.
    pub description: String,
    /// Its state.
    pub status: Status,
    /// The text of NOTES.txt.
    pub notes: String,
}

/// The last run of a hook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastRun {
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub completed_at: String,
    /// `Unknown`, `Running`, `Succeeded`, `Failed`; empty if it never ran.
    pub phase: String,
}

/// One revision of a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Name of the release.
    pub name: String,
    /// What is known of it.
    pub info: Info,
    /// Its chart, without the charts in it.
    pub chart: Chart,
    /// The values that the user gave.
    pub config: Values,
    /// All its objects.
    pub manifest: String,
    /// Its hooks with their last runs.
    pub hooks: Vec<(Hook, LastRun)>,
    /// Its number, from 1.
    pub version: i64,
    /// Where it is.
    pub namespace: String,
}

impl Record {
    /// The value of `release` in the Secret's data (which the API encodes once more).
    pub fn encode(&self) -> String {
        let json = encode(&self.to_json());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail.
        let packed = gzip.write_all(json.as_bytes()).and_then(|()| gzip.finish());
        STANDARD.encode(packed.unwrap_or_default())
    }

    /// Reads the value of `release` in a Secret's data.
    ///
    /// # Errors
    /// [`Error::Release`] for what is no record.
    pub fn decode(text: &[u8]) -> Result<Self, Error> {
        let broken = |why: &dyn fmt::Display| {
            Error::Release(format!("release record cannot be read: {why}"))
        };
        let bytes = STANDARD.decode(text.trim_ascii()).map_err(|error| broken(&error))?;
        let json = if bytes.starts_with(b"\x1f\x8b\x08") {
            let mut json = Vec::new();
            let mut gzip = GzDecoder::new(&*bytes).take(MAX_BYTES + 1);
            gzip.read_to_end(&mut json).map_err(|error| broken(&error))?;
            if json.len() as u64 > MAX_BYTES {
                return Err(broken(&format!("it holds more than {MAX_BYTES} bytes")));
            }
            json
        } else {
            bytes
        };
        let json: Json = serde_json::from_slice(&json).map_err(|error| broken(&error))?;
        Self::read(json).map_err(|error| broken(&error))
    }

    fn read(json: Json) -> Result<Self, Error> {
        let config = json.get("config").and_then(Json::as_object).cloned().unwrap_or_default();
        let defaults = json.pointer("/chart/values").and_then(Json::as_object).cloned();
        let value = decode::from_json(json);
        let fields = Fields::of(&value, "Release", "release.Release")?;
        let null = yaml::Value::Null;
        let part = |name: &str| fields.get(name).unwrap_or(&null);
        let hooks = fields.items("hooks", "[]*release.Hook")?.iter();
        Ok(Self {
            name: fields.text("name")?,
            info: info(part("info"))?,
            chart: chart(part("chart"), defaults.unwrap_or_default())?,
            config,
            manifest: fields.text("manifest")?,
            hooks: hooks.map(hook).collect::<Result<_, _>>()?,
            version: number(&fields, "version"),
            namespace: fields.text("namespace")?,
        })
    }

    fn to_json(&self) -> Json {
        let hooks: Vec<Json> = self.hooks.iter().map(|(hook, run)| hook_json(hook, run)).collect();
        Struct::default()
            .full("name", &*self.name)
            .field("info", self.info.to_json())
            .field("chart", chart_json(&self.chart))
            .full("config", sorted(&Json::Object(self.config.clone())))
            .full("manifest", &*self.manifest)
            .full("hooks", hooks)
            .full("version", self.version)
            .full("namespace", &*self.namespace)
            .into()
    }
}

impl Info {
    pub(super) fn to_json(&self) -> Json {
        let status =
            if self.status == Status::Unknown { String::new() } else { self.status.to_string() };
        Struct::default()
            .field("first_deployed", &*self.first_deployed)
            .field("last_deployed", &*self.last_deployed)
            .field("deleted", &*self.deleted)
            .full("description", &*self.description)
            .full("status", status)
            .full("notes", &*self.notes)
            .into()
    }
}

pub(super) fn hook_json(hook: &Hook, run: &LastRun) -> Json {
    let run = Struct::default()
        .field("started_at", &*run.started_at)
        .field("completed_at", &*run.completed_at)
        .field("phase", &*run.phase);
    Struct::default()
        .full("name", &*hook.name)
        .full("kind", &*hook.kind)
        .full("path", &*hook.path)
        .full("manifest", &*hook.manifest)
        .full("events", hook.events.clone())
        .field("last_run", run)
        .full("weight", hook.weight)
        .full("delete_policies", hook.delete_policies.clone())
        .full("output_log_policies", hook.output_log_policies.clone())
        .into()
}

fn chart_json(chart: &Chart) -> Json {
    let lock = chart.lock.as_ref().map_or(Json::Null, crate::chart::Lock::to_json);
    let schema = chart.schema.as_ref().map_or(Json::Null, |it| STANDARD.encode(it).into());
    Struct::default()
        .field("metadata", chart.metadata.to_json())
        .field("lock", lock)
        .field("templates", files_json(&chart.templates))
        .field("values", sorted(&Json::Object(chart.values.clone())))
        .field("schema", schema)
        .field("files", files_json(&chart.files))
        .into()
}

fn files_json(files: &[File]) -> Json {
    let file = |file: &File| -> Json {
        Struct::default()
            .field("name", &*file.name)
            .field("data", STANDARD.encode(&file.data))
            .into()
    };
    if files.is_empty() { Json::Null } else { files.iter().map(file).collect() }
}

fn info(value: &yaml::Value) -> Result<Info, Error> {
    let fields = Fields::of(value, "Info", "release.Info")?;
    let Ok(status) = fields.text("status")?.parse();
    Ok(Info {
        first_deployed: fields.text("first_deployed")?,
        last_deployed: fields.text("last_deployed")?,
        deleted: fields.text("deleted")?,
        description: fields.text("description")?,
        status,
        notes: fields.text("notes")?,
    })
}

fn hook(value: &yaml::Value) -> Result<(Hook, LastRun), Error> {
    let fields = Fields::of(value, "Hook", "release.Hook")?;
    let null = yaml::Value::Null;
    let run = fields.get("last_run").unwrap_or(&null);
    let run = Fields::of(run, "HookExecution", "release.HookExecution")?;
    let hook = Hook {
        name: fields.text("name")?,
        kind: fields.text("kind")?,
        path: fields.text("path")?,
        manifest: fields.text("manifest")?,
        events: fields.texts("events")?,
        weight: number(&fields, "weight"),
        delete_policies: fields.texts("delete_policies")?,
        output_log_policies: fields.texts("output_log_policies")?,
    };
    let run = LastRun {
        started_at: run.text("started_at")?,
        completed_at: run.text("completed_at")?,
        phase: run.text("phase")?,
    };
    Ok((hook, run))
}

fn number(fields: &Fields<'_>, name: &str) -> i64 {
    match fields.get(name) {
        Some(yaml::Value::Int(number)) => *number,
        _ => 0,
    }
}

fn chart(value: &yaml::Value, values: Values) -> Result<Chart, Error> {
    let fields = Fields::of(value, "Chart", "chart.Chart")?;
    let null = yaml::Value::Null;
    let schema = data(fields.get("schema").and_then(yaml::Value::as_str))?;
    let lock = fields.get("lock").map(crate::chart::Lock::read).transpose()?;
    Ok(Chart {
        metadata: Metadata::read(fields.get("metadata").unwrap_or(&null))?,
        lock,
        values,
        values_text: None,
        schema,
        templates: files(&fields, "templates")?,
        files: files(&fields, "files")?,
        subcharts: Vec::new(),
        path_name: None,
    })
}

fn files(fields: &Fields<'_>, name: &str) -> Result<Vec<File>, Error> {
    let items = fields.items(name, "[]*chart.File")?.iter();
    items
        .map(|item| {
            let fields = Fields::of(item, "File", "chart.File")?;
            let data = data(fields.get("data").and_then(yaml::Value::as_str))?;
            Ok(File { name: fields.text("name")?, data: data.unwrap_or_default() })
        })
        .collect()
}

fn data(text: Option<&str>) -> Result<Option<Arc<[u8]>>, Error> {
    let Some(text) = text else { return Ok(None) };
    let bytes = STANDARD.decode(text).map_err(|error| Error::Release(error.to_string()))?;
    Ok(Some(bytes.into()))
}
