//! The output and the errors of Go's text/template with sprig, and with the functions of Helm.
#![expect(clippy::disallowed_methods, reason = "a test reads its cases")]

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::{Error, FuncSet, MissingKey, Options, Set, Value};
use helm::chart::{Chart, File};
use helm::render;
use serde_json::Value as Json;
use testkit::{Tally, corpus};

use crate::outside::Outside;

/// Runs one case and returns the output or the text of the error.
fn run(case: &Json, functions: &FuncSet) -> Result<String, String> {
    let missing_key = match case["option"].as_str() {
        Some("missingkey=error") => MissingKey::Error,
        Some("missingkey=zero") => MissingKey::Zero,
        _ => MissingKey::Invalid,
    };
    let options = Options { missing_key, ..Options::default() };
    let template = case["template"].as_str().unwrap_or_default();
    let data = Value::from(case["data"].clone());
    let execute = || -> Result<String, Error> {
        let mut set = Set::new(functions).named("t");
        for (name, text) in case["templates"].as_object().into_iter().flatten() {
            set.parse(name, text.as_str().unwrap_or_default())?;
        }
        set.parse("t", template)?;
        set.execute("t", &data, &options)
    };
    execute().map_err(|error| error.to_string())
}

/// Runs one case of the engine `helm`: a chart is made of it.
fn run_chart(case: &Json) -> Result<String, String> {
    let head = "apiVersion: v2\nname: demo\nversion: 0.1.0\nappVersion: 1.2.3\ndescription: a demo\n\
        type: application\nkeywords: [k1, k2]\n";
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let mut files =
        vec![File::new("Chart.yaml", head), File::new("templates/t.yaml", text(&case["template"]))];
    for (name, content) in
        ["templates", "files"].iter().filter_map(|key| case[key].as_object()).flatten()
    {
        files.push(File::new(&**name, text(content)));
    }
    let mut options = render::Options::new("rel", "ns");
    options.strict = case["strict"] == true;
    options.host = Arc::new(Outside::default());
    let execute = || {
        let values = helm::values::parse(case["data"].to_string().as_bytes())?;
        render::texts(Chart::from_files(files)?, &values, &options)
    };
    let mut texts = execute().map_err(|error| error.to_string())?;
    texts.remove("demo/templates/t.yaml").ok_or_else(|| "the template made nothing".to_owned())
}

fn check(case: &Json, functions: &FuncSet) -> Result<(), String> {
    let got = if case["engine"] == "helm" { run_chart(case) } else { run(case, functions) };
    let want = match (case["want"].as_str(), case["wantErr"].as_str()) {
        (Some(want), _) => Ok(want.to_owned()),
        (None, Some(want)) => Err(want.to_owned()),
        (None, None) => return Err("the case wants nothing".to_owned()),
    };
    if got == want { Ok(()) } else { Err(format!("want {want:?}\n     got  {got:?}")) }
}

#[test]
fn go_and_sprig() {
    let Some(folder) = corpus("gotemplate") else { return };
    let functions = FuncSet::text(Arc::new(Outside::default()));
    let mut tally = Tally::new("gotemplate");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "json")) {
        let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for case in &cases {
            tally.record(case["name"].as_str().unwrap_or_default(), check(case, &functions));
        }
    }
    tally.finish();
}

/// Cases beside the corpus, picked from random templates (function calls, `printf` formats, syntax,
/// regular expressions, dates, URLs, JSON, merges), with what Go 1.26.8, sprig 3.3.0 and
/// Masterminds/semver 3.4.0 answered to them.
#[test]
fn baseline() {
    let functions = FuncSet::text(Arc::new(Outside::default()));
    let cases = include_str!("../baseline/cases.jsonl");
    let data: Json = serde_json::from_str(include_str!("../baseline/data.json")).unwrap();
    let mut tally = Tally::new("gotemplate baseline");
    for line in cases.lines() {
        let mut case: Json = serde_json::from_str(line).unwrap();
        if case["data"].is_null() {
            case["data"] = data.clone();
        }
        let name = case["template"].as_str().unwrap_or_default().to_owned();
        tally.record(&name, check(&case, &functions));
    }
    tally.finish();
}

/// The names of `sprig.HermeticTxtFuncMap` and `TxtFuncMap`.
#[test]
fn function_sets() {
    let names = include_str!("../baseline/functions.txt");
    let want: BTreeMap<&str, bool> = names
        .lines()
        .map(|line| line.strip_suffix(" hermetic").map_or((line, false), |name| (name, true)))
        .collect();
    let text = FuncSet::text(Arc::new(Outside::default()));
    assert_eq!(text.names().collect::<Vec<_>>(), want.keys().copied().collect::<Vec<_>>());
    let hermetic = FuncSet::hermetic();
    let want: Vec<&str> =
        want.into_iter().filter(|(_, hermetic)| *hermetic).map(|it| it.0).collect();
    assert_eq!(hermetic.names().collect::<Vec<_>>(), want);
}
