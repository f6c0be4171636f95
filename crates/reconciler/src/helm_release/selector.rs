//! Which objects a rule is about.

use api::kustomize::Selector as Spec;
use regex::Regex;
use serde_json::Value;

/// A target of the spec, ready to be asked.
#[derive(Debug)]
pub(super) struct Selector {
    /// Patterns of group, version, kind, namespace and name.
    patterns: [Option<Regex>; 5],
    labels: Vec<Term>,
    annotations: Vec<Term>,
}

/// One condition on a label or annotation.
#[derive(Debug, PartialEq, Eq)]
enum Term {
    Is(String, Vec<String>),
    IsNot(String, Vec<String>),
    Has(String),
    HasNot(String),
}

impl Selector {
    /// Reads a target.
    ///
    /// # Errors
    /// A pattern or selector that is none.
    pub(super) fn new(spec: &Spec) -> Result<Self, String> {
        let pattern = |text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            let whole = text.map(|text| Regex::new(&format!("^(?:{text})$")));
            whole.transpose().map_err(|why| why.to_string())
        };
        let terms = |text: &Option<String>| parse(text.as_deref().unwrap_or_default());
        Ok(Self {
            patterns: [
                pattern(&spec.group)?,
                pattern(&spec.version)?,
                pattern(&spec.kind)?,
                pattern(&spec.namespace)?,
                pattern(&spec.name)?,
            ],
            labels: terms(&spec.label_selector)?,
            annotations: terms(&spec.annotation_selector)?,
        })
    }

    /// Whether it is about an object.
    pub(super) fn fits(&self, object: &Value) -> bool {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let api_version = text(&object["apiVersion"]);
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let metadata = &object["metadata"];
        let values = [
            group.to_owned(),
            version.to_owned(),
            text(&object["kind"]),
            text(&metadata["namespace"]),
            text(&metadata["name"]),
        ];
        let fits = |(pattern, value): (&Option<Regex>, &String)| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
        };
        self.patterns.iter().zip(&values).all(fits)
            && self.labels.iter().all(|term| term.holds(&metadata["labels"]))
            && self.annotations.iter().all(|term| term.holds(&metadata["annotations"]))
    }
}

impl Term {
    fn holds(&self, texts: &Value) -> bool {
        let is = |key: &str, values: &[String]| {
            texts[key].as_str().is_some_and(|found| values.iter().any(|value| value == found))
        };
        match self {
            Self::Is(key, values) => is(key, values),
            Self::IsNot(key, values) => !is(key, values),
            Self::Has(key) => texts.get(key).is_some(),
            Self::HasNot(key) => texts.get(key).is_none(),
        }
    }
}

/// The terms of a selector: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, parted by commas.
fn parse(text: &str) -> Result<Vec<Term>, String> {
    let mut terms = Vec::new();
    let mut depth = 0_usize;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        terms.push(term(part).ok_or_else(|| format!("unable to parse requirement: {part}"))?);
    }
    Ok(terms)
}

fn term(part: &str) -> Option<Term> {
    let one = |key: &str, value: &str| (key.trim().to_owned(), vec![value.trim().to_owned()]);
    if let Some((key, value)) = part.split_once("!=") {
        let (key, values) = one(key, value);
        return Some(Term::IsNot(key, values));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        let (key, values) = one(key, value);
        return Some(Term::Is(key, values));
    }
    if let Some(key) = part.strip_prefix('!') {
        return Some(Term::HasNot(key.trim().to_owned()));
    }
    let Some((key, rest)) = part.split_once(char::is_whitespace) else {
        return Some(Term::Has(part.to_owned()));
    };
    let (operator, values) = rest.trim().split_once('(')?;
    let values = values.strip_suffix(')')?.split(',').map(|it| it.trim().to_owned()).collect();
    match operator.trim() {
        "in" => Some(Term::Is(key.to_owned(), values)),
        "notin" => Some(Term::IsNot(key.to_owned(), values)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_are_whole_and_selectors_count() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "ns", "labels": {"app": "a", "tier": "x"}}});
        let fits = |spec: Value| {
            Selector::new(&serde_json::from_value(spec).unwrap()).unwrap().fits(&object)
        };
        assert!(fits(json!({})) && fits(json!({"kind": "Deployment", "name": "we."})));
        assert!(!fits(json!({"kind": "Deploy"})) && !fits(json!({"group": "batch"})));
        assert!(fits(json!({"labelSelector": "app in (a, b), !none, tier=x"})));
        assert!(!fits(json!({"labelSelector": "app notin (a)"})));
        assert!(!fits(json!({"annotationSelector": "note"})));
        assert!(Selector::new(&serde_json::from_value(json!({"name": "("})).unwrap()).is_err());
    }
}
