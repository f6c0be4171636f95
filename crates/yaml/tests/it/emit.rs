//! Values as YAML, against what sigs.k8s.io/yaml writes.

use serde_json::Value as Json;
use testkit::Tally;
use yaml::{Mapping, Value, json_to_yaml};

/// As Go's `json.Unmarshal` into an untyped value: every number is a double.
fn decoded(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => Value::Float(number.as_f64().expect("a double")),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::Sequence(items.iter().map(decoded).collect()),
        Json::Object(object) => {
            let pairs = object.iter().map(|(key, value)| (key.clone(), decoded(value)));
            Value::Mapping(pairs.collect::<Mapping>())
        }
    }
}

#[test]
fn conformance() {
    let Some(folder) = testkit::corpus("yaml") else { return };
    let text = std::fs::read_to_string(folder.join("emit.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let mut tally = Tally::new("yaml/emit");
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let json = case["json"].as_str().unwrap();
        let field = |name: &str| case[name].as_str().map(str::to_owned);
        let want = field("yaml").ok_or_else(|| field("yamlErr").unwrap());
        tally.compare(name, &want, &json_to_yaml(json).map_err(|error| error.to_string()));
        if let Some(want) = field("marshal") {
            let value = decoded(&serde_json::from_str(json).unwrap());
            let got = value.to_yaml().map_err(|error| error.to_string());
            tally.compare(&format!("{name} (marshal)"), &Ok(want), &got);
        }
    }
    tally.finish();
}
