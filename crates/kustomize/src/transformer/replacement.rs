//! Values of some fields in the place of others.

use yaml::Value;

use super::{Setup, Transformer};
use crate::Error;
use crate::fields::Fields;
use crate::gvk::Id;
use crate::node::{Kind, Node, Scalar, Tag, lookup, matching, smart_split};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;
use crate::selector::Selector;

/// The field that is meant if none is named.
const DEFAULT_FIELD: &str = "metadata.name";

/// Replacements, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replacements {
    list: Vec<Replacement>,
}

#[derive(Debug, Clone)]
struct Replacement {
    source: Source,
    targets: Vec<Target>,
}

#[derive(Debug, Clone)]
enum Source {
    Value(String),
    Field { id: Id, path: String, options: Options },
}

#[derive(Debug, Clone)]
struct Target {
    select: Selector,
    reject: Vec<Selector>,
    paths: Vec<String>,
    options: Options,
}

#[derive(Debug, Clone, Default)]
struct Options {
    delimiter: String,
    index: i64,
    create: bool,
}

impl Replacements {
    /// From the entries of `replacements`; those with a path stand for what is in that file.
    pub(crate) fn read(entries: &[Fields<'_>], setup: Setup<'_, '_>) -> Result<Self, Error> {
        let mut list = Vec::new();
        for fields in entries {
            let path = fields.text("path")?;
            if path.is_empty() {
                list.push(Replacement::read(fields)?);
                continue;
            }
            if fields.get("source").is_some() || !fields.list("targets")?.is_empty() {
                return Err(Error::Invalid(
                    "cannot specify both path and inline replacement".to_owned(),
                ));
            }
            match yaml::parse(&setup.loader.load_text(&path)?)? {
                Value::Sequence(items) => {
                    for item in &items {
                        list.push(Replacement::read(&Fields::of(item, "Replacement")?)?);
                    }
                }
                value @ Value::Mapping(_) => {
                    list.push(Replacement::read(&Fields::of(&value, "Replacement")?)?);
                }
                _ => {
                    return Err(Error::Invalid(format!(
                        "unsupported replacement type encountered within replacement path: {path} is \
                         neither a list nor a mapping"
                    )));
                }
            }
        }
        Ok(Self { list })
    }

    /// Looks for unknown fields of the entries in a kustomization.
    pub(crate) fn check(entries: &[Fields<'_>]) -> Result<(), Error> {
        for entry in entries {
            entry.only(&["path", "source", "targets", "sourceValue"])?;
            if let Some(source) = entry.get("source") {
                let source = entry.below(source, "SourceSelector")?;
                source.only(&[
                    "group",
                    "version",
                    "kind",
                    "name",
                    "namespace",
                    "fieldPath",
                    "options",
                ])?;
                Options::read(&source)?;
            }
            for target in entry.each("targets", "TargetSelector")? {
                target.only(&["select", "reject", "fieldPaths", "options"])?;
                target.selector_at("select")?;
                target
                    .each("reject", "Selector")?
                    .iter()
                    .try_for_each(|one| one.selector().map(|_| ()))?;
                Options::read(&target)?;
            }
        }
        Ok(())
    }
}

impl Replacement {
    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        let invalid = |why: &str| Err(Error::Invalid(why.to_owned()));
        let source = match (fields.get("sourceValue"), fields.get("source")) {
            (None, None) => {
                return invalid("replacements must specify a source and at least one target");
            }
            (Some(_), Some(_)) => {
                return invalid("value and resource selectors are mutually exclusive");
            }
            (Some(_), None) => Source::Value(fields.text("sourceValue")?),
            (None, Some(source)) => Source::read(&fields.below(source, "SourceSelector")?)?,
        };
        if fields.get("targets").is_none() {
            return invalid("replacements must specify a source and at least one target");
        }
        let targets = fields.each("targets", "TargetSelector")?;
        let targets = targets.iter().map(Target::read).collect::<Result<_, _>>()?;
        Ok(Self { source, targets })
    }
}

fn or_default(path: String) -> String {
    if path.is_empty() { DEFAULT_FIELD.to_owned() } else { path }
}

impl Source {
    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self::Field {
            id: fields.id()?,
            path: or_default(fields.text("fieldPath")?),
            options: Options::read(fields)?,
        })
    }

    /// The value that is put elsewhere.
    fn value(&self, resources: &[Resource]) -> Result<Node, Error> {
        let (id, path, options) = match self {
            Self::Value(value) => return Ok(Node::Scalar(Scalar::tagged(value, Tag::None))),
            Self::Field { id, path, options } => (id, path, options),
        };
        let mut matches =
            resources.iter().filter(|one| ids(one).iter().any(|other| other.is_selected_by(id)));
        let source = matches.next().ok_or_else(|| {
            Error::NoMatch(format!("nothing selected by {id}:{path}{}", options.text()))
        })?;
        if matches.next().is_some() {
            return Err(Error::NoMatch(format!(
                "multiple matches for selector {id}:{path}{}",
                options.text()
            )));
        }
        let found = lookup(&source.node, &smart_split(path, '.'))
            .map_err(|error| error.within("error looking up replacement source"))?
            .filter(|node| !node.is_empty())
            .ok_or_else(|| {
                Error::NoMatch(format!("fieldPath `{path}` is missing for replacement source {id}"))
            })?;
        options.part(found)
    }
}

impl Options {
    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        let Some(value) = fields.get("options") else { return Ok(Self::default()) };
        let options = fields.below(value, "FieldOptions")?;
        options.only(&["delimiter", "index", "encoding", "create"])?;
        Ok(Self {
            delimiter: options.text("delimiter")?,
            index: options.integer("index")?,
            create: options.flag("create")?,
        })
    }

    fn text(&self) -> String {
        if self.delimiter.is_empty() && !self.create {
            return String::new();
        }
        format!(":{}({}), create={}", self.delimiter, self.index, self.create)
    }

    /// The part of a source's value that is asked for.
    fn part(&self, node: &Node) -> Result<Node, Error> {
        if self.delimiter.is_empty() {
            return Ok(node.clone());
        }
        let Node::Scalar(scalar) = node else { return Err(needs_scalar()) };
        let part = usize::try_from(self.index)
            .ok()
            .and_then(|index| scalar.value.split(self.delimiter.as_str()).nth(index));
        let part = part.ok_or_else(|| {
            Error::Field(format!(
                "options.index {} is out of bounds for value {}",
                self.index, scalar.value
            ))
        })?;
        Ok(Node::Scalar(Scalar { value: part.to_owned(), ..scalar.clone() }))
    }

    /// A value, or a target's value with the value as one part of it.
    fn placed(&self, target: &Node, value: &Node) -> Result<Node, Error> {
        if self.delimiter.is_empty() {
            return Ok(value.clone());
        }
        let Node::Scalar(old) = target else { return Err(needs_scalar()) };
        let text = if value.is_null() { "" } else { value.value() };
        let mut parts: Vec<&str> = old.value.split(self.delimiter.as_str()).collect();
        match usize::try_from(self.index) {
            Err(_) => parts.insert(0, text),
            Ok(at) if at >= parts.len() => parts.push(text),
            Ok(at) => parts[at] = text,
        }
        let joined = parts.join(&self.delimiter);
        Ok(match value {
            Node::Scalar(scalar) => Node::Scalar(Scalar { value: joined, ..scalar.clone() }),
            _ => Node::plain(&joined),
        })
    }
}

fn needs_scalar() -> Error {
    Error::Field("delimiter option can only be used with scalar nodes".to_owned())
}

/// All ids of a resource; what is of the cluster counts as being in the default namespace here.
fn ids(resource: &Resource) -> Vec<Id> {
    let now = Id { cluster: false, ..resource.id() };
    std::iter::once(now).chain(resource.previous_ids()).collect()
}

impl Target {
    fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        let select = fields.selector_at("select")?;
        let reject = fields.each("reject", "Selector")?;
        let mut paths = fields.texts("fieldPaths")?;
        if paths.is_empty() {
            paths.push(DEFAULT_FIELD.to_owned());
        }
        Ok(Self {
            select: select.ok_or_else(|| {
                Error::Invalid("target must specify resources to select".to_owned())
            })?,
            reject: reject.iter().map(Fields::selector).collect::<Result<_, _>>()?,
            paths,
            options: Options::read(fields)?,
        })
    }

    fn apply(&self, resources: &mut [Resource], value: &Node) -> Result<(), Error> {
        let select = self.select.texts()?;
        let has_texts = |one: &&Selector| !(one.labels.is_empty() && one.annotations.is_empty());
        let reject = self.reject.iter().filter(has_texts).map(Selector::texts);
        let reject = reject.collect::<Result<Vec<_>, _>>()?;
        for resource in resources {
            if !select.matches(resource) || reject.iter().any(|texts| texts.matches(resource)) {
                continue;
            }
            let ids = ids(resource);
            let selected = ids.iter().any(|id| id.is_selected_by(&self.select.id));
            let rejected = self
                .reject
                .iter()
                .filter(|one| !one.id.is_empty())
                .any(|one| ids.iter().any(|id| id.is_selected_by(&one.id)));
            if selected && !rejected {
                self.copy_to(&mut resource.node, value)?;
            }
        }
        Ok(())
    }

    fn copy_to(&self, node: &mut Node, value: &Node) -> Result<(), Error> {
        let create = self.options.create.then_some(match value {
            Node::Scalar(_) => Kind::Scalar,
            Node::List(_) => Kind::List,
            Node::Map(_) => Kind::Map,
        });
        for path in &self.paths {
            let how = if create.is_some() { "find or create" } else { "find" };
            let why = || format!("unable to {how} field {path:?} in replacement target");
            let parts = smart_split(path, '.');
            let mut set = |target: &mut Node| self.set(target, value);
            let count =
                matching(node, &parts, create, &mut set).map_err(|error| error.within(why()))?;
            if count == 0 {
                return Err(Error::NoMatch(why()));
            }
        }
        Ok(())
    }

    /// A scalar keeps its type and takes only the text.
    fn set(&self, target: &mut Node, value: &Node) -> Result<(), Error> {
        let placed = self.options.placed(target, value)?;
        match target {
            Node::Scalar(scalar) => placed.value().clone_into(&mut scalar.value),
            target => *target = placed,
        }
        Ok(())
    }
}

impl Transformer for Replacements {
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error> {
        for replacement in &self.list {
            let value = replacement.source.value(resources.list())?;
            for target in &replacement.targets {
                target.apply(resources.list_mut(), &value)?;
            }
        }
        for resource in resources.list_mut() {
            resource.refresh_scope(schema);
        }
        resources.drop_empty();
        Ok(())
    }
}
