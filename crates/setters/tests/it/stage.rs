use std::borrow::Cow;
use std::collections::BTreeMap;

use setters::Image;
use setters::stage::{
    Attribute, Component, Copy, Error, Field, FieldPath, Kind, Markers, Plan, Policy, Reason,
    Scope, Stage, Target, Value, lint, plan,
};

const OLD: &str = "sha256:0101010101010101010101010101010101010101010101010101010101010101";
const NEW: &str = "sha256:0202020202020202020202020202020202020202020202020202020202020202";
const COMMIT: &str = "abababababababababababababababababababab";

fn image(tag: &str, digest: &str) -> Value {
    Value::Image(Image { name: "x.io/api".into(), tag: tag.into(), digest: Some(digest.into()) })
}

/// The stage `prod` of the pipeline `shop`, which may edit `prod`; an image, a chart, a commit.
fn shop() -> Stage {
    let api = Component {
        value: Some(image("2.0", NEW)),
        previous: Some(image("1.0", OLD)),
        policies: vec![Policy {
            namespace: "flux".into(),
            name: "api".into(),
            reflects_digest: false,
        }],
        optional: true,
    };
    let chart =
        Value::Chart { url: "https://charts.x.io".into(), version: "1.4.2".into(), digest: None };
    let config = Value::Git { url: "https://x.io/c".into(), tag: None, commit: COMMIT.into() };
    let optional = |value| Component { value: Some(value), optional: true, ..Component::default() };
    Stage {
        namespace: "flux".into(),
        pipeline: "shop".into(),
        name: "prod".into(),
        scope: Scope::new(["prod"]).expect("a path"),
        components: BTreeMap::from([
            ("api".to_owned(), api),
            ("chart".to_owned(), optional(chart)),
            ("config".to_owned(), optional(config)),
        ]),
        ..Stage::default()
    }
}

fn run(stage: &Stage, text: &str) -> Plan {
    let file = ("prod/a.yaml".to_owned(), Cow::Owned(text.as_bytes().to_vec()));
    plan(stage, [file], &[]).expect("good values")
}

/// The text after the plan.
fn edited(stage: &Stage, text: &str) -> String {
    let plan = run(stage, text);
    assert_eq!(plan.problems, [], "{text}");
    plan.files
        .into_iter()
        .next()
        .map_or(text.to_owned(), |(_, bytes)| String::from_utf8(bytes).expect("text"))
}

fn problems(stage: &Stage, text: &str) -> Vec<String> {
    run(stage, text).problems.iter().map(|it| format!("{} {it}", it.reason)).collect()
}

fn own(text: &str) -> String {
    format!("# {{\"$promotion\": \"{text}\"}}")
}

fn flux(text: &str) -> String {
    format!("# {{\"$imagepolicy\": \"{text}\"}}")
}

#[test]
fn each_attribute_is_written_as_it_is_asked_for() {
    for (marker, want) in [
        (own("shop:api:ref"), format!("x.io/api:2.0@{NEW}")),
        (own("flux:shop:api:name"), "x.io/api".into()),
        (own("shop@prod:api:tag"), "\"2.0\"".into()),
        (own("shop:api:digest"), NEW.into()),
        (own("shop:chart:version"), "1.4.2".into()),
        (own("shop:chart:url"), "https://charts.x.io".into()),
        (own("shop:config:commit"), COMMIT.into()),
        (flux("flux:api"), "x.io/api:2.0".into()),
        (flux("flux:api:tag"), "\"2.0\"".into()),
    ] {
        let mut stage = shop();
        stage.components.get_mut("api").unwrap().previous = None;
        let text = format!("a:   old   {marker}\r\nb:  [ 1,2 ] # note\n");
        assert_eq!(edited(&stage, &text), text.replace("old", &want));
    }
}

#[test]
fn an_image_keeps_its_digest_if_it_had_one() {
    let marker = flux("flux:api");
    let text = format!("a: x.io/api:1.0@{OLD} {marker}\n");
    assert_eq!(edited(&shop(), &text), format!("a: x.io/api:2.0@{NEW} {marker}\n"));
    let mut reflects = shop();
    for policy in &mut reflects.components.get_mut("api").unwrap().policies {
        policy.reflects_digest = true;
    }
    let text = format!("a: x.io/api:1.0 {marker}\n");
    assert_eq!(edited(&reflects, &text), format!("a: x.io/api:2.0@{NEW} {marker}\n"));
}

#[test]
fn what_is_of_others_is_left_alone() {
    for marker in [
        own("shop@dev:api:tag"),
        own("other:api:tag"),
        own("ns:shop:api:tag"),
        flux("flux:web"),
        flux("other:api"),
    ] {
        let text = format!("a: x {marker}\n");
        assert_eq!(edited(&shop(), &text), text, "{marker}");
    }
    let only = Stage { markers: Markers::StageOnly, ..shop() };
    for marker in [own("shop:api:tag"), flux("flux:api")] {
        let text = format!("a: x {marker}\n");
        assert_eq!(edited(&only, &text), text, "{marker}");
    }
    let text = format!("a: x {}\n", own("shop@prod:api:tag"));
    assert_ne!(edited(&only, &text), text);
    let outside = ("dev/a.yaml".to_owned(), Cow::Borrowed(text.as_bytes()));
    assert_eq!(plan(&shop(), [outside], &[]).unwrap(), Plan::default());
}

#[test]
fn our_marker_wins_in_a_comment_with_both() {
    let both = r#"# {"$imagepolicy": "flux:api:tag", "$promotion": "shop@dev:api:tag"}"#;
    let text = format!("a: x {both}\n");
    assert_eq!(edited(&shop(), &text), text);
}

#[test]
fn what_cannot_be_set_is_told_with_file_and_line() {
    let told = |marker: &str| problems(&shop(), &format!("b: 1\na: x {marker}\n"));
    let at = "prod/a.yaml:2: ";
    assert_eq!(
        told(&own("shop:web:tag")),
        [format!("NoMarkers {at}shop:web:tag: the pipeline has no component 'web'")]
    );
    let wrong = told(&own("shop:api:size"));
    assert!(wrong[0].starts_with(&format!("NoMarkers {at}shop:api:size: no attribute 'size'")));
    assert!(told(&flux("flux:api:nope"))[0].starts_with(&format!("NoMarkers {at}flux:api:nope")));
    assert_eq!(
        told(&own("shop:config:tag")),
        [format!("NotExpressible {at}shop:config:tag: the commit has no tag")]
    );
    assert_eq!(
        told(&own("shop:chart:ref")),
        [format!("NotExpressible {at}shop:chart:ref: the chart has no digest")]
    );
    assert!(told(&own("shop"))[0].starts_with(&format!("NoMarkers {at}shop: not a marker")));
    assert!(told("# {\"$promotion\": shop}")[0].starts_with(&format!("NoMarkers {at}$promotion")));
    let unattached = problems(&shop(), &format!("a: {}\n  b: x\n", own("shop:api:tag")));
    assert!(unattached[0].contains("prod/a.yaml:1: shop:api:tag: the marker belongs to no value"));
    let broken = problems(&shop(), &format!("a: [ {}\n", own("shop:api:tag")));
    assert!(broken[0].starts_with("NoMarkers prod/a.yaml: the file cannot be read"), "{broken:?}");
    // A chart's template with nobody's markers is no news.
    let template = format!("{{{{ if }}}}\na: x {}\n", flux("other:api"));
    assert_eq!(problems(&shop(), &template), Vec::<String>::new());
}

#[test]
fn a_component_needs_a_place() {
    let mut stage = shop();
    stage.components.get_mut("api").unwrap().optional = false;
    let told = problems(&stage, "a: 1\n");
    assert!(told[0].starts_with("NoMarkers no marker or field shows component 'api'"), "{told:?}");
    assert_eq!(problems(&stage, &format!("a: x {}\n", flux("flux:api"))), Vec::<String>::new());
}

#[test]
fn a_change_that_markers_cannot_say_is_told() {
    let mut stage = shop();
    stage.components.get_mut("api").unwrap().previous = Some(image("2.0", OLD));
    let told = problems(&stage, &format!("a: \"2.0\" {}\n", flux("flux:api:tag")));
    let want = "NotExpressible the markers of component 'api' (prod/a.yaml:1) cannot tell";
    assert!(told[0].starts_with(want), "{told:?}");
    let digest = format!("a: {OLD} {}\n", own("shop:api:digest"));
    assert_eq!(edited(&stage, &digest), digest.replace(OLD, NEW));
}

#[test]
fn values_are_checked_before_anything_is_edited() {
    let mut stage = shop();
    stage.components.get_mut("api").unwrap().value = Some(image("2.0 # x", NEW));
    let error = plan(&stage, [], &[]).unwrap_err();
    let Error::Value { component, why } = error else { panic!("{error}") };
    assert_eq!((component.as_str(), why.contains("is no image name")), ("api", true));
}

fn field(target: Target, path: &str, component: &str, attribute: Attribute) -> Field {
    let path = FieldPath::parse(path).expect("a path");
    Field { target, path, component: component.into(), attribute }
}

#[test]
fn fields_need_no_marker() {
    let object = |api_version: &str| Target::Object {
        api_version: Some(api_version.into()),
        kind: "HelmRelease".into(),
        namespace: None,
        name: "web".into(),
    };
    let file = Target::File("prod/**/a.yaml".into());
    let stage = Stage {
        fields: vec![
            field(object("v2"), "spec.chart.spec.version", "chart", Attribute::Tag),
            field(file, "spec.images[name=api].tag", "api", Attribute::Tag),
        ],
        ..shop()
    };
    let text = "apiVersion: v2\nkind: HelmRelease\nmetadata: {name: web}\nspec:\n  chart:\n    spec:   # keep\n      \
                version:   '1.0'   # keep\n  images:\n  - name: db\n    tag: '9'\n  - {name: api, tag: \
                \"1.0\"}\n---\nkind: HelmRelease\nmetadata: {name: other}\nspec: {chart: {spec: \
                {version: 1.0}}}\n";
    let want = text.replace("'1.0'", "'1.4.2'").replace("\"1.0\"", "\"2.0\"");
    assert_eq!(edited(&stage, text), want);
    let sites: Vec<_> = run(&stage, text).sites.iter().map(|it| it.value.clone()).collect();
    assert_eq!(sites, ["1.0", "1.0"]);
    let missing = Stage {
        fields: vec![field(object("v2"), "spec.chart.version", "chart", Attribute::Tag)],
        ..shop()
    };
    assert_eq!(
        problems(&missing, text),
        ["NoMarkers HelmRelease/web has no field spec.chart.version"]
    );
    // Another version is another object.
    let other = Stage {
        fields: vec![field(object("v1"), "spec.chart.spec.version", "chart", Attribute::Tag)],
        ..shop()
    };
    assert!(problems(&other, text)[0].starts_with("NoMarkers HelmRelease/web"));
}

#[test]
fn copies_make_a_folder_what_the_commit_says() {
    let marker = own("shop:api:tag");
    let tree = BTreeMap::from([
        ("new.yaml".to_owned(), (Kind::File, format!("a: x {marker}\n").into_bytes())),
        ("same.txt".to_owned(), (Kind::File, b"same".to_vec())),
    ]);
    let copies = [Copy { component: "config".into(), to: "prod/config".into(), tree }];
    let files = || {
        [("prod/config/old.yaml", "x"), ("prod/config/same.txt", "same"), ("prod/configs", "y")]
            .map(|(path, text)| (path.to_owned(), Cow::Borrowed(text.as_bytes())))
    };
    let done = plan(&shop(), files(), &copies).unwrap();
    assert_eq!(done.problems, []);
    // Markers in what is copied are set as well, so that a second run has nothing to do.
    let new = format!("a: \"2.0\" {marker}\n").into_bytes();
    assert_eq!(done.files, [("prod/config/new.yaml".to_owned(), new.clone())]);
    assert_eq!(done.removed, ["prod/config/old.yaml"]);
    let after = [("prod/config/new.yaml", &new[..]), ("prod/config/same.txt", b"same")]
        .map(|(path, bytes)| (path.to_owned(), Cow::Borrowed(bytes)));
    assert!(plan(&shop(), after, &copies).unwrap().is_empty());
    let refused = |to: &str, path: &str, kind| {
        let tree = BTreeMap::from([(path.to_owned(), (kind, Vec::new()))]);
        let copies = [Copy { component: "config".into(), to: to.into(), tree }];
        let done = plan(&shop(), files(), &copies).unwrap();
        assert!(done.is_empty());
        done.problems[0].reason == Reason::NotExpressible
    };
    assert!(refused("dev/config", "a", Kind::File));
    assert!(refused("prod/../dev", "a", Kind::File));
    assert!(refused(".", "a", Kind::File));
    assert!(refused("prod/config", "../../x", Kind::File));
    assert!(refused("prod/config", "link", Kind::Other));
}

#[test]
fn without_a_value_files_are_only_read() {
    let mut stage = shop();
    for component in stage.components.values_mut() {
        component.value = None;
    }
    let plan = run(&stage, &format!("spec:\n  a:\n  - x.io/api:1.0 {}\n", flux("flux:api")));
    assert!(plan.is_empty());
    let site = &plan.sites[0];
    assert_eq!(
        (site.value.as_str(), site.path.as_str(), site.line),
        ("x.io/api:1.0", "spec.a[0]", 3)
    );
    assert_eq!((site.component.as_str(), site.attribute), ("api", Attribute::Image));
}

#[test]
fn lint_tells_of_markers_that_nobody_sets() {
    let dev = Stage { name: "dev".into(), scope: Scope::new(["dev"]).unwrap(), ..shop() };
    let both = Stage { name: "both".into(), scope: Scope::new(["dev/b"]).unwrap(), ..shop() };
    let files = [
        ("dev/a.yaml", own("shop:api:tag")),
        ("dev/b/a.yaml", own("shop:api:tag")),
        ("dev/b/c.yaml", own("shop@dev:api:tag")),
        ("x/a.yaml", flux("flux:api")),
        ("x/b.yaml", own("shop@test:api:tag")),
        ("x/c.yaml", flux("other:api")),
        ("x/d.yaml", own("shop:web:tag")),
        ("x/e.yaml", own("elsewhere:web:tag")),
    ];
    let files = files.map(|(path, marker)| (path, format!("a: x {marker}\n")));
    let found: Vec<_> = lint(files, &[shop(), dev, both]).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "dev/b/a.yaml:1: shop:api:tag: the stages dev, both would all set it: name one with @ in \
             a $promotion marker",
            "x/a.yaml:1: flux:api: it is outside the paths of every stage that could set it",
            "x/b.yaml:1: shop@test:api:tag: the pipeline has no stage 'test'",
            "x/d.yaml:1: shop:web:tag: the pipeline has no component 'web'",
        ]
    );
}
