//! Values of documents, against what sigs.k8s.io/yaml says.

use serde_json::Value as Json;
use testkit::Tally;
use yaml::{Error, parse, parse_some, parse_strict};

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

#[test]
fn some_values_are_read_and_all_errors_told() {
    let read = |text| to_json(|text| parse_some(text, &["a", "b"]), text);
    assert_eq!(read("a: 1\nc: {d: [e, {f: g}]}\nB: x\n"), Ok(r#"{"B":"x","a":1}"#.to_owned()));
    assert_eq!(read("'a': |\n  x\n\"c\": - \n"), to_json(parse, "'a': |\n  x\n\"c\": - \n"));
    // What is not simple is read as a whole.
    for text in [
        "",
        "a",
        "- a\n",
        "a: *x\n",
        "c: &x 1\na: *x\n",
        "c: {d: &x 1}\na: *x\n",
        "c: 1\n: 2\n",
        "c: {? [1] : 2}\n",
        "a: 1\nc: {1: 2, null: 3}\n",
        "c: !!int x\na: 1\n",
        "c: !!binary '*'\n",
        "<<: {a: 1}\n",
        "<<: 1\n",
        "c:\n  <<: 1\n",
        "a: 1\nc: [\n",
        "a: 1\n--- x: y: z\n",
        "a: 1\n}\n",
        "&m {a: 1}\n",
        "!!map {a: 1}\n",
        "%YAML 1.1\n---\na: 1\n",
        "18446744073709551615: 1\na: 2\n",
    ] {
        let (some, whole) = (read(text), to_json(parse, text));
        let names = |text: &String| serde_json::from_str::<Json>(text).unwrap().get("a").cloned();
        assert_eq!(some.as_ref().map(names), whole.as_ref().map(names), "{text}");
    }
}
