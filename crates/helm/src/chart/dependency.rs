//! What a chart asks for, and what was chosen for it.

use serde_json::Value as Json;

use super::metadata::clean;
use crate::Error;
use crate::decode::{self, Fields};
use crate::json::Struct;
use crate::values::from_yaml;

/// A chart that another one needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dependency {
    /// Name of the chart.
    pub name: String,
    /// Version, or range of versions.
    pub version: String,
    /// URL of the repository: `https://…`, `oci://…`, `file://…`, `@name`; empty for `charts/`.
    pub repository: String,
    /// Paths to values that switch it on or off, parted by commas.
    pub condition: String,
    /// Groups that switch it on or off.
    pub tags: Vec<String>,
    /// Whether it is on; set while a chart is rendered.
    pub enabled: bool,
    /// What the parent takes over of its values: names of exports, or `{child, parent}`.
    pub import_values: Vec<Json>,
    /// The name under which the parent knows it.
    pub alias: String,
}

impl Dependency {
    /// The alias, or the name if there is none.
    pub fn effective_name(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    /// Reads one; `place` is the struct that holds it.
    pub(super) fn read(value: &yaml::Value) -> Result<Self, Error> {
        if *value == yaml::Value::Null {
            let why = "dependencies must not contain empty or null nodes";
            return Err(Error::Validation(why.to_owned()));
        }
        let fields = Fields::of(value, "Dependency.dependencies", "chart.Dependency")?;
        let imports = fields.items("import-values", "[]interface {}")?.iter();
        Ok(Self {
            name: fields.text("name")?,
            version: fields.text("version")?,
            repository: fields.text("repository")?,
            condition: fields.text("condition")?,
            tags: fields.texts("tags")?,
            enabled: fields.bool("enabled")?,
            import_values: imports.cloned().map(from_yaml).collect::<Result<_, _>>()?,
            alias: fields.text("alias")?,
        })
    }

    /// All of a list.
    pub(super) fn read_all(fields: &Fields<'_>) -> Result<Vec<Self>, Error> {
        let items = fields.items("dependencies", "[]*chart.Dependency")?;
        items.iter().map(Self::read).collect()
    }

    pub(super) fn validate(&mut self) -> Result<(), Error> {
        for text in [&mut self.name, &mut self.version, &mut self.repository, &mut self.condition] {
            clean(text);
        }
        self.tags.iter_mut().for_each(clean);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !self.alias.chars().all(allowed) {
            return Err(Error::Validation(format!(
                "dependency {:?} has disallowed characters in the alias",
                self.name
            )));
        }
        Ok(())
    }

    /// The JSON that Helm hashes and stores.
    pub(crate) fn to_json(&self) -> Json {
        let imports = self.import_values.iter().map(crate::json::sorted).collect::<Vec<_>>();
        Struct::default()
            .field("name", &*self.name)
            .full("version", &*self.version)
            .field("repository", &*self.repository)
            .full("condition", &*self.condition)
            .full("tags", self.tags.clone())
            .full("enabled", self.enabled)
            .full("import-values", imports)
            .full("alias", &*self.alias)
            .into()
    }
}

/// The versions that were chosen: Chart.lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// When they were chosen, RFC 3339.
    pub generated: String,
    /// Hash of what was asked for and what was chosen, see
    /// [`lock_digest`](crate::requirement::lock_digest).
    pub digest: String,
    /// What was chosen.
    pub dependencies: Vec<Dependency>,
}

impl Lock {
    /// Reads Chart.lock.
    ///
    /// # Errors
    /// [`Error::Yaml`].
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Self::read(&decode::parse(text)?)
    }

    pub(crate) fn read(value: &yaml::Value) -> Result<Self, Error> {
        let fields = Fields::of(value, "Lock", "chart.Lock")?;
        let generated = fields.text("generated")?;
        let never = || "0001-01-01T00:00:00Z".to_owned();
        Ok(Self {
            generated: if generated.is_empty() { never() } else { generated },
            digest: fields.text("digest")?,
            dependencies: Dependency::read_all(&fields)?,
        })
    }

    /// The JSON that Helm stores.
    pub(crate) fn to_json(&self) -> Json {
        let dependencies: Vec<Json> = self.dependencies.iter().map(Dependency::to_json).collect();
        Struct::default()
            .field("generated", go_time(&self.generated))
            .field("digest", &*self.digest)
            .field("dependencies", dependencies)
            .into()
    }
}

/// A time as Go prints it again: without zeros at the end of the fraction.
fn go_time(text: &str) -> String {
    let Some((before, after)) = text.split_once('.') else { return text.to_owned() };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = after.split_at(digits);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    format!("{before}{dot}{fraction}{zone}")
}
