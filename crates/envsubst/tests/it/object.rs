use envsubst::{Undefined, Variables, substitute_object};

fn variables() -> Variables {
    [
        ("port", "8080"),
        ("on", "yes"),
        ("empty", ""),
        ("list", "[a, b]"),
        ("open", "[a"),
        ("quote", "\""),
    ]
    .into_iter()
    .collect()
}

fn substituted(object: &str) -> Result<Option<String>, String> {
    let object = yaml::parse(object).expect("a test's YAML");
    let made = substitute_object(&object, &variables(), Undefined::Empty);
    Ok(made.map_err(|error| error.to_string())?.map(|made| made.to_json().expect("JSON")))
}

fn sorted(json: &str) -> String {
    let value = yaml::parse(json).expect("JSON");
    yaml::parse(&value.to_yaml().expect("YAML")).expect("YAML").to_json().expect("JSON")
}

#[test]
fn values_may_change_their_type() {
    let object = "kind: App\nspec: {port: \"${port}\", ok: \"${on}\", list: '${list}', \
                  text: '${quote}${port}${quote}', m: 1}\n";
    assert_eq!(
        substituted(object).unwrap().unwrap(),
        r#"{"kind":"App","spec":{"list":["a","b"],"m":1,"ok":true,"port":8080,"text":"8080"}}"#
    );
}

#[test]
fn strings_stay_strings_where_nothing_else_is_allowed() {
    let object = "
kind: Deployment
metadata: {annotations: {a: \"${port}\"}, labels: {b: \"${on}\"}}
spec:
  replicas: ${port}
  selector: {matchLabels: {b: \"${on}\"}}
  template:
    spec:
      nodeSelector: {c: \"${port}\"}
      containers:
      - args: [\"${port}\"]
        env: [{name: P, value: \"${port}\"}, {name: E, value: \"${empty}\"}]
        ports: [{containerPort: \"${port}\"}]
";
    let made = substituted(object).unwrap().unwrap();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["metadata"]["annotations"]["a"], "8080");
    assert_eq!(made["metadata"]["labels"]["b"], "yes");
    assert_eq!(made["spec"]["replicas"], 8080);
    assert_eq!(made["spec"]["selector"]["matchLabels"]["b"], "yes");
    let pod = &made["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"]["c"], "8080");
    let container = &pod["containers"][0];
    assert_eq!(container["args"][0], "8080");
    assert_eq!(container["env"][0]["value"], "8080");
    assert_eq!(container["env"][1]["value"], "");
    assert_eq!(container["ports"][0]["containerPort"], 8080);
}

#[test]
fn data_stays_text() {
    for (kind, map) in [("ConfigMap", "data"), ("Secret", "stringData")] {
        let object = format!("kind: {kind}\n{map}: {{port: \"${{port}}\"}}\n");
        assert_eq!(
            substituted(&object).unwrap().unwrap(),
            sorted(&format!(r#"{{"kind":"{kind}","{map}":{{"port":"8080"}}}}"#))
        );
    }
}

#[test]
fn disabled_and_untouched_objects_stay() {
    let key = "kustomize.toolkit.fluxcd.io/substitute";
    for map in ["labels", "annotations"] {
        let object =
            |value: &str| format!("metadata: {{{map}: {{{key}: {value}}}}}\na: \"${{on}}\"\n");
        assert_eq!(substituted(&object("disabled")).unwrap(), None);
        assert!(substituted(&object("Disabled")).unwrap().is_some(), "case matters");
    }
    assert_eq!(substituted("a: b\n").unwrap(), None);
    let object = yaml::parse("a: \"${x:=1}\"").unwrap();
    assert_eq!(substitute_object(&object, &Variables::new(), Undefined::Empty), Ok(None));
}

#[test]
fn broken_results_are_errors() {
    let error = substituted("a: \"${open}\"\n").unwrap_err();
    assert!(error.starts_with("YAMLToJSON: yaml: "), "{error}");
    assert_eq!(
        substituted("a: \"${on\"\n").unwrap_err(),
        "variable substitution failed: missing closing brace"
    );
    assert_eq!(
        substituted("\"${quote}a${quote}\"\n").unwrap_err(),
        "the substituted text is no object but a scalar"
    );
}
