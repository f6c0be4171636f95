//! Label selectors, as apimachinery reads them.

use std::collections::BTreeMap;

use api::meta::LabelSelector;

/// A checked selector; the default matches everything.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Checks a selector; the error is apimachinery's.
    pub(crate) fn new(selector: Option<&LabelSelector>) -> Result<Self, String> {
        let Some(selector) = selector else { return Ok(Self::default()) };
        let labels = selector.match_labels.iter().flatten();
        let mut requirements: Vec<Requirement> = labels
            .map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::In,
                values: vec![value.clone()],
            })
            .collect();
        for it in selector.match_expressions.iter().flatten() {
            let values = it.values.clone().unwrap_or_default();
            let operator = operator(&it.operator)?;
            check(operator, &values)?;
            requirements.push(Requirement { key: it.key.clone(), operator, values });
        }
        Ok(Self { requirements })
    }

    /// Whether all requirements hold.
    pub(crate) fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.requirements.iter().all(|it| {
            let value = labels.and_then(|labels| labels.get(&it.key));
            let listed = value.is_some_and(|value| it.values.contains(value));
            match it.operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        })
    }
}

fn operator(name: &str) -> Result<Operator, String> {
    match name {
        "In" => Ok(Operator::In),
        "NotIn" => Ok(Operator::NotIn),
        "Exists" => Ok(Operator::Exists),
        "DoesNotExist" => Ok(Operator::DoesNotExist),
        _ => Err(format!("{name:?} is not a valid label selector operator")),
    }
}

fn check(operator: Operator, values: &[String]) -> Result<(), String> {
    let needs_values = matches!(operator, Operator::In | Operator::NotIn);
    if needs_values && values.is_empty() {
        return Err("values: Invalid value: []: for 'in', 'notin' operators, values set can't be \
                    empty"
            .to_owned());
    }
    if !needs_values && !values.is_empty() {
        return Err(format!(
            "values: Invalid value: {values:?}: values set must be empty for exists and does not \
             exist"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn select(selector: serde_json::Value, labels: &[(&str, &str)]) -> Result<bool, String> {
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Ok(Selector::new(Some(&selector))?.matches(Some(&labels)))
    }

    fn expression(operator: &str, values: &[&str]) -> serde_json::Value {
        json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]})
    }

    #[test]
    fn requirements() {
        let one = [("a", "1")];
        assert_eq!(select(json!({}), &[]), Ok(true));
        assert_eq!(select(json!({"matchLabels": {"a": "1"}}), &one), Ok(true));
        assert_eq!(select(json!({"matchLabels": {"a": "2"}}), &one), Ok(false));
        assert_eq!(select(expression("In", &["1", "2"]), &one), Ok(true));
        assert_eq!(select(expression("NotIn", &["1"]), &[]), Ok(true));
        assert_eq!(select(expression("NotIn", &["1"]), &one), Ok(false));
        assert_eq!(select(expression("Exists", &[]), &one), Ok(true));
        assert_eq!(select(expression("DoesNotExist", &[]), &one), Ok(false));
    }

    #[test]
    fn errors_are_apimachinerys() {
        let bogus = select(expression("Bogus", &[]), &[]).unwrap_err();
        assert_eq!(bogus, "\"Bogus\" is not a valid label selector operator");
        assert!(select(expression("In", &[]), &[]).is_err());
        assert!(select(expression("Exists", &["x"]), &[]).is_err());
    }
}
