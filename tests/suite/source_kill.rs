//! A process that is killed at any moment leaves no half artifact, and catches up.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use world::{git, registry};

use crate::{
    artifact::{archive, sha256},
    process::{Process, kills, seed, text},
    web::Web,
};

const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
const TAR: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

/// The objects that are there, as kind and name.
const OBJECTS: [(&str, &str); 4] = [
    ("GitRepository", "fleet"),
    ("OCIRepository", "app"),
    ("HelmRepository", "charts"),
    ("HelmChart", "demo"),
];

/// `sluice up`, and servers with sources that outlive it.
struct Victim {
    process: Process,
    registry: registry::Server,
    web: Web,
    _git: git::Server,
    repository: git::Repository,
    version: u32,
}

impl Victim {
    async fn new() -> Result<Self> {
        let process = Process::new()?;
        let (registry, web) = (registry::Server::start().await?, Web::start().await?);
        let git = git::Server::start(git::Options::default()).await?;
        let repository = git.create("fleet", "main", [("version", "0")]).await?;
        let of = |kind: &str, name: &str, spec: Value| {
            json!({
                "apiVersion": SOURCE, "kind": kind,
                "metadata": {"name": name, "namespace": "apps"}, "spec": spec,
            })
        };
        let from = json!({"kind": "HelmRepository", "name": "charts"});
        let url = format!("oci://{}", registry.image("app"));
        let all = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}),
            of(
                "GitRepository",
                "fleet",
                json!({"url": git.repository_url("fleet"), "interval": "1s", "ref": {"branch": "main"}}),
            ),
            of("OCIRepository", "app", json!({"url": url, "insecure": true, "interval": "1s"})),
            of("HelmRepository", "charts", json!({"url": web.url("/c"), "interval": "1s"})),
            of("HelmChart", "demo", json!({"chart": "demo", "interval": "1s", "sourceRef": from})),
        ];
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        std::fs::write(process.path("objects.yaml"), all.join("\n---\n"))?;
        let victim = Self { process, registry, web, _git: git, repository, version: 0 };
        victim.put();
        Ok(victim)
    }

    /// Puts the version to where it is fetched from, but for Git.
    fn put(&self) {
        let version = self.version;
        let store = self.registry.store();
        let layer = archive(&[("version", &version.to_string())]);
        store.publish_layers("app", "latest", &[(TAR, &layer)], &BTreeMap::default());
        let chart = format!("apiVersion: v2\nname: demo\nversion: 1.{version}.0\n");
        let file = format!("demo-1.{version}.0.tgz");
        self.web.put(&format!("/c/{file}"), archive(&[("demo/Chart.yaml", &chart)]));
        let entry =
            format!("{{apiVersion: v2, name: demo, version: 1.{version}.0, urls: [{file}]}}");
        self.web.put("/c/index.yaml", format!("apiVersion: v1\nentries:\n  demo: [{entry}]\n"));
    }

    /// Everything becomes newer.
    async fn advance(&mut self) -> Result<()> {
        self.version += 1;
        self.put();
        let text = self.version.to_string();
        self.repository.commit("main", [("version", text.as_str())], "newer").await?;
        Ok(())
    }

    /// Waits until all artifacts are of this version, and checks them.
    async fn settles(&self) -> Result<()> {
        let objects = self.process.objects()?;
        let head = self.repository.head("main").await?.context("a head")?;
        let version = self.version;
        let index = self.web.file("/c/index.yaml").context("an index")?;
        let wanted = BTreeMap::from([
            ("GitRepository", format!("main@sha1:{head}")),
            ("HelmRepository", sha256(&index)),
            ("HelmChart", format!("1.{version}.0")),
        ]);
        for (kind, name) in OBJECTS {
            let there = || async {
                let it = objects.get(SOURCE, kind, "apps", name).await.unwrap_or_default();
                self.is_there(kind, &it, wanted.get(kind)).unwrap_or(false)
            };
            let what = format!("{kind}/{name} is of version {version}");
            objects.eventually(&what, there).await.with_context(|| self.process.log())?;
        }
        Ok(())
    }

    /// Whether the artifact is of the version, and on disk what the status says.
    fn is_there(&self, kind: &str, it: &Value, wanted: Option<&String>) -> Result<bool> {
        let artifact = &it["status"]["artifact"];
        let (path, revision) = (artifact["path"].as_str(), artifact["revision"].as_str());
        let (path, revision) = (path.context("a path")?, revision.context("a revision")?);
        let file = self.files()?.into_iter().find(|it| it.ends_with(path)).context("a file")?;
        let bytes = std::fs::read(file)?;
        ensure!(artifact["digest"] == sha256(&bytes), "{artifact} is damaged");
        if kind == "OCIRepository" {
            // Its revision is a digest of the registry's.
            let mut tar = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
            let mut found = String::new();
            for entry in tar.entries()? {
                let mut entry = entry?;
                if entry.path()?.ends_with("version") {
                    entry.read_to_string(&mut found)?;
                }
            }
            return Ok(found == self.version.to_string());
        }
        Ok(wanted.is_some_and(|wanted| wanted == revision))
    }

    /// Every artifact that is there is whole, whoever was killed while writing it.
    fn artifacts_are_whole(&self) -> Result<usize> {
        let mut count = 0;
        for file in self.files()? {
            let name = file.file_name().and_then(|it| it.to_str()).context("a name")?;
            // What is not yet whole has another name, that begins with a dot.
            if name.starts_with('.') || file.is_symlink() {
                continue;
            }
            if file.extension().is_some_and(|it| it == "gz" || it == "tgz") {
                let mut all = Vec::new();
                let read = GzDecoder::new(std::fs::File::open(&file)?).read_to_end(&mut all);
                read.with_context(|| format!("{} is half an artifact", file.display()))?;
                count += 1;
            } else if name.starts_with("index-") {
                let _: Value = serde_json::from_slice(&std::fs::read(&file)?)
                    .with_context(|| format!("{} is half an index", file.display()))?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// All files below the folders of artifacts.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut all = Vec::new();
        let mut folders = vec![self.process.path("data")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() && entry.file_name() != "git" && entry.file_name() != "trees" {
                    folders.push(entry.path());
                } else if kind.is_file() && in_a_kind(&entry.path()) {
                    all.push(entry.path());
                }
            }
        }
        Ok(all)
    }
}

/// Whether a path is where artifacts are.
fn in_a_kind(path: &Path) -> bool {
    let kinds = ["gitrepository", "ocirepository", "helmrepository", "helmchart"];
    path.components().any(|it| kinds.iter().any(|kind| it.as_os_str() == *kind))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_no_half_artifact_and_catches_up() -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed());
    let mut victim = Victim::new().await?;
    let manifests = victim.process.path("objects.yaml");
    victim.process.spawn(&["-f", text(&manifests)?])?;
    victim.process.answers().await?;
    victim.settles().await?;
    let mut lost = false;
    for round in 1..=kills(4) {
        victim.advance().await?;
        // From before the first look to after everything is stored.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1800))).await;
        victim.process.kill().await?;
        let there = victim.artifacts_are_whole()?;
        // What was lost may not be built again yet.
        ensure!(there > 0 || lost, "artifacts were there and are gone");
        lost = there == 0 || random.random_bool(0.2);
        if lost {
            // The storage may be lost as well, as it is with a Pod: it is built again.
            for file in victim.files()? {
                std::fs::remove_file(file)?;
            }
        }
        victim.process.spawn(&[])?;
        victim.process.answers().await?;
        if round % 5 == 0 {
            victim.settles().await?;
            lost = false;
        }
    }
    victim.settles().await?;
    let left = victim.files()?;
    let half = left.iter().filter(|it| it.display().to_string().contains("/.tmp-"));
    assert_eq!(half.count(), 0, "what was half written is cleared away: {left:?}");
    Ok(())
}
