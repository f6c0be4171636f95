//! What strategic merge has to know of the fields of Kubernetes' kinds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use yaml::{Mapping, Value};

use crate::Error;

/// Made by `tests/tools/kustomize` from the `OpenAPI` description in kyaml.
const TABLE: &str = include_str!("table/schema.txt");

/// The version of Kubernetes that [`TABLE`] describes.
const VERSION: &str = "v1.21.2";

static BUILT_IN: LazyLock<Types> = LazyLock::new(|| Types::from_table(TABLE));

/// A text of the table as it is there, since it is read at every start, or of a description.
type Text = Cow<'static, str>;

/// Types by name, and kinds by version and name.
#[derive(Debug, Default)]
struct Types {
    named: HashMap<Text, HashMap<Text, Field>>,
    kinds: HashMap<Text, Text>,
    cluster: HashMap<Text, bool>,
}

/// A field whose content matters.
#[derive(Debug, Clone)]
enum Field {
    /// Of a type.
    Is(Text),
    /// A mapping whose values are of a type.
    MapOf(Text),
    /// A list that is merged by keys, or as texts without any; the type of its items.
    Merged(Vec<Text>, Option<Text>),
}

/// The description that a build goes by.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    custom: Option<Types>,
    /// The built-in description is not used.
    replaced: bool,
    /// A version was asked for.
    pinned: bool,
}

/// The place of a node in a description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'s> {
    schema: &'s Schema,
    at: At<'s>,
}

#[derive(Debug, Clone, Copy)]
enum At<'s> {
    Type(&'s str),
    Field(&'s Field),
}

impl Schema {
    /// What the `openapi` field of a kustomization asks for: `version`, or the text behind `path`.
    /// Of several kustomizations the outermost that says something is heard.
    pub(crate) fn set(
        &mut self,
        version: Option<&str>,
        custom: Option<&[u8]>,
        outermost: bool,
    ) -> Result<(), Error> {
        if (self.custom.is_some() || self.pinned) && !outermost {
            return Ok(());
        }
        match (version, custom) {
            (Some(_), Some(_)) => Err(Error::Invalid(
                "builtin version and custom schema provided, cannot use both".to_owned(),
            )),
            (None | Some(""), None) => Ok(()),
            (Some(VERSION), None) => {
                self.pinned = true;
                Ok(())
            }
            (Some(_), None) => {
                Err(Error::Invalid("the specified OpenAPI version is not built in".to_owned()))
            }
            (None, Some(text)) => {
                self.custom = Some(Types::from_openapi(text)?);
                self.replaced = outermost;
                Ok(())
            }
        }
    }

    /// Both descriptions, what is in the first is not looked for in the second.
    fn described(&self) -> impl Iterator<Item = &Types> {
        let built_in: Option<&Types> = if self.replaced { None } else { Some(&BUILT_IN) };
        built_in.into_iter().chain(&self.custom)
    }

    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<Place<'_>> {
        let key = format!("{api_version} {kind}");
        self.described().find_map(|types| {
            let name = types.kinds.get(&*key)?;
            Some(Place { schema: self, at: At::Type(name) })
        })
    }

    /// The fields of a type. A custom description may refer to types of the built-in one.
    fn fields(&self, name: &str) -> Option<&HashMap<Text, Field>> {
        self.described()
            .find_map(|types| types.named.get(name).or_else(|| types.named.get(short(name))))
    }

    pub(crate) fn is_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        let key = format!("{api_version} {kind}");
        let custom = || self.custom.as_ref().and_then(|types| types.cluster.get(&*key).copied());
        BUILT_IN.cluster.get(&*key).copied().or_else(custom).unwrap_or(false)
    }
}

impl<'s> Place<'s> {
    /// The place of a field of a mapping.
    pub(crate) fn field(self, key: &str) -> Option<Self> {
        let next = match self.at {
            At::Type(name) => {
                let fields = self.schema.fields(name)?;
                match fields.get(key).or_else(|| fields.get("*"))? {
                    Field::Is(name) => At::Type(name),
                    field => At::Field(field),
                }
            }
            At::Field(Field::MapOf(name)) => At::Type(name),
            At::Field(_) => return None,
        };
        Some(Self { schema: self.schema, at: next })
    }

    /// The keys of a list that is merged.
    pub(crate) fn merge_keys(self) -> Option<&'s [Text]> {
        match self.at {
            At::Field(Field::Merged(keys, _)) => Some(keys),
            _ => None,
        }
    }

    /// The place of an item of a list.
    pub(crate) fn item(self) -> Option<Self> {
        match self.at {
            At::Field(Field::Merged(_, Some(name))) => {
                Some(Self { schema: self.schema, at: At::Type(name) })
            }
            _ => None,
        }
    }
}

impl Types {
    fn from_table(table: &'static str) -> Self {
        let mut types = Self::default();
        let mut current: Option<&mut HashMap<Text, Field>> = None;
        for line in table.lines() {
            let Some((first, rest)) = line.split_once(' ') else { continue };
            match first {
                "type" => current = Some(types.named.entry(rest.into()).or_default()),
                "kind" => {
                    current = None;
                    types.add_kind(rest);
                }
                name => {
                    if let (Some(fields), Some(field)) = (&mut current, Field::from_words(rest)) {
                        fields.insert(name.into(), field);
                    }
                }
            }
        }
        types
    }

    /// From `apiVersion kind [type|-] [cluster]`.
    fn add_kind(&mut self, line: &'static str) {
        let Some(space) = line.find(' ') else { return };
        let end = line[space + 1..].find(' ').map_or(line.len(), |end| space + 1 + end);
        let (key, rest) = line.split_at(end);
        let first = rest.split_ascii_whitespace().next();
        if let Some(name) = first.filter(|name| *name != "-") {
            self.kinds.insert(key.into(), name.into());
        }
        self.cluster.insert(key.into(), rest.ends_with(" cluster"));
    }

    /// From an `OpenAPI` (v2) description in JSON or YAML.
    fn from_openapi(text: &[u8]) -> Result<Self, Error> {
        let invalid = |why: String| Error::Invalid(format!("invalid schema file: {why}"));
        let text = std::str::from_utf8(text).map_err(|error| invalid(error.to_string()))?;
        let document = yaml::parse(text).map_err(|error| invalid(error.to_string()))?;
        let mut types = Self::default();
        for (name, definition) in
            mapping(&document, "definitions").into_iter().flat_map(Mapping::iter)
        {
            for key in kinds_of(definition) {
                types.kinds.insert(key.into(), name.to_owned().into());
            }
            types.add(name, definition);
        }
        for (path, operations) in mapping(&document, "paths").into_iter().flat_map(Mapping::iter) {
            let Some(get) = operations.get("get") else { continue };
            let namespaced = path.contains("namespaces/{namespace}");
            for key in kinds_of(get) {
                let cluster = types.cluster.entry(key.into()).or_insert(true);
                *cluster &= !namespaced;
            }
        }
        Ok(types)
    }
}

impl Field {
    /// From `is type`, `map type` or `merge keys|- [type]`.
    fn from_words(line: &'static str) -> Option<Self> {
        let (how, rest) = line.split_once(' ')?;
        let (first, second) = rest.split_once(' ').map_or((rest, None), |it| (it.0, Some(it.1)));
        match how {
            "is" => Some(Self::Is(first.into())),
            "map" => Some(Self::MapOf(first.into())),
            "merge" => {
                let keys = first.split(',').filter(|key| *key != "-").map(Text::from).collect();
                Some(Self::Merged(keys, second.map(Text::from)))
            }
            _ => None,
        }
    }
}

impl Types {
    /// Adds a type and those that are written out inside of it.
    fn add(&mut self, name: &str, definition: &Value) {
        let properties = mapping(definition, "properties").into_iter().flat_map(Mapping::iter);
        let rest = definition.get("additionalProperties").map(|property| ("*", property));
        let mut fields = HashMap::new();
        for (key, property) in properties.chain(rest) {
            if let Some(field) = self.field(&format!("{name}/{key}"), property) {
                fields.insert(key.to_owned().into(), field);
            }
        }
        self.named.insert(name.to_owned().into(), fields);
    }

    fn field(&mut self, name: &str, property: &Value) -> Option<Field> {
        let text = |key: &str| property.get(key).and_then(Value::as_str);
        let strategy = text("x-kubernetes-patch-strategy").unwrap_or_default();
        if strategy.split(',').any(|word| word == "merge") {
            let list = property.get("x-kubernetes-list-map-keys").and_then(Value::as_sequence);
            let one = text("x-kubernetes-patch-merge-key");
            let keys: Vec<&str> = match list {
                Some(keys) => keys.iter().filter_map(Value::as_str).collect(),
                None => one.into_iter().collect(),
            };
            let keys = keys.into_iter().map(|key| key.to_owned().into()).collect();
            let item = property.get("items").and_then(|items| self.type_of(name, items));
            let item = item.map(Text::from);
            return Some(Field::Merged(keys, item));
        }
        self.type_of(name, property).map(|it| Field::Is(it.into()))
    }

    /// The name of a type that is referred to, or written out here.
    fn type_of(&mut self, name: &str, schema: &Value) -> Option<String> {
        if let Some(name) = reference(schema) {
            return Some(name);
        }
        if schema.get("properties").is_none() && schema.get("additionalProperties").is_none() {
            return None;
        }
        self.add(name, schema);
        Some(name.to_owned())
    }
}

fn mapping<'v>(value: &'v Value, key: &str) -> Option<&'v Mapping> {
    value.get(key)?.as_mapping()
}

/// The name of a type of Kubernetes as [`TABLE`] has it.
fn short(name: &str) -> &str {
    ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

fn reference(value: &Value) -> Option<String> {
    let target = value.get("$ref")?.as_str()?;
    Some(target.strip_prefix("#/definitions/").unwrap_or(target).to_owned())
}

/// `apiVersion kind` of each kind that a definition or operation is about.
fn kinds_of(value: &Value) -> Vec<String> {
    let list = match value.get("x-kubernetes-group-version-kind") {
        Some(Value::Sequence(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let key = |gvk: &Value| {
        let text = |key: &str| gvk.get(key).and_then(Value::as_str);
        let version = text("version")?;
        let kind = text("kind")?;
        Some(match text("group").filter(|group| !group.is_empty()) {
            Some(group) => format!("{group}/{version} {kind}"),
            None => format!("{version} {kind}"),
        })
    };
    list.iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::Schema;

    #[test]
    fn built_in_kinds_are_known() {
        let schema = Schema::default();
        let place = schema.kind("apps/v1", "Deployment").unwrap();
        let spec =
            place.field("spec").and_then(|spec| spec.field("template")?.field("spec")).unwrap();
        let containers = spec.field("containers").unwrap();
        assert_eq!(containers.merge_keys(), Some(&["name".into()][..]));
        let ports = containers.item().and_then(|item| item.field("ports")).unwrap();
        assert_eq!(ports.merge_keys().map(<[_]>::len), Some(2));
        assert!(schema.is_cluster_scoped("v1", "Namespace"));
        assert!(!schema.is_cluster_scoped("v1", "Pod"));
        assert!(schema.kind("example.com/v1", "Deployment").is_none());
    }
}
