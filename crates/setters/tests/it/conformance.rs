use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use setters::{Edit, Error, Image, Policies, edit, stage, update};

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("readable case");
    serde_json::from_str(&text).expect("valid JSON")
}

fn policies(folder: &Path) -> Result<Policies, Error> {
    let mut policies = Policies::new(None);
    for policy in json(&folder.join("policies.json")).as_array().expect("a list of policies") {
        let field = |name: &str| policy[name].as_str().map(str::to_owned);
        let image = field("image").map(|name| Image {
            name,
            tag: field("tag").unwrap_or_default(),
            digest: field("digest"),
        });
        let text = |name: &str| field(name).expect("a policy has a name");
        policies.insert(&text("namespace"), &text("name"), image)?;
    }
    Ok(policies)
}

fn changes(edit: &Edit, with_file: bool) -> Vec<[String; 5]> {
    let mut rows: Vec<_> = edit
        .changes
        .iter()
        .map(|change| {
            let id = &change.object;
            let object = [&id.api_version, &id.kind, &id.namespace, &id.name].map(String::as_str);
            let file = if with_file { change.file.clone() } else { String::new() };
            [file, object.join("|"), change.old.clone(), change.new.clone(), change.setter.clone()]
        })
        .collect();
    rows.sort();
    rows
}

fn wanted_changes(case: &Value) -> Vec<[String; 5]> {
    let mut rows: Vec<_> = case["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|change| {
            ["file", "object", "oldValue", "newValue", "setter"]
                .map(|name| change[name].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    rows.sort();
    rows
}

fn check(folder: &Path) -> Result<(), String> {
    let case = json(&folder.join("case.json"));
    let input = std::fs::read(folder.join("in.yaml")).map_err(|error| error.to_string())?;
    let policies = match (policies(folder), case["error"].as_str()) {
        (Ok(policies), None) => policies,
        (Err(error), Some(want)) if error.to_string() == want => return Ok(()),
        (got, want) => return Err(format!("want error {want:?}, got {:?}", got.err())),
    };
    let edit = edit(case["file"].as_str().unwrap_or_default(), &input, &policies);
    let minimal = folder.join("want_minimal.yaml");
    let want = if minimal.exists() { minimal } else { folder.join("want.yaml") };
    let want = std::fs::read(want).map_err(|error| error.to_string())?;
    let got = edit.content.clone().unwrap_or_else(|| input.clone());
    if got != want {
        let text = String::from_utf8_lossy(&got);
        return Err(format!("got\n{text}markers {:?}", edit.markers));
    }
    let wanted = wanted_changes(&case);
    // Upstream loses the file name of what it unwraps from a list.
    let with_file = wanted.iter().all(|row| !row[0].is_empty());
    let got = changes(&edit, with_file);
    if got == wanted { Ok(()) } else { Err(format!("want {wanted:?}\n got {got:?}")) }
}

#[test]
fn cases_come_out_as_upstream_or_smaller() {
    let Some(folder) = testkit::corpus("setters/cases") else { return };
    let mut tally = testkit::Tally::new("setters/cases");
    let mut folders: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        tally.record(&folder.file_name().unwrap().to_string_lossy(), check(&folder));
    }
    tally.finish();
}

/// The case's policies as components of a stage, for which the file is in scope.
fn stage(folder: &Path) -> stage::Stage {
    let mut it = stage::Stage {
        namespace: "n".to_owned(),
        pipeline: "p".to_owned(),
        scope: stage::Scope::new([""]).expect("the root is a path"),
        ..stage::Stage::default()
    };
    for policy in json(&folder.join("policies.json")).as_array().expect("a list of policies") {
        let field = |name: &str| policy[name].as_str().map(str::to_owned);
        let text = |name: &str| field(name).expect("a policy has a name");
        let image = field("image").map(|name| Image {
            name,
            tag: field("tag").unwrap_or_default(),
            digest: field("digest"),
        });
        let (namespace, name) = (text("namespace"), text("name"));
        let component = format!("{namespace}-{name}");
        let reflects_digest = image.as_ref().is_some_and(|image| image.digest.is_some());
        let component_value = stage::Component {
            value: image.map(stage::Value::Image),
            policies: vec![stage::Policy { namespace, name, reflects_digest }],
            optional: true,
            ..stage::Component::default()
        };
        it.components.insert(component, component_value);
    }
    it
}

fn check_stage(folder: &Path) -> Result<(), String> {
    let case = json(&folder.join("case.json"));
    let path = case["file"].as_str().unwrap_or_default();
    let input = std::fs::read(folder.join("in.yaml")).map_err(|error| error.to_string())?;
    let plan = stage::plan(&stage(folder), [(path.to_owned(), input.clone().into())], &[]);
    let plan = match (plan, case["error"].as_str()) {
        (Ok(plan), None) => plan,
        (Err(_), Some(_)) => return Ok(()),
        (got, want) => return Err(format!("want error {want:?}, got {:?}", got.err())),
    };
    let flux = edit(path, &input, &policies(folder).map_err(|error| error.to_string())?);
    let got = plan.files.into_iter().next().map(|(_, bytes)| bytes);
    if got == flux.content {
        return Ok(());
    }
    let text = |it: Option<Vec<u8>>| String::from_utf8_lossy(&it.unwrap_or_default()).into_owned();
    Err(format!("want\n{}got\n{}{:?}", text(flux.content), text(got), plan.markers))
}

#[test]
fn stages_write_the_bytes_that_automations_write() {
    let Some(folder) = testkit::corpus("setters/cases") else { return };
    let mut tally = testkit::Tally::new("setters/cases (stage)");
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        tally.record(&folder.file_name().unwrap().to_string_lossy(), check_stage(&folder));
    }
    tally.finish();
}

fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("readable folder") {
            let path = entry.expect("readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name =
                    path.strip_prefix(folder).expect("inside").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(path).expect("readable file"));
            }
        }
    }
    files
}

#[test]
fn golden_trees_come_out_as_upstream() {
    let Some(folder) = testkit::corpus("setters/golden") else { return };
    let mut tally = testkit::Tally::new("setters/golden");
    for name in ["appconfig", "pathconfig", "update"] {
        let folder = folder.join(name);
        let scope = std::fs::read_to_string(folder.join("path")).unwrap_or_default();
        let policies = policies(&folder).unwrap();
        let mut files = tree(&folder.join("original"));
        let scope = scope.trim().trim_matches(['.', '/']);
        let given = files.iter().filter(|(path, _)| path.starts_with(scope));
        let edited = update(given, &policies).files;
        let paths: Vec<_> = edited.iter().map(|(path, _)| path.clone()).collect();
        files.extend(edited);
        let expected = tree(&folder.join("expected"));
        // Only rewritten files are listed, or the whole tree.
        let wanted: Vec<_> = expected.keys().filter(|path| paths.contains(path)).collect();
        let mut result =
            if wanted.len() == paths.len() { Ok(()) } else { Err(format!("edited {paths:?}")) };
        for (path, want) in &expected {
            if files.get(path) != Some(want) {
                result = Err(format!("{path} differs"));
            }
        }
        tally.record(name, result);
    }
    for (path, bytes) in tree(&folder.join("unmarked")) {
        let edit = edit(&path, &bytes, &Policies::new(None));
        tally.compare(&path, &Edit::default(), &edit);
    }
    tally.finish();
}
