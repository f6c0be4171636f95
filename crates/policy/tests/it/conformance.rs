use policy::{Error, Filter, Order, Rule, select};
use serde_json::Value;

fn cases(file: &str) -> Option<Vec<Value>> {
    let folder = testkit::corpus("semver")?;
    let text = std::fs::read_to_string(folder.join(file)).expect("readable suite");
    Some(serde_json::from_str(&text).expect("a suite is a JSON array"))
}

fn tags(case: &Value) -> Vec<String> {
    let list = case["tags"].as_array().expect("every case has tags");
    list.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
}

fn want(case: &Value) -> Result<String, String> {
    let text = |name: &str| case[name].as_str().map(str::to_owned);
    text("want").ok_or_else(|| text("err").unwrap_or_default())
}

fn rule(policy: &Value) -> Result<Rule, Error> {
    let order = |kind: &str| match policy[kind]["order"].as_str() {
        Some("desc") => Order::Descending,
        _ => Order::Ascending,
    };
    if let Some(range) = policy["semver"]["range"].as_str() {
        return Rule::semver(range);
    }
    Ok(match policy.get("numerical") {
        Some(_) => Rule::Numerical(order("numerical")),
        None => Rule::Alphabetical(order("alphabetical")),
    })
}

fn filter(case: &Value) -> Result<Option<Filter>, Error> {
    let field = |name: &str| case["filterTags"][name].as_str().unwrap_or_default();
    case.get("filterTags").map(|_| Filter::new(field("pattern"), field("extract"))).transpose()
}

#[test]
fn semver_policies_choose_as_upstream() {
    let Some(cases) = cases("policy.json") else { return };
    let mut tally = testkit::Tally::new("semver/policy");
    for case in &cases {
        let got = match Rule::semver(case["range"].as_str().unwrap()) {
            Ok(rule) => select(&tags(case), &rule, None).map_err(|error| error.to_string()),
            Err(error) => Err(format!("invalid range: {error}")),
        };
        tally.compare(case["name"].as_str().unwrap(), &want(case), &got.map(|choice| choice.tag));
    }
    tally.finish();
}

#[test]
fn policies_with_filters_choose_as_upstream() {
    let Some(cases) = cases("tags.json") else { return };
    let mut tally = testkit::Tally::new("semver/tags");
    for case in &cases {
        tally.record(case["name"].as_str().unwrap(), check(case));
    }
    tally.finish();
}

fn check(case: &Value) -> Result<(), String> {
    let tags = tags(case);
    let got = rule(&case["policy"])
        .and_then(|rule| select(&tags, &rule, filter(case)?.as_ref()))
        .map(|choice| choice.tag)
        .map_err(|error| error.to_string());
    let want = want(case);
    let same = match (&want, &got) {
        // The failing tag is any of them.
        (Err(want), Err(got)) => match want.split_once('*') {
            Some((start, end)) if want.starts_with("failed to parse") => {
                got.starts_with(start) && got.ends_with(end)
            }
            _ => want == got,
        },
        (want, got) => want == got,
    };
    if !same {
        return Err(format!("want {want:?}, got {got:?}"));
    }
    let Some(extracted) = case["extracted"].as_object() else { return Ok(()) };
    let filter = filter(case).map_err(|error| error.to_string())?.ok_or("no filter")?;
    let mut map = serde_json::Map::new();
    for tag in &tags {
        if let Some(value) = filter.extract(tag) {
            map.insert(value.into_owned(), tag.as_str().into());
        }
    }
    // Key order is no part of the expectation.
    let same = map.len() == extracted.len() && map.iter().all(|(k, v)| extracted.get(k) == Some(v));
    if same { Ok(()) } else { Err(format!("want {extracted:?}, got {map:?}")) }
}
