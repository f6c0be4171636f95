//! What the real Helm renders.
#![expect(clippy::disallowed_methods, reason = "a test reads its cases")]

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use helm::capability::{Capabilities, KNOWN_API_VERSIONS, KubeVersion};
use helm::chart::Chart;
use helm::render::{self, Failure, Options, Rendered};
use helm::values::{self, Values};
use serde_json::Value as Json;
use testkit::{Tally, corpus};

use crate::outside::Outside;

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

fn strings(value: &Json) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// Standard output of `helm template`, or its error.
fn template(folder: &Path, case: &Json) -> Result<String, String> {
    let chart = std::fs::read(folder.join("chart.tgz")).unwrap();
    let chart = Chart::from_archive(&chart).map_err(|error| error.to_string())?;
    let mut user = Values::new();
    for file in strings(&case["valuesFiles"]) {
        let text = std::fs::read(folder.join(file)).unwrap();
        values::merge(&mut user, &values::parse(&text).unwrap());
    }
    let mut options = Options::new(text(&case["release"]), text(&case["namespace"]));
    options.host = Arc::new(Outside);
    let own = strings(&case["apiVersions"]);
    options.capabilities = Capabilities {
        kube_version: KubeVersion::parse(text(&case["kubeVersion"])).unwrap(),
        api_versions: KNOWN_API_VERSIONS.iter().copied().chain(own).map(str::to_owned).collect(),
        ..Capabilities::default()
    };
    render::render(chart, &user, &options)
        .map(|rendered| output(&rendered, case["includeCrds"] == true))
        .map_err(|Failure { error, .. }| error.to_string())
}

fn output(rendered: &Rendered, with_crds: bool) -> String {
    let mut text = String::new();
    if with_crds {
        for (path, content) in rendered.crds() {
            render::push(&mut text, &path, &content);
        }
    }
    let mut text = text + &rendered.manifest();
    text = format!("{}\n", text.trim());
    for hook in &rendered.hooks {
        render::push(&mut text, &hook.path, &hook.manifest);
    }
    text
}

fn check(folder: &Path, name: &str) -> Result<(), String> {
    let read = |suffix: &str| std::fs::read(folder.join(format!("{name}{suffix}")));
    let case: Json = serde_json::from_slice(&read(".json").unwrap()).unwrap();
    let got = template(folder, &case);
    if let Ok(want) = read(".want.err") {
        let want = String::from_utf8(want).unwrap();
        let want = want.split_once("Error: ").map_or(&*want, |(_, error)| error);
        let want = want.split("\n\nUse --debug").next().unwrap_or(want);
        return match got {
            Err(error) if error.trim() == want.trim() => Ok(()),
            other => Err(format!("want {want}\n got {other:?}")),
        };
    }
    let mut want = String::new();
    GzDecoder::new(&*read(".want.yaml.gz").unwrap()).read_to_string(&mut want).unwrap();
    let got = got?;
    if got == want {
        return Ok(());
    }
    let line = want.lines().zip(got.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or(want.lines().count().min(got.lines().count()));
    let show = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
    Err(format!("line {}: want {:?}\n     got {:?}", line + 1, show(&want), show(&got)))
}

#[test]
fn charts_render_as_with_helm() {
    let Some(root) = corpus("helm") else { return };
    let mut tally = Tally::new("helm");
    let mut folders: Vec<_> =
        std::fs::read_dir(root).unwrap().map(|it| it.unwrap().path()).collect();
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let mut cases: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        cases.sort();
        for case in cases.iter().filter(|case| case.extension().is_some_and(|it| it == "json")) {
            let name = case.file_stem().unwrap().to_string_lossy().into_owned();
            let full = format!("{}/{name}", folder.file_name().unwrap().to_string_lossy());
            tally.record(&full, check(folder, &name));
        }
    }
    tally.finish();
}
