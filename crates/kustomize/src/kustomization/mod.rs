//! kustomization.yaml: its fields, as they are written.

use std::collections::BTreeMap;

use yaml::Value;

use crate::Error;
use crate::config::read_specs;
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::generator::config_map::{ConfigMap, GeneratorOptions};
use crate::generator::helm;
use crate::generator::secret::Secret;
use crate::transformer::image::Image;
use crate::transformer::patch::PatchEntry;
use crate::transformer::replacement::Replacements;
use crate::transformer::replicas::Replicas;
use crate::variable::Variable;

/// The names a kustomization file may have.
pub(crate) const FILE_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KIND: &str = "Kustomization";
const COMPONENT: &str = "Component";

/// A kustomization file, deprecated fields folded into those that took their place.
#[derive(Default)]
pub(crate) struct Kustomization {
    pub(crate) kind: String,
    api_version: String,
    empty: bool,
    pub(crate) openapi: BTreeMap<String, String>,
    pub(crate) name_prefix: String,
    pub(crate) name_suffix: String,
    pub(crate) namespace: String,
    pub(crate) common_labels: BTreeMap<String, String>,
    pub(crate) labels: Vec<Label>,
    pub(crate) common_annotations: BTreeMap<String, String>,
    pub(crate) patches_strategic_merge: Vec<String>,
    pub(crate) patches_json: Vec<PatchEntry>,
    pub(crate) patches: Vec<PatchEntry>,
    pub(crate) images: Vec<Image>,
    pub(crate) replacements: Vec<Value>,
    pub(crate) replicas: Vec<Replicas>,
    pub(crate) vars: Vec<Variable>,
    /// As written: it is looked at only in the outermost kustomization.
    pub(crate) sort_options: Option<Value>,
    pub(crate) resources: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) crds: Vec<String>,
    pub(crate) config_maps: Vec<ConfigMap>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) helm_globals: Value,
    pub(crate) helm_charts: Vec<Value>,
    pub(crate) configurations: Vec<String>,
    pub(crate) generators: Vec<String>,
    pub(crate) transformers: Vec<String>,
    pub(crate) validators: Vec<String>,
    pub(crate) build_metadata: Vec<String>,
    /// What is said to whoever builds it.
    pub(crate) warnings: Vec<String>,
}

/// An entry of `labels`.
pub(crate) struct Label {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) selectors: bool,
    pub(crate) templates: bool,
    pub(crate) fields: Vec<FieldSpec>,
}

/// The fields of a kustomization.
pub const FIELDS: [&str; 34] = [
    "apiVersion",
    "kind",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
];

impl Kustomization {
    /// Reads a file. Unknown fields are errors.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let read = || {
            let value = yaml::parse(text)?;
            let fields = Fields::strict(&value, KIND)?;
            fields.only(&FIELDS)?;
            Self::read(&fields)
        };
        read().map_err(|error: Error| error.within("invalid Kustomization"))
    }

    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        let options = fields.get("generatorOptions");
        let options = options
            .map(|options| GeneratorOptions::read(&fields.below(options, "GeneratorOptions")?));
        let options = options.transpose()?;
        let options = options.as_ref();
        let each = |key, name| fields.each(key, name);
        let mut read = Self {
            empty: is_empty(fields),
            warnings: warnings(fields),
            config_maps: each("configMapGenerator", "ConfigMapArgs")?
                .iter()
                .map(|one| ConfigMap::read(one, options))
                .collect::<Result<_, _>>()?,
            secrets: each("secretGenerator", "SecretArgs")?
                .iter()
                .map(|one| Secret::read(one, options))
                .collect::<Result<_, _>>()?,
            ..Self::default()
        };
        read.read_texts(fields)?;
        read.read_edits(fields)?;
        read.read_charts(fields)?;
        if let Some(meta) = fields.get("metadata") {
            let meta = fields.below(meta, "ObjectMeta")?;
            meta.only(&["name", "namespace", "labels", "annotations"])?;
        }
        if read.kind.is_empty() {
            KIND.clone_into(&mut read.kind);
        }
        Ok(read)
    }

    fn read_texts(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        for (key, text) in [
            ("apiVersion", &mut self.api_version),
            ("kind", &mut self.kind),
            ("namePrefix", &mut self.name_prefix),
            ("nameSuffix", &mut self.name_suffix),
            ("namespace", &mut self.namespace),
        ] {
            *text = fields.text(key)?;
        }
        for (key, list) in [
            ("patchesStrategicMerge", &mut self.patches_strategic_merge),
            ("resources", &mut self.resources),
            ("components", &mut self.components),
            ("crds", &mut self.crds),
            ("configurations", &mut self.configurations),
            ("generators", &mut self.generators),
            ("transformers", &mut self.transformers),
            ("validators", &mut self.validators),
            ("buildMetadata", &mut self.build_metadata),
        ] {
            *list = fields.texts(key)?;
        }
        self.resources.extend(fields.texts("bases")?);
        for (key, map) in [
            ("openapi", &mut self.openapi),
            ("commonLabels", &mut self.common_labels),
            ("commonAnnotations", &mut self.common_annotations),
        ] {
            *map = fields.map(key)?;
        }
        Ok(())
    }

    fn read_edits(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        let each = |key, name| fields.each(key, name);
        for label in each("labels", "Label")? {
            self.labels.push(Label::read(&label)?);
        }
        for patch in each("patchesJson6902", "Patch")? {
            self.patches_json.push(PatchEntry::read(&patch)?);
        }
        for patch in each("patches", "Patch")? {
            self.patches.push(PatchEntry::read(&patch)?);
        }
        for image in each("images", "Image")?.into_iter().chain(each("imageTags", "Image")?) {
            self.images.push(Image::read(&image)?);
        }
        for replicas in each("replicas", "Replica")? {
            self.replicas.push(Replicas::read(&replicas)?);
        }
        for variable in each("vars", "Var")? {
            self.vars.push(Variable::read(&variable)?);
        }
        Replacements::check(&each("replacements", "ReplacementField")?)?;
        self.replacements = fields.list("replacements")?.to_vec();
        self.sort_options = fields.get("sortOptions").cloned();
        Ok(())
    }

    fn read_charts(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        self.helm_globals = fields.get("helmGlobals").cloned().unwrap_or_default();
        fields.below(&self.helm_globals, "HelmGlobals")?.only(&["chartHome", "configHome"])?;
        for chart in fields.each("helmCharts", "HelmChart")? {
            chart.only(&helm::FIELDS)?;
        }
        self.helm_charts = fields.list("helmCharts")?.to_vec();
        for old in fields.each("helmChartInflationGenerator", "HelmChartArgs")? {
            let (chart, home) = helm::modernised(&old)?;
            self.helm_charts.push(chart);
            if self.helm_globals == Value::Null
                && let Some(home) = home
            {
                self.helm_globals = home;
            }
        }
        Ok(())
    }

    /// kustomize's checks of the file as a whole; `root` is its folder.
    pub(crate) fn check(&self, root: &str) -> Result<(), Error> {
        if self.empty {
            return Err(Error::Invalid("kustomization.yaml is empty".to_owned()));
        }
        let wanted = match self.kind.as_str() {
            COMPONENT => "kustomize.config.k8s.io/v1alpha1",
            _ => "kustomize.config.k8s.io/v1beta1",
        };
        let mut problems = Vec::new();
        if self.kind != KIND && self.kind != COMPONENT {
            problems.push("kind should be Kustomization or Component".to_owned());
        }
        if !self.api_version.is_empty() && self.api_version != wanted {
            problems.push(format!("apiVersion for {} should be {wanted}", self.kind));
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "Failed to read kustomization file under {root}:\n{}",
            problems.join("\n")
        )))
    }

    pub(crate) fn is_component(&self) -> bool {
        self.kind == COMPONENT
    }
}

impl Label {
    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        fields.only(&["pairs", "includeSelectors", "includeTemplates", "fields"])?;
        for spec in fields.each("fields", "FieldSpec")? {
            spec.only(&["group", "version", "kind", "path", "create"])?;
        }
        Ok(Self {
            pairs: fields.map("pairs")?,
            selectors: fields.flag("includeSelectors")?,
            templates: fields.flag("includeTemplates")?,
            fields: read_specs(fields.list("fields")?)?,
        })
    }
}

/// Whether nothing is said but what kind of file it is.
fn is_empty(fields: &Fields<'_>) -> bool {
    let folded = ["bases", "imageTags", "helmChartInflationGenerator"];
    FIELDS[2..].iter().all(|key| match fields.get(key) {
        None => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Sequence(items)) => items.is_empty() && folded.contains(key),
        Some(_) => false,
    })
}

fn warnings(fields: &Fields<'_>) -> Vec<String> {
    let deprecated = [
        ("bases", "resources", ""),
        ("commonLabels", "labels", ""),
        ("imageTags", "images", ""),
        ("patchesJson6902", "patches", ""),
        ("patchesStrategicMerge", "patches", ""),
        ("vars", "replacements", "[EXPERIMENTAL] "),
    ];
    let used = deprecated.into_iter().filter(|(old, ..)| fields.get(old).is_some());
    used.map(|(old, new, note)| {
        format!(
            "# Warning: '{old}' is deprecated. Please use '{new}' instead. {note}Run 'kustomize edit \
             fix' to update your Kustomization automatically."
        )
    })
    .collect()
}
