use envsubst::{Error, Template, Undefined, Variables};
use serde_json::Value;

/// What Go's encoder of JSON makes of a text that is not UTF-8: each broken byte is replaced.
fn as_json_text(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Err(error) = std::str::from_utf8(bytes) {
        text.push_str(std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("valid"));
        text.push('\u{fffd}');
        bytes = &bytes[error.valid_up_to() + 1..];
    }
    text + std::str::from_utf8(bytes).expect("valid")
}

fn render(case: &Value) -> Result<String, Error> {
    let vars = case["vars"].as_object().expect("every case has variables");
    let variables: Variables =
        vars.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("texts"))).collect();
    let undefined = if case["strict"] == true { Undefined::Refused } else { Undefined::Empty };
    let text = case["in"].as_str().expect("every case has a text");
    Template::parse(text)?.render_bytes(&variables, undefined).map(|bytes| as_json_text(&bytes))
}

#[test]
fn texts_are_substituted_as_upstream() {
    let Some(folder) = testkit::corpus("envsubst") else { return };
    let text = std::fs::read_to_string(folder.join("envsubst.json")).expect("readable suite");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a suite is a JSON array");
    let mut tally = testkit::Tally::new("envsubst");
    for case in &cases {
        let name = case["name"].as_str().unwrap_or_default();
        let got = render(case).map_err(|error| match error {
            Error::Substitution(fault) => fault.to_string(),
            other => other.to_string(),
        });
        if case["wantPanic"] == true {
            tally.record(name, got.map_or(Ok(()), |text| Err(format!("got {text:?}"))));
            continue;
        }
        let text = |name: &str| case[name].as_str().map(str::to_owned);
        let want = text("want").ok_or_else(|| text("err").unwrap_or_default());
        tally.compare(name, &want, &got);
    }
    tally.finish();
}
