//! Which resources a patch or replacement is for.

use std::collections::BTreeMap;

use regex::Regex;

use crate::gvk::Id;
use crate::resource::Resource;
use crate::{Error, pattern};

/// Resources by id, labels and annotations; what is empty matches anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Selector {
    pub(crate) id: Id,
    pub(crate) labels: String,
    pub(crate) annotations: String,
}

/// A [`Selector`] whose fields are expressions for the whole of a text.
pub(crate) struct Compiled {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    texts: Texts,
}

/// Conditions on labels and annotations.
pub(crate) struct Texts {
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

impl Selector {
    pub(crate) fn compile(&self) -> Result<Compiled, Error> {
        Ok(Compiled {
            group: pattern::whole(&self.id.gvk.group)?,
            version: pattern::whole(&self.id.gvk.version)?,
            kind: pattern::whole(&self.id.gvk.kind)?,
            name: pattern::whole(&self.id.name)?,
            namespace: pattern::whole(&self.id.namespace)?,
            texts: self.texts()?,
        })
    }

    pub(crate) fn texts(&self) -> Result<Texts, Error> {
        Ok(Texts {
            labels: parse_requirements(&self.labels)?,
            annotations: parse_requirements(&self.annotations)?,
        })
    }
}

impl Compiled {
    /// Names and namespaces may be the present ones or those at first.
    pub(crate) fn matches(&self, resource: &Resource) -> bool {
        let fits = |pattern: &Option<Regex>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
        };
        let (now, first) = (resource.id(), resource.original_id());
        (fits(&self.namespace, first.effective_namespace())
            || fits(&self.namespace, now.effective_namespace()))
            && (fits(&self.name, &first.name) || fits(&self.name, &now.name))
            && fits(&self.group, &now.gvk.group)
            && fits(&self.version, &now.gvk.version)
            && fits(&self.kind, &now.gvk.kind)
            && self.texts.matches(resource)
    }
}

impl Texts {
    pub(crate) fn matches(&self, resource: &Resource) -> bool {
        [(&self.labels, "labels"), (&self.annotations, "annotations")].into_iter().all(
            |(requirements, field)| {
                if requirements.is_empty() {
                    return true;
                }
                let texts = resource.texts(field);
                requirements.iter().all(|requirement| requirement.matches(&texts))
            },
        )
    }
}

/// One condition of a label selector.
#[derive(Debug, PartialEq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, PartialEq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Above(i64),
    Below(i64),
}

impl Requirement {
    fn matches(&self, texts: &BTreeMap<String, String>) -> bool {
        let value = texts.get(&self.key);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::Missing => value.is_none(),
            Operator::Above(limit) => number().is_some_and(|number| number > *limit),
            Operator::Below(limit) => number().is_some_and(|number| number < *limit),
        }
    }
}

/// Reads a label selector of Kubernetes: `a=b,c!=d,e in (f,g),h,!i`.
fn parse_requirements(text: &str) -> Result<Vec<Requirement>, Error> {
    parts(text)
        .into_iter()
        .map(|part| {
            parse_requirement(part.trim()).ok_or_else(|| {
                Error::Invalid(format!(
                    "unable to parse requirement: {text:?}: cannot read {part:?}"
                ))
            })
        })
        .collect()
}

/// Cuts at commas outside of parentheses.
fn parts(text: &str) -> Vec<&str> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    let requirement = |key: &str, operator| {
        let key = key.trim();
        is_key(key).then(|| Requirement { key: key.to_owned(), operator })
    };
    if let Some(key) = part.strip_prefix('!') {
        return requirement(key, Operator::Missing);
    }
    for (sign, negative) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = part.split_once(sign) {
            let value = value.trim();
            let values = is_value(value).then(|| vec![value.to_owned()])?;
            let operator = if negative { Operator::NotIn(values) } else { Operator::In(values) };
            return requirement(key, operator);
        }
    }
    for (sign, above) in [('>', true), ('<', false)] {
        if let Some((key, value)) = part.split_once(sign) {
            let limit = value.trim().parse().ok()?;
            let operator = if above { Operator::Above(limit) } else { Operator::Below(limit) };
            return requirement(key, operator);
        }
    }
    let Some((head, list)) = part.split_once('(') else {
        return requirement(part, Operator::Exists);
    };
    let values = list.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
    let (key, word) = head.trim().rsplit_once(char::is_whitespace)?;
    match word {
        "in" => requirement(key, Operator::In(values)),
        "notin" => requirement(key, Operator::NotIn(values)),
        _ => None,
    }
}

fn is_key(key: &str) -> bool {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    !name.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}

fn is_value(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::parse_requirements;

    #[test]
    fn label_selectors() {
        let texts: BTreeMap<String, String> =
            [("a", "b"), ("n", "5")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (text, want) in [
            ("", true),
            ("a=b", true),
            ("a==b,n", true),
            ("a != b", false),
            ("a in (b, c),!x", true),
            ("a notin (b)", false),
            ("x notin (b)", true),
            ("n>4,n<6", true),
            ("x", false),
        ] {
            let read = parse_requirements(text).unwrap();
            assert_eq!(read.iter().all(|one| one.matches(&texts)), want, "{text}");
        }
        assert!(parse_requirements("a ~ b").is_err());
        assert!(parse_requirements("a in b)").is_err());
    }
}
