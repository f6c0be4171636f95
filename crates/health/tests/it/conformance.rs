use health::compute;
use jiff::Timestamp;
use serde_json::Value;

#[test]
fn objects_are_judged_as_by_kstatus() {
    let Some(folder) = testkit::corpus("kstatus") else { return };
    let text = std::fs::read_to_string(folder.join("kstatus.json")).expect("readable suite");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a suite is a JSON array");
    // Times in the suite lie far before or after this one.
    let now: Timestamp = "2025-06-01T00:00:00Z".parse().expect("a time");
    let mut tally = testkit::Tally::new("kstatus");
    for case in &cases {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let want = match case.get("err") {
            Some(_) => Err(text("err")),
            None => Ok((text("status"), text("message"))),
        };
        let got = compute(&case["object"], now)
            .map(|health| (health.status.to_string(), health.message))
            .map_err(|error| error.to_string());
        tally.compare(&text("name"), &want, &got);
    }
    tally.finish();
}
