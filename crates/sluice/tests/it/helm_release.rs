//! `sluice build|diff helmrelease`: from local files, with a cluster and without.

use std::path::Path;

use tempfile::TempDir;
use world::git::{Options, Server};

use crate::program::{Outcome, Running, finish, sluice};

const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.0.0\n";
const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n\
                   data: {size: '{{ .Values.size }}', token: '{{ .Values.token }}', \
                   colour: '{{ .Values.colour }}'}\n";
const MORE: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: more}\n\
                    stringData: {password: '{{ .Values.password }}'}\n";
const HOOK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: \
                    {helm.sh/hook: pre-upgrade}}\n";
const TEST: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: check, annotations: \
                    {helm.sh/hook: test}}\n";
const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                   metadata: {name: things.e.com}\nspec: {group: e.com, scope: Namespaced, names: \
                   {kind: Thing, plural: things}, versions: [{name: v1, served: true, storage: true, \
                   schema: {openAPIV3Schema: {type: object}}}]}\n";
const VALUES: &str = "size: small\ncolour: grey\npassword: tiger\n";
const PRODUCTION: &str = "colour: red\n";

const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: app, \
    namespace: apps}\nspec:\n  interval: 1h\n  chart: {spec: {chart: ./chart, valuesFiles: \
    [chart/values.yaml, production.yaml], sourceRef: {kind: GitRepository, name: fleet}}}\n  \
    valuesFrom:\n  - {kind: ConfigMap, name: sizes}\n  \
    - {kind: Secret, name: tokens, valuesKey: token, targetPath: token}\n  \
    commonMetadata: {labels: {team: a}}\n";
const SIZES: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sizes, namespace: apps}\n\
                     data: {values.yaml: 'size: large'}\n";
const TOKENS: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: tokens, namespace: apps}\n\
                      data: {token: c2VjcmV0}\n";

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn files() -> [(&'static str, &'static str); 8] {
    [
        ("chart/Chart.yaml", CHART),
        ("chart/values.yaml", VALUES),
        ("chart/templates/map.yaml", MAP),
        ("chart/templates/more.yaml", MORE),
        ("chart/templates/hook.yaml", HOOK),
        ("chart/templates/test.yaml", TEST),
        ("chart/crds/things.yaml", CRD),
        ("production.yaml", PRODUCTION),
    ]
}

/// A folder with the fleet, the release and what its values come from.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files() {
        write(folder.path(), &format!("fleet/{path}"), text);
    }
    write(folder.path(), "m/release.yaml", RELEASE);
    write(folder.path(), "m/values.yaml", &format!("{SIZES}---\n{TOKENS}"));
    folder
}

const OWN: [&str; 7] = [
    "app",
    "-n",
    "apps",
    "--helmrelease-file",
    "m",
    "--local-sources",
    "GitRepository/apps/fleet=fleet",
];

fn run(folder: &Path, verb: &str, more: &[&str]) -> Outcome {
    let mut command = sluice(&[&[verb, "helmrelease"], &OWN[..], more].concat());
    command.current_dir(folder);
    command.env("KUBECONFIG", folder.join("state/kubeconfig"));
    finish(command)
}

#[test]
fn a_release_is_built_without_a_cluster() {
    let folder = folder();
    let build = |more: &[&str]| run(folder.path(), "build", more);
    let whole = build(&["--dry-run"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    for part in [
        "kind: CustomResourceDefinition",
        "colour: red\n  size: large\n  token: secret\n",
        "app.kubernetes.io/managed-by: Helm\n    helm.toolkit.fluxcd.io/name: app\n    \
         helm.toolkit.fluxcd.io/namespace: apps\n    team: a\n",
        "meta.helm.sh/release-namespace: apps\n",
        "name: hook\n",
    ] {
        assert!(whole.stdout.contains(part), "{part}: {}", whole.stdout);
    }
    assert!(!whole.stdout.contains("name: check"), "tests are not enabled");
    let elsewhere = build(&["--dry-run", "--path", "nowhere"]);
    assert!(elsewhere.stderr.contains("nowhere"), "{elsewhere:?}");

    write(folder.path(), "m/release.yaml", &RELEASE.replace("chart/values.yaml", "absent.yaml"));
    let absent = build(&["--dry-run"]);
    assert!(absent.stderr.contains("there is no values file absent.yaml"), "{absent:?}");
    write(folder.path(), "m/release.yaml", &RELEASE.replace("name: sizes", "name: absent"));
    let absent = build(&["--dry-run"]);
    assert!(absent.stderr.contains("configmaps \"absent\" not found"), "{absent:?}");
    write(folder.path(), "m/release.yaml", &RELEASE.replace("name: fleet", "name: other"));
    let lost = build(&["--dry-run"]);
    assert!(lost.stderr.contains("--local-sources GitRepository/apps/other=PATH"), "{lost:?}");
}

#[test]
fn encrypted_values_are_masked_or_left_out() {
    let folder = folder();
    let encrypted = "apiVersion: v1\nkind: Secret\nmetadata: {name: tokens, namespace: apps}\n\
                     data: {token: RU5D}\nsops: {mac: 'ENC[x]'}\n---\n\
                     apiVersion: v1\nkind: Secret\nmetadata: {name: sizes, namespace: apps}\n\
                     stringData: {values.yaml: 'ENC[y]'}\nsops: {mac: 'ENC[x]'}\n";
    write(folder.path(), "m/values.yaml", encrypted);
    let release = RELEASE.replace("kind: ConfigMap, name: sizes", "kind: Secret, name: sizes");
    write(folder.path(), "m/release.yaml", &release);
    let built = run(folder.path(), "build", &["--dry-run"]);
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(built.stdout.contains("size: small\n  token: '**SOPS**'\n"), "{}", built.stdout);
}

#[test]
fn two_states_of_the_files_are_compared_without_a_cluster() {
    let folder = folder();
    let before = run(folder.path(), "build", &["--dry-run"]);
    write(folder.path(), "before.yaml", &before.stdout);
    let diff = || run(folder.path(), "diff", &["--against", "before.yaml"]);
    let same = diff();
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{same:?}");
    write(
        folder.path(),
        "m/values.yaml",
        &format!("{}---\n{TOKENS}", SIZES.replace("large", "huge")),
    );
    write(folder.path(), "fleet/chart/templates/new.yaml", &MAP.replace(".Release.Name", "`new`"));
    std::fs::remove_file(folder.path().join("fleet/chart/templates/hook.yaml")).unwrap();
    let changed = diff();
    assert_eq!(changed.code, Some(1), "{changed:?}");
    for part in [
        "► ConfigMap/app drifted\n\ndata.size\n± value change\n- large\n+ huge\n\n",
        "► ConfigMap/hook deleted\n",
        "► ConfigMap/new created\n",
    ] {
        assert!(changed.stdout.contains(part), "{part}: {}", changed.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_release_would_change_is_tried_in_the_cluster() {
    let folder = folder();
    let git = Server::start(Options::default()).await.unwrap();
    git.create("fleet", "main", files()).await.unwrap();
    let source = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: apps}}\n---\n\
         apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: fleet, \
         namespace: apps}}\nspec: {{interval: 1h, url: \"{}\", ref: {{branch: main}}}}\n",
        git.repository_url("fleet")
    );
    write(folder.path(), "m/a.yaml", &source);
    let up = |more: &[&str]| {
        let mut command = sluice(&[&["up", "--data-dir", "state"], more].concat());
        command.current_dir(folder.path());
        command
    };
    let ready = finish(up(&["-f", "m", "--until", "ready"]));
    assert_eq!(ready.code, Some(0), "{ready:?}");
    let mut plane = Running::start(up(&[]));
    plane.line("reconciling until interrupted");

    let diff = |more: &[&str]| run(folder.path(), "diff", more);
    let same = diff(&[]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{same:?}");
    let values = format!("{}---\n{TOKENS}", SIZES.replace("large", "huge\\npassword: lion"));
    let values = values.replace("'size", "\"size").replace("lion'", "lion\"");
    write(folder.path(), "m/values.yaml", &values);
    let thing = "apiVersion: e.com/v1\nkind: Thing\nmetadata: {name: thing}\n";
    write(folder.path(), "fleet/chart/templates/thing.yaml", thing);
    let changed = diff(&[]);
    assert_eq!(changed.code, Some(1), "{changed:?}");
    for part in [
        "► ConfigMap/apps/app drifted\n\ndata.size\n± value change\n- large\n+ huge\n\n",
        "data.password\n± value change\n- *** (before)\n+ *** (after)\n",
        "► Thing/apps/thing created\n",
    ] {
        assert!(changed.stdout.contains(part), "{part}: {}", changed.stdout);
    }
    assert!(!format!("{changed:?}").contains("bGlvbg"), "no value of a Secret is shown");
    std::fs::remove_file(folder.path().join("fleet/chart/templates/map.yaml")).unwrap();
    assert!(diff(&[]).stdout.contains("► ConfigMap/apps/app deleted\n"));

    let file = ["diff", "hr", "absent", "-n", "apps", "--path", "fleet/chart"];
    let mut absent = sluice(&file);
    absent.current_dir(folder.path());
    absent.env("KUBECONFIG", folder.path().join("state/kubeconfig"));
    let absent = finish(absent);
    assert_eq!(absent.code, Some(2), "{absent:?}");
    assert!(absent.stderr.contains("give --helmrelease-file"), "{absent:?}");
}
