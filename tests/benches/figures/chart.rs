//! Figures of the Helm engine: against the program on the charts of the corpus, and against Helm's
//! engine in one process.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use gotemplate::{Certificate, CertificateOrder};
use helm::{
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

/// A chart with values.
struct Case {
    folder: PathBuf,
    release: String,
    namespace: String,
    files: Vec<String>,
    /// What Helm prints, packed: its size tells how much work it is.
    weight: u64,
}

impl Case {
    fn chart(&self) -> PathBuf {
        self.folder.join("chart.tgz")
    }

    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["template".to_owned(), self.release.clone()];
        words.extend([self.chart().display().to_string(), "-n".to_owned(), self.namespace.clone()]);
        for file in &self.files {
            words.extend(["-f".to_owned(), self.folder.join(file).display().to_string()]);
        }
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
    cases.sort_by_key(|case| std::cmp::Reverse(case.weight));
    cases.truncate(HEAVIEST);
    if wants("charts-memory") {
        figures.push(memory(&cases)?);
    }
    if wants("charts-engine") {
        figures.push(engine(&cases)?);
    }
    Ok(figures)
}

/// The cases that need no flags and render.
fn cases(root: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for folder in std::fs::read_dir(root)?.flatten().map(|it| it.path()).filter(|it| it.is_dir()) {
        for path in std::fs::read_dir(&folder)?.flatten().map(|it| it.path()) {
            if path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let about: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let output = path.with_extension("want.yaml.gz");
            let is_plain = about["apiVersions"].as_array().is_none_or(Vec::is_empty);
            let Some(output) = std::fs::metadata(output).ok().filter(|_| is_plain) else {
                continue;
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            cases.push(Case {
                folder: folder.clone(),
                release: text(&about["release"]),
                namespace: text(&about["namespace"]),
                files: about["valuesFiles"].as_array().into_iter().flatten().map(text).collect(),
                weight: output.len(),
            });
        }
    }
    cases.sort_by(|a, b| (&a.folder, &a.files).cmp(&(&b.folder, &b.files)));
    Ok(cases)
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
    command.args(words).args(case.arguments());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
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
            let mut best = Duration::MAX;
            for _ in 0..TIMES {
                let started = Instant::now();
                let status = command(&program, case).status()?;
                ensure!(
                    status.success(),
                    "{} fails on {}",
                    program.0.display(),
                    case.folder.display()
                );
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

/// Milliseconds to render some cases one after the other in one process, without loading the charts.
fn engine(cases: &[Case]) -> Result<Figure> {
    let mut value = 0.0;
    for case in cases {
        let chart = Chart::from_archive(&std::fs::read(case.chart())?)?;
        let values = case.values()?;
        let mut best = Duration::MAX;
        for _ in 0..TIMES {
            let (chart, mut options) =
                (chart.clone(), Options::new(&case.release, &case.namespace));
            options.host = Arc::new(Outside);
            let started = Instant::now();
            let rendered = render::render(chart, &values, &options);
            best = best.min(started.elapsed());
            ensure!(rendered.is_ok(), "{} does not render", case.folder.display());
        }
        value += best.as_secs_f64() * 1000.0;
    }
    let peer = peer("engine").map(|it| helm_engine(&it, cases)).transpose()?;
    Ok(figure(("charts-engine", "ms"), (value, peer), (1000.0, 3.0), cases.len()))
}

/// The same by Helm's engine.
fn helm_engine(program: &Path, cases: &[Case]) -> Result<f64> {
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut questions = String::new();
    for case in cases {
        let question = json!({
            "chart": case.chart(), "values": case.values()?, "release": case.release,
            "namespace": case.namespace, "times": TIMES,
        });
        questions.push_str(&question.to_string());
        questions.push('\n');
    }
    let mut input = child.stdin.take().context("it has an input")?;
    let writing = std::thread::spawn(move || input.write_all(questions.as_bytes()));
    let output = child.wait_with_output()?;
    writing.join().map_err(|_| anyhow::anyhow!("writing failed"))??;
    let mut sum = 0.0;
    for line in String::from_utf8(output.stdout)?.lines() {
        let answer: Value = serde_json::from_str(line)?;
        let seconds = answer["seconds"].as_f64();
        sum += seconds.with_context(|| format!("Helm's engine: {answer}"))? * 1000.0;
    }
    Ok(sum)
}
