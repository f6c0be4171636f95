//! Figures of the Helm engine: against the program on the charts of the corpus, and against Helm's
//! engine in one process.

use std::{
    collections::HashSet,
    fmt::Write as _,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use gotemplate::{Certificate, CertificateOrder};
use helm::{
    capability::KubeVersion,
    chart::Chart,
    render::{self, Options},
    values::{self, Values},
};
use scenarios::{Backend, skipped};
use serde_json::{Value, json};

use crate::Figure;

/// How often each case is rendered; the fastest counts.
const TIMES: usize = 5;

/// How many of the heaviest charts are compared in one process.
const HEAVIEST: usize = 10;

/// What templates see of the world: nothing that costs time.
struct Outside;

impl gotemplate::Host for Outside {
    fn now(&self) -> Result<(i64, u32), String> {
        Ok((0, 0))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        bytes.iter_mut().zip(0..).for_each(|(byte, at)| *byte = at);
        Ok(())
    }

    fn private_key(&self, kind: &str) -> Result<String, String> {
        Ok(kind.to_owned())
    }

    fn certificate(&self, order: &CertificateOrder) -> Result<Certificate, String> {
        Ok(Certificate { cert: order.common_name.clone(), key: String::new() })
    }
}

/// A chart with values, and what it is rendered for.
struct Case {
    folder: PathBuf,
    /// Of the case in the folder.
    name: String,
    release: String,
    namespace: String,
    kube_version: String,
    api_versions: Vec<String>,
    with_crds: bool,
    files: Vec<String>,
}

impl Case {
    /// A case of the corpus; none if Helm does not render it.
    fn read(path: &Path) -> Result<Option<Self>> {
        if !path.with_extension("want.yaml.gz").is_file() {
            return Ok(None);
        }
        let about: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
        Ok(Some(Self {
            folder: path.parent().context("a folder")?.to_owned(),
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            release: text(&about["release"]),
            namespace: text(&about["namespace"]),
            kube_version: text(&about["kubeVersion"]),
            api_versions: texts(&about["apiVersions"]),
            with_crds: about["includeCrds"] == true,
            files: texts(&about["valuesFiles"]),
        }))
    }

    fn title(&self) -> String {
        format!("{}/{}", self.folder.display(), self.name)
    }

    fn chart(&self) -> Result<Chart> {
        Ok(Chart::from_archive(&std::fs::read(self.folder.join("chart.tgz"))?)?)
    }

    /// What the corpus' own runner asks for, in the case's folder.
    fn arguments(&self) -> Vec<&str> {
        let mut words = vec!["template", &*self.release, "chart.tgz", "-n", &*self.namespace];
        words.extend(["--kube-version", &*self.kube_version]);
        words.extend(self.api_versions.iter().flat_map(|it| ["--api-versions", it]));
        words.extend(self.with_crds.then_some("--include-crds"));
        words.extend(self.files.iter().flat_map(|it| ["-f", it]));
        words
    }

    fn values(&self) -> Result<Values> {
        let mut all = Values::new();
        for file in &self.files {
            let text = std::fs::read(self.folder.join(file))?;
            values::merge(&mut all, &values::parse(&text)?);
        }
        Ok(all)
    }

    fn options(&self) -> Result<Options> {
        let mut options = Options::new(&self.release, &self.namespace);
        options.capabilities.kube_version = KubeVersion::parse(&self.kube_version)?;
        options.capabilities.api_versions.extend(self.api_versions.iter().cloned());
        options.host = Arc::new(Outside);
        Ok(options)
    }

    /// What Helm prints.
    fn wanted(&self) -> Result<Vec<u8>> {
        let packed = std::fs::File::open(self.folder.join(format!("{}.want.yaml.gz", self.name)))?;
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut text)?;
        Ok(text)
    }
}

/// Milliseconds to render the charts of the corpus, one process each, and the most memory of the
/// heaviest ten, both against `helm`; milliseconds to render those ten in one process, against Helm's
/// engine.
pub(super) fn figures(wants: &impl Fn(&str) -> bool, n: Option<usize>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let names = ["charts-rendered", "charts-memory", "charts-engine"];
    if !names.iter().any(|name| wants(name)) {
        return Ok(figures);
    }
    let Some(root) = testkit::corpus("helm") else { return Ok(figures) };
    let mut cases = cases(&root)?;
    cases.truncate(n.unwrap_or(usize::MAX));
    if wants("charts-rendered") {
        figures.push(processes(&cases)?);
    }
    if !names[1..].iter().any(|name| wants(name)) {
        return Ok(figures);
    }
    let cases = heaviest(cases)?;
    if wants("charts-memory") {
        figures.push(memory(&cases)?);
    }
    if wants("charts-engine") {
        figures.push(engine(&cases)?);
    }
    Ok(figures)
}

/// The cases that render.
fn cases(root: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for folder in std::fs::read_dir(root)?.flatten().map(|it| it.path()).filter(|it| it.is_dir()) {
        for path in std::fs::read_dir(&folder)?.flatten().map(|it| it.path()) {
            if path.extension().is_some_and(|it| it == "json") {
                cases.extend(Case::read(&path)?);
            }
        }
    }
    cases.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    Ok(cases)
}

/// Of the charts that take longest, the case that does.
fn heaviest(cases: Vec<Case>) -> Result<Vec<Case>> {
    let mut timed = Vec::new();
    for case in cases {
        timed.push((rendered(&case, case.chart()?)?.0, case));
    }
    timed.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let mut charts = HashSet::new();
    timed.retain(|(_, case)| charts.insert(case.folder.clone()));
    timed.truncate(HEAVIEST);
    Ok(timed.into_iter().map(|(_, case)| case).collect())
}

/// A program to compare with: built by the setup, or on the path.
fn peer(name: &str) -> Option<PathBuf> {
    let on_path = || {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).map(|it| it.join(name)).find(|it| it.is_file())
    };
    let found = world::helm::program(name).or_else(on_path);
    if found.is_none() {
        skipped("charts against helm", &format!("{name} is not built (cargo xtask setup)"));
    }
    found
}

fn ours() -> (PathBuf, Vec<String>) {
    (Path::new(env!("CARGO_BIN_EXE_scenarios")).to_owned(), vec!["helm".to_owned()])
}

fn command((program, words): &(PathBuf, Vec<String>), case: &Case) -> Command {
    let mut command = Command::new(program);
    command.args(words).args(case.arguments()).current_dir(&case.folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Sees to it that what is timed is the work that was asked for.
fn check(program: &(PathBuf, Vec<String>), case: &Case) -> Result<()> {
    let output = command(program, case).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    let (name, told) = (program.0.display(), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{name} fails on {}: {told}", case.title());
    ensure!(output.stdout == case.wanted()?, "{name} prints something else for {}", case.title());
    Ok(())
}

fn figure(
    (name, unit): (&'static str, &'static str),
    (value, peer): (f64, Option<f64>),
    (alone, times): (f64, f64),
    n: usize,
) -> Figure {
    let target = peer.map_or(alone, |peer| peer / times);
    Figure { name, value, unit, target, server: Backend::Embedded, n, peer }
}

fn processes(cases: &[Case]) -> Result<Figure> {
    let sum = |program: (PathBuf, Vec<String>)| -> Result<f64> {
        let mut sum = Duration::ZERO;
        for case in cases {
            check(&program, case)?;
            let mut best = Duration::MAX;
            for _ in 0..TIMES {
                let started = Instant::now();
                command(&program, case).status()?;
                best = best.min(started.elapsed());
            }
            sum += best;
        }
        Ok(sum.as_secs_f64() * 1000.0)
    };
    let value = sum(ours())?;
    let peer = peer("helm").map(|it| sum((it, Vec::new()))).transpose()?;
    let alone = 30.0 * f64::from(u32::try_from(cases.len())?);
    Ok(figure(("charts-rendered", "ms"), (value, peer), (alone, 5.0), cases.len()))
}

/// The most memory, in MiB, of the hungriest of some cases.
fn memory(cases: &[Case]) -> Result<Figure> {
    let most = |program: (PathBuf, Vec<String>)| -> Result<f64> {
        let mut most = 0.0_f64;
        for case in cases {
            most = most.max(peak(&mut command(&program, case))?);
        }
        Ok(most)
    };
    let value = most(ours())?;
    let peer = peer("helm").map(|it| most((it, Vec::new()))).transpose()?;
    Ok(figure(("charts-memory", "MiB"), (value, peer), (60.0, 2.0), cases.len()))
}

/// The most memory that a process has been seen with, in MiB: looked at all the time until it ends.
fn peak(command: &mut Command) -> Result<f64> {
    let mut child = command.spawn()?;
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        most = most.max(kib.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(most)
}

/// How long it takes to render a chart, and the sum of its manifest.
fn rendered(case: &Case, chart: Chart) -> Result<(Duration, String)> {
    let (values, options) = (case.values()?, case.options()?);
    let started = Instant::now();
    let rendered = render::render(chart, &values, &options);
    let took = started.elapsed();
    let rendered =
        rendered.map_err(|it| anyhow!("{} does not render: {}", case.title(), it.error))?;
    Ok((took, sum(&rendered.manifest())))
}

fn sum(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Milliseconds to render some cases one after the other in one process, without loading the charts.
fn engine(cases: &[Case]) -> Result<Figure> {
    let (mut value, mut sums) = (0.0, Vec::new());
    for case in cases {
        let chart = case.chart()?;
        let (mut best, sum) = rendered(case, chart.clone())?;
        for _ in 1..TIMES {
            best = best.min(rendered(case, chart.clone())?.0);
        }
        sums.push(sum);
        value += best.as_secs_f64() * 1000.0;
    }
    let peer = peer("engine").map(|it| helm_engine(&it, cases, &sums)).transpose()?;
    Ok(figure(("charts-engine", "ms"), (value, peer), (1000.0, 3.0), cases.len()))
}

/// The same by Helm's engine, which has to make the same of each case.
fn helm_engine(program: &Path, cases: &[Case], sums: &[String]) -> Result<f64> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut questions = String::new();
    for case in cases {
        let question = json!({
            "chart": case.folder.join("chart.tgz"), "values": case.values()?,
            "release": case.release, "namespace": case.namespace,
            "kubeVersion": case.kube_version, "apiVersions": case.api_versions, "times": TIMES,
        });
        questions.push_str(&question.to_string());
        questions.push('\n');
    }
    let mut input = child.stdin.take().context("it has an input")?;
    let writing = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = child.wait_with_output()?;
    writing.join().map_err(|_| anyhow!("writing failed"))??;
    let answers = String::from_utf8(output.stdout)?;
    ensure!(answers.lines().count() == cases.len(), "Helm's engine ended early");
    let mut time = 0.0;
    for ((line, case), sum) in answers.lines().zip(cases).zip(sums) {
        let answer: Value = serde_json::from_str(line)?;
        let is_same = answer["sum"] == **sum;
        ensure!(is_same, "Helm's engine makes something else of {}: {answer}", case.title());
        time += answer["seconds"].as_f64().context("no time")? * 1000.0;
    }
    Ok(time)
}
