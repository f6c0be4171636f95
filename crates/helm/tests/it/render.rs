//! Rendering beside the corpus: what must be refused or bounded, and small rules.

use helm::chart::{Chart, File};
use helm::hook::for_event;
use helm::manifest::for_uninstall;
use helm::render::{Failure, Options, Rendered, render};
use helm::values::{self, Values};

const HEAD: &str = "apiVersion: v2\nname: demo\nversion: 0.1.0\n";

fn chart(files: &[(&str, &str)]) -> Chart {
    let head = files.iter().all(|(name, _)| *name != "Chart.yaml").then_some(("Chart.yaml", HEAD));
    let files = head.iter().chain(files).map(|(name, text)| File::new(*name, text));
    Chart::from_files(files.collect()).unwrap()
}

fn with(files: &[(&str, &str)], values: &str) -> Result<Rendered, String> {
    let values = values::parse(values.as_bytes()).unwrap();
    let mut options = Options::new("rel", "ns");
    options.limits.steps = 2_000_000;
    options.limits.bytes = 64 << 20;
    render(chart(files), &values, &options).map_err(|Failure { error, .. }| error.to_string())
}

fn error(template: &str) -> String {
    with(&[("templates/a.yaml", template)], "").unwrap_err()
}

#[test]
fn charts_that_never_end_are_stopped() {
    let many = "{{ $l := until 500 }}{{ range $l }}{{ range $l }}{{ range $l }}{{ end }}{{ end }}{{ end }}";
    assert_eq!(
        error(many),
        "template: demo/templates/a.yaml: template takes more than 2000000 steps"
    );
    let grow = "{{ $x := `0123456789` }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}";
    assert_eq!(
        error(grow),
        "template: demo/templates/a.yaml: template makes more than 67108864 bytes"
    );
    // All templates of a chart share what there is.
    let half = "{{ $l := until 700 }}{{ range $l }}{{ range $l }}{{ end }}{{ end }}";
    let names: Vec<String> = (0..9).map(|n| format!("templates/{n}.yaml")).collect();
    let files: Vec<_> = names.iter().map(|name| (&**name, half)).collect();
    assert!(with(&files[..1], "").is_ok());
    assert!(with(&files, "").unwrap_err().ends_with("template takes more than 2000000 steps"));
}

#[test]
fn recursion_ends() {
    let itself = "{{ define `x` }}{{ include `x` . }}{{ end }}{{ include `x` . }}";
    let message = error(itself);
    let end = "rendering template has a nested reference name: x: unable to execute template";
    assert!(message.ends_with(end), "{}", &message[message.len() - 200..]);
    let tpl = "{{ tpl .Values.t . }}";
    let message = with(&[("templates/a.yaml", tpl)], "t: '{{ tpl .Values.t . }}'").unwrap_err();
    assert!(message.contains("nested deeper") || message.contains("more than"), "{message}");
}

#[test]
fn charts_read_only_themselves() {
    let template = "a: {{ .Files.Get `../secret` | quote }}\nb: {{ .Files.Get `/etc/passwd` | quote }}\n\
                    c: {{ .Files.Get `templates/a.yaml` | quote }}\n\
                    d: {{ range $path, $_ := .Files.Glob `**` }}{{ $path }};{{ end }}\nkind: X\n";
    let files = [("templates/a.yaml", template), ("own.txt", "own")];
    let rendered = with(&files, "").unwrap();
    let manifest = rendered.manifest();
    assert!(manifest.contains("a: \"\"\nb: \"\"\nc: \"\"\nd: own.txt;\n"), "{manifest}");
}

#[test]
fn schemas_reach_no_files_and_hosts() {
    for target in ["file:///etc/passwd", "http://127.0.0.1:1/x.json"] {
        let schema = format!(r#"{{"properties": {{"a": {{"$ref": "{target}"}}}}}}"#);
        let files = [("values.schema.json", &*schema), ("values.yaml", "a: 1\n")];
        let message = with(&files, "").unwrap_err();
        assert!(message.contains("cannot refer to files and hosts"), "{message}");
    }
    let urn = [("values.schema.json", r#"{"properties": {"a": {"$ref": "urn:x:y"}}}"#)];
    with(&urn, "a: 1").unwrap();
}

#[test]
fn schemas_speak_as_with_helm() {
    let schema = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "required": ["x", "z"],
        "properties": {"m": {"minimum": 0, "maximum": 65535}, "s": {"enum": ["a", "b"]},
        "p": {"pattern": "^a"}, "t": {"type": ["string", "null"]},
        "o": {"additionalProperties": false, "properties": {"k": {"type": "integer"}}}}}"#;
    let check = |values: &str| with(&[("values.schema.json", schema)], values).unwrap_err();
    let head =
        "values don't meet the specifications of the schema(s) in the following chart(s):\ndemo:\n";
    assert_eq!(check("{}"), format!("{head}- at '': missing properties 'x', 'z'\n"));
    assert_eq!(check("{x: 1, z: 1, m: -5}"), format!("{head}- at '/m': minimum: got -5, want 0\n"));
    assert_eq!(
        check("{x: 1, z: 1, m: 70000}"),
        format!("{head}- at '/m': maximum: got 70,000, want 65,535\n")
    );
    assert_eq!(
        check("{x: 1, z: 1, s: c}"),
        format!("{head}- at '/s': value must be one of 'a', 'b'\n")
    );
    assert_eq!(
        check("{x: 1, z: 1, p: b}"),
        format!("{head}- at '/p': 'b' does not match pattern '^a'\n")
    );
    assert_eq!(
        check("{x: 1, z: 1, t: 1}"),
        format!("{head}- at '/t': got number, want null or string\n")
    );
    assert_eq!(
        check("{x: 1, z: 1, o: {k: a, q: 1}}"),
        format!(
            "{head}- at '/o': validation failed\n  - at '/o/k': got string, want integer\n  \
             - at '/o': additional properties 'q' not allowed\n"
        )
    );
}

#[test]
fn hooks_and_orders() {
    let hook = |name: &str, weight: &str| {
        format!(
            "kind: Job\nmetadata:\n  name: {name}\n  annotations:\n    \
             helm.sh/hook: pre-install, TEST-success\n    helm.sh/hook-weight: \"{weight}\"\n    \
             helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation\n"
        )
    };
    let hooks = format!("{}---\n{}---\n{}", hook("b", "5"), hook("a", "5"), hook("c", "-1"));
    let unknown = "kind: Job\nmetadata: {name: x, annotations: {helm.sh/hook: crd-install}}\n";
    let files = [
        ("templates/z.yaml", "kind: Deployment\n---\nkind: Zoo\n---\nkind: Bar\n"),
        ("templates/hooks.yaml", &*hooks),
        ("templates/unknown.yaml", unknown),
        ("templates/a.yaml", "kind: Service\n---\nkind: Namespace\n"),
        ("templates/NOTES.txt", "installed {{ .Release.Name }}"),
        ("templates/_x.yaml", "not: {{ rendered }}"),
    ];
    assert!(with(&files, "").is_err(), "all files are parsed");
    let rendered = with(&files[..5], "").unwrap();
    let kinds: Vec<_> = rendered.manifests.iter().map(|it| &*it.head.kind).collect();
    assert_eq!(kinds, ["Namespace", "Service", "Deployment", "Bar", "Zoo"]);
    assert_eq!(rendered.notes, "installed rel");
    let names: Vec<_> =
        for_event(&rendered.hooks, "test").into_iter().map(|hook| &*hook.name).collect();
    assert_eq!(names, ["c", "a", "b"]);
    assert_eq!(rendered.hooks[0].delete_policies, ["hook-succeeded", "before-hook-creation"]);
    let order: Vec<_> =
        for_uninstall(&rendered.manifest()).unwrap().into_iter().map(|it| it.head.kind).collect();
    assert_eq!(order, ["Service", "Deployment", "Namespace", "Bar", "Zoo"]);
}

#[test]
fn subcharts_are_switched() {
    let head = "apiVersion: v2\nname: demo\nversion: 0.1.0\ndependencies:\n\
        - {name: sub, version: 1.x, condition: 'sub.active,active', tags: [t]}\n\
        - {name: sub, version: 1.x, alias: two, import-values: [data]}\n";
    let files = [
        ("Chart.yaml", head),
        ("values.yaml", "two: {x: from parent}\nkeep: null\n"),
        ("templates/a.yaml", "kind: A\nv: {{ .Values.imported }}\n"),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        (
            "charts/sub/values.yaml",
            "x: default\nw: {a: 1, b: 2}\nexports: {data: {imported: yes}}\n",
        ),
        (
            "charts/sub/templates/b.yaml",
            "kind: {{ .Chart.Name }}\nx: {{ .Values.x }}\nw: {{ toJson .Values.w }}\n",
        ),
    ];
    let texts = |values: &str| -> Vec<String> {
        let rendered = with(&files, values).unwrap();
        rendered.manifests.into_iter().map(|it| it.content).collect()
    };
    let parent = "kind: A\nv: true".to_owned();
    let two = "kind: two\nx: from parent\nw: {\"a\":1,\"b\":2}".to_owned();
    let sub = "kind: sub\nx: default\nw: {\"a\":1,\"b\":2}".to_owned();
    assert_eq!(texts("{}"), [parent.clone(), sub.clone(), two.clone()]);
    assert_eq!(texts("{active: false}"), [parent.clone(), two.clone()]);
    assert_eq!(
        texts("{active: false, sub: {active: true}}"),
        [parent.clone(), sub.clone(), two.clone()]
    );
    assert_eq!(texts("{tags: {t: false}}"), [parent.clone(), two.clone()]);
    let without = "kind: two\nx: from user\nw: {\"b\":2}".to_owned();
    assert_eq!(texts("{active: false, two: {x: from user, w: {a: null}}}"), [parent, without]);
    assert_eq!(with(&files, "two: 5").unwrap_err(), "type mismatch on two: %!t(float64=5)");
}

#[test]
fn kube_versions_are_checked() {
    let head = format!("{HEAD}kubeVersion: '>=1.30.0-0'\n");
    assert_eq!(
        with(&[("Chart.yaml", &head)], "").unwrap_err(),
        "chart requires kubeVersion: >=1.30.0-0 which is incompatible with Kubernetes v1.20.0"
    );
    let none = render(chart(&[]), &Values::new(), &Options::new("a", "b")).unwrap();
    assert_eq!((none.manifest(), none.crds().len()), (String::new(), 0));
}

#[test]
fn a_copy_of_the_values_is_one() {
    let template = "{{ $copy := deepCopy .Values }}{{ $_ := set $copy `b` 2 }}{{ $_ := set (deepCopy $) `Values` nil }}\
                    {{ $_ := set .Values `c` (deepCopy .Values) }}\
                    kind: {{ typeOf $copy }}\nall: {{ .Values | toJson }}\n";
    let rendered = with(&[("templates/a.yaml", template)], "a: 1").unwrap();
    let manifest = rendered.manifest();
    assert!(
        manifest.ends_with("kind: chartutil.Values\nall: {\"a\":1,\"c\":{\"a\":1}}\n"),
        "{manifest}"
    );
}
