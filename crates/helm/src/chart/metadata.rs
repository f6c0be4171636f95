//! Chart.yaml.

use serde_json::{Map, Value as Json};
use version::Version;

use super::Dependency;
use crate::Error;
use crate::decode::{self, Fields};
use crate::json::Struct;

/// A person who cares for a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Page.
    pub url: String,
}

/// What Chart.yaml says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// Name.
    pub name: String,
    /// The project's page.
    pub home: String,
    /// Where the sources are.
    pub sources: Vec<String>,
    /// The chart's version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who cares for it.
    pub maintainers: Vec<Maintainer>,
    /// URL of a picture.
    pub icon: String,
    /// `v1` or `v2`.
    pub api_version: String,
    /// Condition under which it is on.
    pub condition: String,
    /// Tags under which it is on.
    pub tags: String,
    /// The version of what it installs.
    pub app_version: String,
    /// Nobody cares for it any more.
    pub deprecated: bool,
    /// Notes for tools, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// Range of Kubernetes versions.
    pub kube_version: String,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// `application`, `library` or nothing.
    pub kind: String,
}

impl Metadata {
    /// Reads Chart.yaml. What is not set gets no value, but for `apiVersion`, which is then `v1`.
    /// Call [`Metadata::validate`] on the result.
    ///
    /// # Errors
    /// [`Error::Yaml`], and [`Error::Validation`] for a null in a list.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut metadata = Self::read(&decode::parse(text)?)?;
        if metadata.api_version.is_empty() {
            metadata.api_version.push_str("v1");
        }
        Ok(metadata)
    }

    pub(crate) fn read(value: &yaml::Value) -> Result<Self, Error> {
        let fields = Fields::of(value, "Metadata", "chart.Metadata")?;
        Ok(Self {
            name: fields.text("name")?,
            home: fields.text("home")?,
            sources: fields.texts("sources")?,
            version: fields.text("version")?,
            description: fields.text("description")?,
            keywords: fields.texts("keywords")?,
            maintainers: maintainers(&fields)?,
            icon: fields.text("icon")?,
            api_version: fields.text("apiVersion")?,
            condition: fields.text("condition")?,
            tags: fields.text("tags")?,
            app_version: fields.text("appVersion")?,
            deprecated: fields.bool("deprecated")?,
            annotations: fields.text_map("annotations")?.unwrap_or_default(),
            kube_version: fields.text("kubeVersion")?,
            dependencies: Dependency::read_all(&fields)?,
            kind: fields.text("type")?,
        })
    }

    /// Takes over what requirements.yaml of an old chart says.
    pub(super) fn merge_requirements(&mut self, text: &[u8]) -> Result<(), Error> {
        let value = decode::parse(text)?;
        let fields = Fields::of(&value, "Metadata", "chart.Metadata")?;
        if fields.get("dependencies").is_some() {
            self.dependencies = Dependency::read_all(&fields)?;
        }
        Ok(())
    }

    /// Checks the rules for metadata, after taking control characters out of all texts.
    ///
    /// # Errors
    /// [`Error::Validation`].
    pub fn validate(&mut self) -> Result<(), Error> {
        self.clean();
        let refuse = |why: String| Err(Error::Validation(why));
        let required =
            [("apiVersion", &self.api_version), ("name", &self.name), ("version", &self.version)];
        for (name, text) in required {
            if text.is_empty() {
                return refuse(format!("chart.metadata.{name} is required"));
            }
            if name == "name" && !is_base_name(text) {
                return refuse(format!("chart.metadata.name {text:?} is invalid"));
            }
        }
        if Version::parse(&self.version).is_err() {
            return refuse(format!("chart.metadata.version {:?} is invalid", self.version));
        }
        if !matches!(&*self.kind, "" | "application" | "library") {
            return refuse("chart.metadata.type must be application or library".to_owned());
        }
        let mut names = std::collections::BTreeSet::new();
        for dependency in &mut self.dependencies {
            dependency.validate()?;
            let name = dependency.effective_name();
            if !names.insert(name.to_owned()) {
                return refuse(format!("more than one dependency with name or alias {name:?}"));
            }
        }
        Ok(())
    }

    fn clean(&mut self) {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            clean(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(clean);
        for maintainer in &mut self.maintainers {
            clean(&mut maintainer.name);
            clean(&mut maintainer.email);
            clean(&mut maintainer.url);
        }
    }

    /// The JSON that Helm stores and hashes.
    pub(crate) fn to_json(&self) -> Json {
        self.fields().into()
    }

    /// The fields of [`Metadata::to_json`], for structs that embed it.
    pub(crate) fn fields(&self) -> Struct {
        let maintainers: Vec<Json> = self.maintainers.iter().map(Maintainer::to_json).collect();
        let dependencies: Vec<Json> = self.dependencies.iter().map(Dependency::to_json).collect();
        let annotations = self.annotations.iter().map(|(k, v)| (k.clone(), Json::from(&**v)));
        Struct::default()
            .full("name", &*self.name)
            .full("home", &*self.home)
            .full("sources", self.sources.clone())
            .full("version", &*self.version)
            .full("description", &*self.description)
            .full("keywords", self.keywords.clone())
            .full("maintainers", maintainers)
            .full("icon", &*self.icon)
            .full("apiVersion", &*self.api_version)
            .full("condition", &*self.condition)
            .full("tags", &*self.tags)
            .full("appVersion", &*self.app_version)
            .full("deprecated", self.deprecated)
            .full("annotations", annotations.collect::<Map<_, _>>())
            .full("kubeVersion", &*self.kube_version)
            .full("dependencies", dependencies)
            .full("type", &*self.kind)
    }

    /// Chart.yaml, as `helm package` writes it.
    pub(super) fn to_yaml(&self) -> Result<String, Error> {
        let mut shown = self.clone();
        if shown.api_version == "v1" {
            shown.dependencies.clear();
        }
        let json = crate::json::encode(&shown.to_json());
        yaml::json_to_yaml(&json).map_err(|error| Error::Yaml(error.to_string()))
    }
}

impl Maintainer {
    fn to_json(&self) -> Json {
        let built = Struct::default().full("name", &*self.name).full("email", &*self.email);
        built.full("url", &*self.url).into()
    }
}

fn maintainers(fields: &Fields<'_>) -> Result<Vec<Maintainer>, Error> {
    let items = fields.items("maintainers", "[]*chart.Maintainer")?;
    items
        .iter()
        .map(|item| {
            if *item == yaml::Value::Null {
                let why = "maintainers must not contain empty or null nodes";
                return Err(Error::Validation(why.to_owned()));
            }
            let fields = Fields::of(item, "Maintainer.maintainers", "chart.Maintainer")?;
            Ok(Maintainer {
                name: fields.text("name")?,
                email: fields.text("email")?,
                url: fields.text("url")?,
            })
        })
        .collect()
}

/// Go's `filepath.Base(name) == name`.
pub(super) fn is_base_name(name: &str) -> bool {
    !name.is_empty() && (!name.contains('/') || name == "/")
}

/// White space becomes a space, what cannot be printed goes.
pub(super) fn clean(text: &mut String) {
    let odd = |c: char| c != ' ' && (c.is_whitespace() || !is_print(c));
    if text.contains(odd) {
        let keep = |c: char| if c.is_whitespace() { Some(' ') } else { is_print(c).then_some(c) };
        *text = text.chars().filter_map(keep).collect();
    }
}

/// Close to Go's `unicode.IsPrint`: no controls, formats, private or unassigned characters that
/// matter in a chart's name.
fn is_print(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}'))
}
