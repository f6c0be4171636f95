//! Values of documents, against what sigs.k8s.io/yaml says.

use serde_json::Value as Json;
use testkit::Tally;
use yaml::{Error, parse, parse_strict};

fn to_json(read: fn(&str) -> Result<yaml::Value, Error>, text: &str) -> Result<String, String> {
    read(text).and_then(|value| value.to_json()).map_err(|error| error.to_string())
}

#[test]
fn conformance() {
    let Some(folder) = testkit::corpus("yaml") else { return };
    let text = std::fs::read_to_string(folder.join("parse.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let mut tally = Tally::new("yaml/parse");
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let input = case["in"].as_str().unwrap();
        let field = |name: &str| case[name].as_str().map(str::to_owned);
        let want = field("json").ok_or_else(|| field("err").unwrap());
        tally.compare(name, &want, &to_json(parse, input));
        let want_strict = field("strictErr").map_or(want, Err);
        tally.compare(&format!("{name} (strict)"), &want_strict, &to_json(parse_strict, input));
    }
    tally.finish();
}
