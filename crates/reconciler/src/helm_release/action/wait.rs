//! Waiting until objects are ready, or gone.

use apply::{Entry, Refusal};

use super::super::annotation;
use super::super::object;
use super::super::ready::{self, Readiness};
use super::{Bench, POLL, Step, Work};

/// What Go says when time is up.
pub(super) const LATE: &str = "context deadline exceeded";

/// How often in a row an object may not be read.
const TRIES: u32 = 30;

impl Bench<'_> {
    /// Waits until the objects of the release are ready.
    pub(super) async fn settle(&mut self, work: &mut Work) -> Result<Step, String> {
        let jobs = self.manner(work).wait_for_jobs;
        if work.since.is_none() {
            self.recall(work).await?;
            let record = self.record()?;
            let objects = object::read(self.cluster(), &record.manifest, &record.namespace).await?;
            let now = self.now();
            let timeout = api::duration::Go(self.timeout(work));
            let count = objects.len();
            let text = format!("beginning wait for {count} resources with timeout of {timeout}");
            work.log.say(now, text);
            work.since = Some(now);
            let asked = self.readiness();
            let counts =
                |it: &Entry| ready::counts(it, jobs) || asked.covers(&it.id.group, &it.id.kind);
            work.waits = objects.into_iter().map(|it| it.entry).filter(counts).collect();
        } else if self.waits_long(work) {
            self.recall(work).await?;
        }
        let entries = std::mem::take(&mut work.waits);
        let result = self.look(work, &entries).await;
        work.waits = entries;
        self.waited(work, result)
    }

    /// Whether a wait is long enough for others to have come in between.
    fn waits_long(&self, work: &Work) -> bool {
        let since = work.since.unwrap_or_default();
        self.now().duration_since(since).as_secs() >= POLL.as_secs().cast_signed()
    }

    fn waited(&self, work: &mut Work, result: Result<Step, String>) -> Result<Step, String> {
        let now = self.now();
        let since = work.since.unwrap_or(now);
        let took = now.duration_since(since).as_secs();
        let took = api::duration::Go(std::time::Duration::from_secs(took.unsigned_abs()));
        match &result {
            Ok(Step::Wait(_)) => {}
            Ok(Step::Done) => {
                work.log.say(now, format!("wait for resources succeeded within {took}"));
            }
            Err(why) => work.log.say(now, format!("wait for resources failed after {took}: {why}")),
        }
        result
    }

    /// By what custom resources are judged. That it can be read was seen before.
    fn readiness(&self) -> annotation::Readiness {
        annotation::readiness(self.it).unwrap_or_default()
    }

    async fn look(&self, work: &mut Work, entries: &[Entry]) -> Result<Step, String> {
        let asked = self.readiness();
        for entry in entries {
            let judged = if asked.covers(&entry.id.group, &entry.id.kind) {
                ready::by_rules(self.cluster(), entry, (&asked.rules, self.now())).await
            } else {
                ready::of(self.cluster(), entry).await
            };
            let waited = match judged {
                Ok(Readiness::Ready) => continue,
                Ok(Readiness::Failed(why)) => return Err(why),
                Ok(Readiness::NotYet(why)) => {
                    work.unanswered = 0;
                    why
                }
                Err(why) if is_transient(&why) && work.unanswered < TRIES => {
                    work.unanswered += 1;
                    Some(format!("Error received when checking status of resource: {why}"))
                }
                Err(why) => return Err(why.to_string()),
            };
            if let Some(why) = waited {
                work.log.say(self.now(), why);
            }
            if self.is_late(work) {
                return Err(LATE.to_owned());
            }
            return Ok(Step::Wait(vec![entry.clone()]));
        }
        Ok(Step::Done)
    }

    /// Waits until objects are gone.
    pub(super) async fn gone(&self, work: &mut Work, entries: &[Entry]) -> Result<Step, String> {
        for entry in entries {
            match self.cluster().get(entry).await {
                Ok(None) => {}
                Ok(Some(_)) if self.is_late(work) => return Err(LATE.to_owned()),
                Ok(Some(_)) => return Ok(Step::Wait(vec![entry.clone()])),
                // Without its kind there is no object.
                Err(why) if why.is_no_match() => {}
                Err(why) => return Err(why.to_string()),
            }
        }
        Ok(Step::Done)
    }
}

/// Whether another try may have an answer.
fn is_transient(refusal: &Refusal) -> bool {
    refusal.code.is_none_or(|code| code == 429 || (code >= 500 && code != 501))
}
