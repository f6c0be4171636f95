use expression::{Error, Expression};
use serde_json::{Value, json};

/// Where we differ, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "timestamp(metadata.creationTimestamp).getHours('America/New_York') == 22",
        "named zones would need a database",
    ),
    ("{1.5:'x'} == {}", "broken floats are no keys"),
    ("[1,2].existsOne(x, x == 1)", "the parser knows the newer name"),
    ("google.protobuf.Struct{}", "there are no messages"),
    ("for x", "a broken text is not looked at for reserved names"),
    ("[1].all(__result__, true)", "the name means nothing here"),
    ("'a'.contains()", "told when it is evaluated"),
    ("size('a', 'b') == 1", "told when it is evaluated"),
];

fn read(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/");
    std::fs::read_to_string(format!("{folder}{name}")).expect("a recorded file")
}

fn evaluate(case: &Value, object: &Value) -> Result<bool, Error> {
    let source = case["expr"].as_str().expect("every case has an expression");
    if case["mode"] == "compile" {
        let variables = json!({ "self": object, "dep": object });
        let variables = variables.as_object().expect("an object");
        return Expression::compile(source, &["self", "dep"])?.is_true(variables);
    }
    Expression::parse(source)?.is_true(object.as_object().expect("an object"))
}

/// Verdicts and texts as recorded from cel-go (see `tests/oracle/README.md`).
#[test]
fn verdicts_and_texts_are_those_of_cel_go() {
    let objects: Vec<Value> = serde_json::from_str(&read("objects.json")).expect("a list");
    let mut tally = testkit::Tally::new("cel-go");
    for line in read("cases.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("a case a line");
        let source = case["expr"].as_str().unwrap_or_default();
        let number = case["object"].as_u64().and_then(|number| usize::try_from(number).ok());
        let object = &objects[number.expect("every case has an object")];
        let want = case["want"].as_bool().ok_or_else(|| case["err"].as_str().unwrap_or_default());
        let got = evaluate(&case, object).map_err(|error| error.to_string());
        if let Some((_, why)) = DIFFERENT.iter().find(|(known, _)| *known == source) {
            let differs = want.as_ref().ok() != got.as_ref().ok()
                || want.err() != got.as_ref().err().map(String::as_str);
            assert!(differs, "{source} is said to differ because {why}");
            continue;
        }
        tally.compare(source, &want.map_err(ToOwned::to_owned), &got);
    }
    tally.finish();
}
