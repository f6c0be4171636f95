//! Hooks: objects that run at a point of an action, one after the other.

use apply::{Entry, Propagation};
use helm::hook::Hook;
use helm::release::LastRun;
use serde_json::Value;

use super::super::object::{self, Object};
use super::super::spec::Deed;
use super::{Bench, Step, Work};

/// What Kubernetes' watches say when time is up.
const LATE: &str = "timed out waiting for the condition";

const BEFORE: &str = "before-hook-creation";
const SUCCEEDED: &str = "hook-succeeded";
const FAILED: &str = "hook-failed";

/// How far the hooks of an event came.
#[derive(Debug, Clone, Default)]
pub(super) struct Hooks {
    /// Which of them, in the order in which they run.
    at: usize,
    phase: Phase,
    /// What must be gone before it goes on.
    going: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// What is there of that name goes.
    #[default]
    Clear,
    /// It is going.
    Clearing,
    /// It runs.
    Watch,
    /// All have run; those that do not stay go.
    Sweep,
    /// They are going.
    Sweeping,
}

impl Bench<'_> {
    /// Runs the hooks of an event.
    pub(super) async fn run_hooks(&mut self, work: &mut Work, event: &str) -> Result<Step, String> {
        let order = self.order(work, event)?;
        loop {
            let current = order.get(work.hooks.at).copied();
            let phase = work.hooks.phase;
            work.hooks.phase = match (phase, current) {
                (Phase::Clear, None) => Phase::Sweep,
                (Phase::Clear, Some(at)) => {
                    work.hooks.going = self.clear(work, at).await?;
                    Phase::Clearing
                }
                (Phase::Clearing | Phase::Sweeping, _) => {
                    let going = work.hooks.going.clone();
                    if let Step::Wait(entries) = self.gone(work, &going).await? {
                        return Ok(Step::Wait(entries));
                    }
                    work.since = None;
                    match (phase, current) {
                        (Phase::Clearing, Some(at)) => {
                            self.start(work, event, at).await?;
                            Phase::Watch
                        }
                        _ => break,
                    }
                }
                (Phase::Watch, Some(at)) => {
                    match self.watch(work, at).await {
                        Ok(Step::Wait(entries)) => return Ok(Step::Wait(entries)),
                        Ok(Step::Done) => {
                            self.note(at, "Succeeded");
                            // The next one may have to be waited for.
                            self.save_or_log(work).await;
                        }
                        Err(why) => {
                            self.note(at, "Failed");
                            self.clean_up(work, &order).await;
                            return Err(why);
                        }
                    }
                    work.since = None;
                    work.hooks.at += 1;
                    Phase::Clear
                }
                (Phase::Sweep | Phase::Watch, _) => {
                    work.hooks.going = self.sweep(work, &order).await?;
                    Phase::Sweeping
                }
            };
        }
        work.hooks = Hooks::default();
        Ok(Step::Done)
    }

    /// Which hooks of the record run, by their place in it.
    fn order(&self, work: &Work, event: &str) -> Result<Vec<usize>, String> {
        let hooks = &self.record()?.hooks;
        let filters = self.it.spec.test.as_ref().and_then(|it| it.filters.clone());
        let filters = filters.filter(|_| work.deed == Deed::Test).unwrap_or_default();
        let named = |name: &str, exclude: bool| {
            filters.iter().any(|it| (it.exclude == Some(true)) == exclude && it.name == name)
        };
        let includes = filters.iter().any(|it| it.exclude != Some(true));
        let runs = |hook: &Hook| {
            hook.events.iter().any(|it| it == event)
                && !named(&hook.name, true)
                && (!includes || named(&hook.name, false))
        };
        let mut order: Vec<usize> = (0..hooks.len()).filter(|at| runs(&hooks[*at].0)).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&hooks[*a].0, &hooks[*b].0);
            a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name))
        });
        Ok(order)
    }

    async fn objects_of(&self, hook: &Hook) -> Result<Vec<Object>, String> {
        object::read(self.cluster(), &hook.manifest, &self.record()?.namespace).await
    }

    /// Deletes what is there of a hook's name, as its policy says.
    async fn clear(&mut self, work: &mut Work, at: usize) -> Result<Vec<Entry>, String> {
        if let Some(stored) = &mut self.record {
            let policies = &mut stored.record.hooks[at].0.delete_policies;
            if policies.is_empty() {
                policies.push(BEFORE.to_owned());
            }
        }
        let hook = self.record()?.hooks[at].0.clone();
        self.delete_hook(work, &hook, BEFORE).await
    }

    /// Deletes the object of a hook, if it has the policy.
    async fn delete_hook(
        &self,
        work: &mut Work,
        hook: &Hook,
        policy: &str,
    ) -> Result<Vec<Entry>, String> {
        let applies = hook.delete_policies.iter().any(|it| it == policy);
        if !applies || hook.kind == "CustomResourceDefinition" {
            return Ok(Vec::new());
        }
        let objects = self.objects_of(hook).await.map_err(|why| {
            format!("unable to build kubernetes object for deleting hook {}: {why}", hook.path)
        })?;
        let deleted = self.site().delete(&objects, Propagation::Background, &mut work.log).await;
        deleted.map_err(|errors| errors.join("; "))?;
        Ok(objects.into_iter().map(|it| it.entry).collect())
    }

    /// Creates a hook's object; that it runs is recorded before.
    async fn start(&mut self, work: &mut Work, event: &str, at: usize) -> Result<(), String> {
        let hook = self.record()?.hooks[at].0.clone();
        let objects = self.objects_of(&hook).await.map_err(|why| {
            format!("unable to build kubernetes object for {event} hook {}: {why}", hook.path)
        })?;
        let started_at = self.now().to_string();
        if let Some(stored) = &mut self.record {
            let phase = "Running".to_owned();
            stored.record.hooks[at].1 = LastRun { started_at, phase, ..LastRun::default() };
        }
        self.save_or_log(work).await;
        let site = self.site();
        if let Err(why) = site.create(&objects, &mut work.log).await {
            self.note(at, "Failed");
            return Err(format!("warning: Hook {event} {} failed: {why}", hook.path));
        }
        Ok(())
    }

    /// Notes how a hook ended.
    fn note(&mut self, at: usize, phase: &str) {
        let now = self.now().to_string();
        if let Some(stored) = &mut self.record {
            let run = &mut stored.record.hooks[at].1;
            run.completed_at = now;
            phase.clone_into(&mut run.phase);
        }
    }

    /// Whether a hook has come to its end: Jobs and Pods run, anything else is done at once.
    async fn watch(&self, work: &mut Work, at: usize) -> Result<Step, String> {
        let hook = self.record()?.hooks[at].0.clone();
        let listed = |why: String| object::listed(&[why]);
        let objects = self.objects_of(&hook).await?;
        for object in objects {
            let runs = matches!(object.kind(), "Job" | "Pod");
            if !runs {
                continue;
            }
            if work.since.is_none() {
                let timeout = api::duration::Go(self.timeout(work));
                let (kind, name) = (object.kind(), object.name());
                let text =
                    format!("Watching for changes to {kind} {name} with timeout of {timeout}");
                work.log.say(self.now(), text);
            }
            let live = self.cluster().get(&object.entry).await;
            let done = match live {
                // Who deletes it takes it for done.
                Ok(None) => true,
                Ok(Some(live)) => finished(object.kind(), &live).map_err(listed)?,
                Err(why) if work.unanswered > 30 => return Err(listed(why.to_string())),
                Err(_) => {
                    work.unanswered += 1;
                    false
                }
            };
            if !done && self.is_late(work) {
                return Err(listed(LATE.to_owned()));
            }
            if !done {
                return Ok(Step::Wait(vec![object.entry]));
            }
        }
        Ok(Step::Done)
    }

    /// Deletes the hooks that go when all have succeeded, the last one first.
    async fn sweep(&self, work: &mut Work, order: &[usize]) -> Result<Vec<Entry>, String> {
        let mut going = Vec::new();
        for at in order.iter().rev() {
            let hook = self.record()?.hooks[*at].0.clone();
            going.extend(self.delete_hook(work, &hook, SUCCEEDED).await?);
        }
        Ok(going)
    }

    /// Deletes what goes after a failure: the hook that failed, and those before it that did not.
    async fn clean_up(&self, work: &mut Work, order: &[usize]) {
        let Ok(record) = self.record() else { return };
        let failed = work.hooks.at;
        for (place, at) in order.iter().enumerate().take(failed + 1) {
            let policy = if place == failed { FAILED } else { SUCCEEDED };
            let hook = record.hooks[*at].0.clone();
            if let Err(why) = self.delete_hook(work, &hook, policy).await {
                let text = format!("error deleting the hook resource on hook failure: {why}");
                work.log.say(self.now(), text);
            }
        }
    }
}

/// Whether a Job or Pod has ended well.
fn finished(kind: &str, live: &Value) -> Result<bool, String> {
    let name = live["metadata"]["name"].as_str().unwrap_or_default();
    if kind == "Pod" {
        return match live["status"]["phase"].as_str() {
            Some("Succeeded") => Ok(true),
            Some("Failed") => Err(format!("pod {name} failed")),
            _ => Ok(false),
        };
    }
    for condition in live["status"]["conditions"].as_array().into_iter().flatten() {
        if condition["status"] != "True" {
            continue;
        }
        match condition["type"].as_str() {
            Some("Complete") => return Ok(true),
            Some("Failed") => {
                let reason = condition["reason"].as_str().unwrap_or_default();
                return Err(format!("job {name} failed: {reason}"));
            }
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn jobs_and_pods_end() {
        let job = |conditions: Value| {
            finished(
                "Job",
                &json!({"metadata": {"name": "j"}, "status": {"conditions": conditions}}),
            )
        };
        assert_eq!(job(json!(null)), Ok(false));
        assert_eq!(job(json!([{"type": "Complete", "status": "False"}])), Ok(false));
        assert_eq!(job(json!([{"type": "Complete", "status": "True"}])), Ok(true));
        let failed =
            json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]);
        assert_eq!(job(failed), Err("job j failed: BackoffLimitExceeded".to_owned()));
        let pod = json!({"metadata": {"name": "p"}, "status": {"phase": "Failed"}});
        assert_eq!(finished("Pod", &pod), Err("pod p failed".to_owned()));
    }
}
