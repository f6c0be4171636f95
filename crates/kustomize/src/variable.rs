//! `vars`: values of fields that texts elsewhere name as `$(NAME)`.

use std::collections::BTreeMap;

use yaml::Value;

use crate::Error;
use crate::config::Config;
use crate::fields::Fields;
use crate::gvk::{Id, split_api_version};
use crate::node::{Node, Scalar, Style, Tag, lookup, smart_split};
use crate::resource::Resource;
use crate::resources::Resources;

/// A name and the field whose value it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    id: Id,
    path: String,
}

/// Variables by name.
pub(crate) type Variables = BTreeMap<String, Variable>;

impl Variable {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        fields.only(&["name", "objref", "fieldref"])?;
        let empty = Value::Null;
        let at = |key, name| fields.below(fields.get(key).unwrap_or(&empty), name);
        let (object, field) = (at("objref", "Target")?, at("fieldref", "FieldSelector")?);
        object.only(&["apiVersion", "group", "version", "kind", "name", "namespace"])?;
        field.only(&["fieldPath"])?;
        let mut id = object.id()?;
        let api_version = object.text("apiVersion")?;
        if !api_version.is_empty() {
            let (group, version) = split_api_version(&api_version);
            if !group.is_empty() {
                group.clone_into(&mut id.gvk.group);
            }
            version.clone_into(&mut id.gvk.version);
        }
        let path = field.text("fieldPath")?;
        let path = if path.is_empty() { "metadata.name".to_owned() } else { path };
        Ok(Self { name: fields.text("name")?, id, path })
    }

    /// Marks the resource that it takes its value from.
    pub(crate) fn mark(&self, resources: &mut Resources) -> Result<(), Error> {
        let found = resources.with_any_id(|id| {
            id.name == self.id.name
                && id.gvk == self.id.gvk
                && (self.id.namespace.is_empty() || id.same_namespace(&self.id))
        });
        match found[..] {
            [] => Ok(()),
            [at] => {
                resources.list_mut()[at].variables.push(self.name.clone());
                Ok(())
            }
            _ => Err(Error::NoMatch(format!(
                "found {} resId matches for var {self} (unable to disambiguate)",
                found.len()
            ))),
        }
    }

    fn value(&self, resources: &[Resource]) -> Result<Replacement, Error> {
        let resource = resources
            .iter()
            .find(|resource| resource.variables.contains(&self.name))
            .ok_or_else(|| {
                Error::NoMatch(format!(
                    "var '{self}' cannot be mapped to a field in the set of known resources"
                ))
            })?;
        let path: Vec<String> =
            smart_split(&self.path, '.').into_iter().flat_map(with_index).collect();
        lookup(&resource.node, &path).ok().flatten().map(Replacement::of).ok_or_else(|| {
            Error::NoMatch(format!(
                "field specified in var '{self}' not found in corresponding resource"
            ))
        })
    }
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{} {} {{{}}}}}", self.name, self.id.gvk, self.path)
    }
}

/// `a[0]` as `a` and `0`.
fn with_index(part: String) -> Vec<String> {
    let cut = part.strip_suffix(']').and_then(|part| part.rsplit_once('['));
    match cut {
        Some((name, index)) if !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()) => {
            let name = Some(name).filter(|name| !name.is_empty()).map(str::to_owned);
            name.into_iter().chain([index.to_owned()]).collect()
        }
        _ => vec![part],
    }
}

/// Adds variables; one name must not come twice.
pub(crate) fn add(
    all: &mut Variables,
    new: impl IntoIterator<Item = Variable>,
) -> Result<(), Error> {
    for variable in new {
        let name = variable.name.clone();
        if all.insert(name.clone(), variable).is_some() {
            return Err(Error::Conflict(format!("var '{name}' already encountered")));
        }
    }
    Ok(())
}

/// Puts the values of all variables into the fields that may name them.
pub(crate) fn resolve(
    resources: &mut Resources,
    variables: &Variables,
    config: &Config,
) -> Result<(), Error> {
    if variables.is_empty() {
        return Ok(());
    }
    let values = variables.values();
    let values: BTreeMap<&str, Replacement> = values
        .map(|variable| Ok((variable.name.as_str(), variable.value(resources.list())?)))
        .collect::<Result<_, Error>>()?;
    for resource in resources.list_mut() {
        for spec in &config.variable_references {
            spec.apply(&mut resource.node, crate::field::Create::Nothing, &mut |node| {
                replace_in(node, &values)
            })?;
        }
    }
    Ok(())
}

/// What a variable stands for.
#[derive(Debug, Clone, PartialEq)]
enum Replacement {
    Scalar(Scalar),
    /// A collection, which no text can hold.
    Other,
}

impl Replacement {
    fn of(node: &Node) -> Self {
        let Node::Scalar(scalar) = node else { return Self::Other };
        let tag = match scalar.tag {
            tag @ (Tag::Int | Tag::Float | Tag::Bool) => tag,
            _ => Tag::Str,
        };
        let value = match scalar.to_value() {
            Ok(Value::Int(number)) if tag == Tag::Int => number.to_string(),
            _ => scalar.value.clone(),
        };
        Self::Scalar(Scalar { value, tag, style: Style::Plain })
    }
}

type Values<'v> = BTreeMap<&'v str, Replacement>;

fn replace_in(node: &mut Node, values: &Values<'_>) -> Result<(), Error> {
    match node {
        Node::Scalar(scalar) => {
            if scalar.is_string() {
                *scalar = expand(&scalar.value, values);
            }
            Ok(())
        }
        Node::Map(map) => map.pairs.iter_mut().try_for_each(|(key, value)| {
            if !key.is_string() {
                return Err(Error::Field(format!(
                    "invalid map key: value='{}', tag='!!{}'",
                    key.value,
                    key.tag.name()
                )));
            }
            if let Node::Scalar(scalar) = value
                && scalar.is_string()
            {
                *scalar = expand(&scalar.value, values);
            }
            Ok(())
        }),
        Node::List(items) => items.iter_mut().try_for_each(|item| match item {
            Node::Scalar(scalar) if scalar.is_string() => {
                *scalar = expand(&scalar.value, values);
                Ok(())
            }
            _ => Err(Error::Field("invalid value type expect a string".to_owned())),
        }),
    }
}

/// A text with its variables replaced; one that is nothing but a variable takes over its type.
fn expand(text: &str, values: &Values<'_>) -> Scalar {
    let whole = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(Replacement::Scalar(scalar)) = whole.and_then(|name| values.get(name)) {
        return scalar.clone();
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$').filter(|at| at + 1 < rest.len()) {
        result.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match (after.as_bytes()[0], after.find(')')) {
            (b'$', _) => {
                result.push('$');
                &after[1..]
            }
            (b'(', Some(end)) => {
                match values.get(&after[1..end]) {
                    Some(Replacement::Scalar(scalar)) => result.push_str(&scalar.value),
                    _ => result.extend(["$", &after[..=end]]),
                }
                &after[end + 1..]
            }
            (b'(', None) => {
                result.push_str("$(");
                &after[1..]
            }
            _ => {
                result.push('$');
                after
            }
        };
    }
    result.push_str(rest);
    Scalar { value: result, tag: Tag::Str, style: Style::Plain }
}

#[cfg(test)]
mod tests {
    use super::{Replacement, Values, expand};
    use crate::node::{Scalar, Tag};

    #[test]
    fn texts_are_expanded() {
        let number = Replacement::Scalar(Scalar::tagged("8", Tag::Int));
        let values: Values<'_> = [("A", number)].into();
        for (text, want) in [
            ("x$(A)y$(B)", "x8y$(B)"),
            ("$$(A)", "$(A)"),
            ("$(A", "$(A"),
            ("$a $", "$a $"),
            ("é$é", "é$é"),
        ] {
            assert_eq!(expand(text, &values).value, want);
        }
        assert_eq!(expand("$(A)", &values).tag, Tag::Int);
    }
}
