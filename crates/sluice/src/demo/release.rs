//! The second part: releases go from dev to staging to production, and one comes back.

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::{
    BRANCH, Demo, shop,
    stage::{Arrival, Person, Stages},
    watch::Watch,
};
use crate::manifest;

/// Who asks for what comes to production.
pub(super) const ALICE: &str = "alice";
/// Who agrees.
pub(super) const BOB: &str = "bob";

/// Who is in it, and what was not as it should be so far.
struct Story<'a> {
    demo: &'a Demo,
    stages: Stages,
    alice: Person,
    bob: Person,
    good: bool,
}

impl Demo {
    /// Shows two releases on their way. Whether Git and the control plane hold what they should.
    pub(super) async fn releases(&self, watch: &Watch) -> Result<bool> {
        let mut story = Story {
            demo: self,
            stages: Stages::start(self.plane.client.clone()),
            alice: self.person(ALICE).await?,
            bob: self.person(BOB).await?,
            good: true,
        };
        story.begin().await?;
        story.good_release(watch).await?;
        story.bad_release(watch).await?;
        story.verdict().await
    }

    async fn person(&self, name: &str) -> Result<Person> {
        let known = self.plane.users.iter().find(|(user, _)| user == name);
        let (_, kubeconfig) = known.with_context(|| format!("{name} has no kubeconfig"))?;
        Person::of(name, kubeconfig).await
    }
}

impl Story<'_> {
    async fn begin(&self) -> Result<()> {
        let term = self.demo.term;
        let repository = self.demo.git.repository_url(shop::NAME);
        let manifests = shop::manifests(&self.demo.registry.host(), &repository);
        let manifests = manifest::parse(&manifests, "the demo's manifests")?;
        let (stages, rest): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|it| it.kind() == Some("Stage"));
        term.title("Three stages are applied: dev -> staging -> production");
        let client = &self.demo.plane.client;
        manifest::apply(client, &rest).await?;
        // A Pipeline that knows its values first is quieter to watch.
        self.demo.plane.idle().await;
        manifest::apply(client, &stages).await?;
        term.detail("dev         takes each release at once");
        term.detail(&format!("staging     takes it once it ran well in dev for {} s", shop::SOAK));
        term.detail("production  takes it when somebody asks and somebody else approves;");
        term.detail("            what fails there is rolled back");
        for stage in shop::STAGES {
            let version = self.stages.known(stage).await?;
            term.done(&format!("runs      {stage}: {version}"));
        }
        Ok(())
    }

    async fn good_release(&mut self, watch: &Watch) -> Result<()> {
        let version = shop::GOOD;
        self.publish(watch, version).await?;
        self.up_to_staging(version).await?;
        let promotion = self.ask(version).await?;
        match self.alice.forge(&promotion, BOB).await? {
            Some(why) => {
                let text = format!("refused   {ALICE} approves in the name of {BOB}: {why}");
                self.demo.term.done(&text);
            }
            None => self.wrong(&format!("{ALICE} approved in the name of {BOB}")),
        }
        self.alice.approve(&promotion).await?;
        let says = self.stages.asks(&promotion, &[ALICE]).await?;
        let text = format!("waits     {ALICE} approves, but she asked for it: {says}");
        self.demo.term.done(&text);
        self.demo.term.title(&format!("{BOB} approves"));
        self.bob.approve(&promotion).await?;
        let arrival = self.stages.came("production", version).await?;
        self.arrived(&arrival, "production", version).await?;
        self.expect_trailer(&arrival.commit, &format!("Approved-By: {BOB} ")).await
    }

    async fn bad_release(&mut self, watch: &Watch) -> Result<()> {
        let version = shop::BAD;
        self.publish(watch, version).await?;
        self.up_to_staging(version).await?;
        let promotion = self.ask(version).await?;
        self.demo.term.title(&format!("{BOB} approves, and it crashes in production"));
        self.bob.approve(&promotion).await?;
        let (reason, message) = self.stages.failed(&promotion).await?;
        self.demo.term.done(&format!("failed    {reason}"));
        self.demo.term.detail(&message);
        let arrival = self.stages.came("production", shop::GOOD).await?;
        self.demo.term.title("It is rolled back");
        self.arrived(&arrival, "production", shop::GOOD).await?;
        self.expect_trailer(&arrival.commit, &format!("Rolls-Back: {promotion}")).await?;
        match &arrival.stage.hold {
            Some(hold) => {
                let text =
                    format!("held      production, until somebody resumes it: {}", hold.reason);
                self.demo.term.done(&text);
            }
            None => self.wrong("production is not held after a failure"),
        }
        Ok(())
    }

    async fn publish(&self, watch: &Watch, version: &str) -> Result<()> {
        self.demo.term.title(&format!("Somebody publishes {}:{version}", shop::NAME));
        self.demo.registry.publish(shop::NAME, version);
        watch.request_scan(shop::NAME, shop::NAME).await
    }

    /// Dev at once, staging after the soak.
    async fn up_to_staging(&mut self, version: &str) -> Result<()> {
        let dev = self.stages.came("dev", version).await?;
        self.arrived(&dev, "dev", version).await?;
        let staging = self.stages.came("staging", version).await?;
        self.arrived(&staging, "staging", version).await?;
        let current = dev.stage.current.unwrap_or_default();
        let verified = current.verified_at.context("dev did not verify it")?.0;
        let waited = committed(&staging)?.as_second() - verified.as_second();
        if waited >= shop::SOAK {
            let text = format!("soaked    it ran in dev for {} s before that", shop::SOAK);
            self.demo.term.done(&text);
        } else {
            self.wrong(&format!("it was in dev for {waited} s only"));
        }
        Ok(())
    }

    /// Alice asks for what is offered; the promotion's name.
    async fn ask(&mut self, version: &str) -> Result<String> {
        let term = self.demo.term;
        let offered = self.stages.offered("production", version).await?;
        let bundle = offered.candidate.context("there is no candidate")?.bundle;
        term.title(&format!("{ALICE} asks for {version} in production"));
        let promotion = self.alice.promote(&bundle, version).await?;
        let says = self.stages.asks(&promotion, &[]).await?;
        term.done(&format!("waits     {says}"));
        self.unchanged("production", version).await?;
        Ok(promotion)
    }

    /// Nothing is written while a gate is shut.
    async fn unchanged(&mut self, stage: &str, version: &str) -> Result<()> {
        let repository = self.demo.git.repository(shop::NAME)?;
        let file = repository.read_file(BRANCH, &shop::overlay(stage)).await?;
        let text = String::from_utf8_lossy(file.as_deref().unwrap_or_default()).into_owned();
        if text.contains(&format!("newTag: {version} ")) {
            self.wrong(&format!("{} has {version} already", shop::overlay(stage)));
        }
        Ok(())
    }

    /// What came to a stage is in Git as one commit that changes one file, and in the cluster.
    async fn arrived(&mut self, arrival: &Arrival, stage: &str, version: &str) -> Result<()> {
        let (term, commit) = (self.demo.term, &arrival.commit);
        let repository = self.demo.git.repository(shop::NAME)?;
        let log = repository.log(BRANCH).await?;
        let entry = log.iter().find(|entry| entry.id == *commit);
        let entry = entry.context("the Git server does not have the commit")?;
        let subject = entry.message.lines().next().unwrap_or_default();
        term.done(&format!("committed {} to {BRANCH}: {subject}", &commit[..7]));
        let patch = repository.show(commit).await?;
        let changed = patch.lines().filter(|line| {
            line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---")
        });
        term.diff(&changed.collect::<Vec<_>>().join("\n"));
        let files = patch.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        if files.collect::<Vec<_>>() != [shop::overlay(stage)] {
            self.wrong(&format!("the commit does not change {} alone", shop::overlay(stage)));
        }
        let wanted = format!("Promotion-Stage: {}/{stage}", shop::NAME);
        self.expect_trailer(commit, &wanted).await?;
        let image = self.stages.image(stage).await?;
        if image == format!("{}/{}:{version}", self.demo.registry.host(), shop::NAME) {
            term.done(&format!("deployed  Deployment {stage}/{} with {image}", shop::NAME));
        } else {
            self.wrong(&format!("Deployment {stage}/{} has {image}", shop::NAME));
        }
        Ok(())
    }

    async fn expect_trailer(&mut self, commit: &str, start: &str) -> Result<()> {
        let repository = self.demo.git.repository(shop::NAME)?;
        let log = repository.log(commit).await?;
        let message = log.first().map(|it| it.message.clone()).unwrap_or_default();
        if !message.lines().any(|line| line.starts_with(start)) {
            self.wrong(&format!("commit {} does not say '{start}'", &commit[..7]));
        }
        Ok(())
    }

    /// Compares everything in the end.
    async fn verdict(mut self) -> Result<bool> {
        let versions = [shop::BAD, shop::BAD, shop::GOOD];
        let files = shop::files(&self.demo.registry.host(), versions);
        self.demo.term.title("What the Git server and the control plane hold");
        self.good &= self.demo.compare(shop::NAME, &files).await?;
        for (stage, version) in shop::STAGES.iter().zip(versions) {
            let image = self.stages.image(stage).await?;
            if image.ends_with(&format!(":{version}")) {
                self.demo.term.done(&format!("{stage} runs {version}"));
            } else {
                self.wrong(&format!("{stage} runs {image} instead of {version}"));
            }
        }
        let commits = self.demo.git.repository(shop::NAME)?.log(BRANCH).await?.len();
        if commits != 8 {
            let text = "instead of 8: the first, three for each release, one rollback";
            self.wrong(&format!("{commits} commits {text}"));
        }
        Ok(self.good)
    }

    fn wrong(&mut self, what: &str) {
        self.good = false;
        self.demo.term.failed(what);
    }
}

/// When a promotion was committed.
fn committed(it: &Arrival) -> Result<Timestamp> {
    let status = it.promotion.status.as_ref().context("the promotion has no status")?;
    Ok(status.commits.last().context("the promotion has no commit")?.at.0)
}
