use version::{Constraint, Version};

fn outcome(constraint: &str, version: &str) -> Result<bool, String> {
    let range = Constraint::parse(constraint).map_err(|e| format!("constraint: {e}"))?;
    let version = Version::parse(version).map_err(|e| format!("version: {e}"))?;
    Ok(range.check(&version))
}

#[test]
fn constraints_answer_as_masterminds() {
    let Some(folder) = testkit::corpus("semver") else { return };
    let text = std::fs::read_to_string(folder.join("constraint.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut tally = testkit::Tally::new("semver/constraint");
    for case in &cases {
        let field = |name: &str| case[name].as_str().unwrap_or_default();
        let want = match case["ok"].as_bool() {
            Some(ok) => Ok(ok),
            None => Err(field("err").to_owned()),
        };
        let (constraint, version) = (field("constraint"), field("version"));
        tally.compare(field("name"), &want, &outcome(constraint, version));
    }
    tally.finish();
}
