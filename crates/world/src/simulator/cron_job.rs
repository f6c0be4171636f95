//! CronJobs: a Job whenever the schedule says.

use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use cron::Schedule;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::condition::{self, time};
use super::kind::Kind;
use super::known::{Key, Object};
use super::replica_set::reference;
use super::work::Next;

/// Makes the Job that is due, forgets old ones, and tells which run.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, cron: &Value) -> Result<Next> {
    forget_old(cluster, cron).await?;
    let mut last = cron["status"]["lastScheduleTime"].as_str().map(ToOwned::to_owned);
    let mut next = None;
    if cron["spec"]["suspend"] != true {
        let since = last.as_deref().or(cron["metadata"]["creationTimestamp"].as_str());
        let since: Timestamp = since.context("an object has a time of creation")?.parse()?;
        // A schedule that cannot be read never comes; the server has checked what it can.
        let Some(times) = Times::of(cron) else { return Ok(None) };
        if let Some(due) = times.last_between(since, cluster.now)
            && start(cluster, key, cron, due).await?
        {
            last = Some(time(due));
        }
        next = times.after(cluster.now);
    }
    let active = active(cluster, cron);
    let mut status = cron["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    if let Some(members) = status.as_object_mut() {
        members.shift_remove("active");
    }
    if !active.is_empty() {
        status["active"] = active.iter().map(|job| pointer(job)).collect();
    }
    if let Some(last) = last {
        status["lastScheduleTime"] = json!(last);
    }
    let done = jobs(cluster, cron)
        .iter()
        .filter_map(|job| Some(job["status"]["completionTime"].as_str()?.to_owned()))
        .max();
    if let Some(done) = done {
        status["lastSuccessfulTime"] = json!(done);
    }
    cluster.set_status(key, &status).await?;
    Ok(next)
}

/// The times of a schedule, in its time zone or UTC.
struct Times {
    schedule: Schedule,
    zone: jiff::tz::TimeZone,
}

impl Times {
    fn of(cron: &Value) -> Option<Self> {
        let schedule =
            Schedule::from_str(&with_seconds(cron["spec"]["schedule"].as_str()?)).ok()?;
        let zone = match cron["spec"]["timeZone"].as_str() {
            Some(name) => jiff::tz::TimeZone::get(name).ok()?,
            None => jiff::tz::TimeZone::UTC,
        };
        Some(Self { schedule, zone })
    }

    /// The first time after `from`. The library reckons in a zone without changes: the wall clock of
    /// ours is handed to it as if it were UTC.
    fn after(&self, from: Timestamp) -> Option<Timestamp> {
        let wall = from.to_zoned(self.zone.clone()).datetime();
        let plain = wall.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        let plain = chrono::DateTime::from_timestamp(plain.as_second(), 0)?;
        let next = self.schedule.after(&plain).next()?;
        let next = Timestamp::from_second(next.timestamp()).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
        let next = next.datetime().to_zoned(self.zone.clone()).ok()?.timestamp();
        (next > from).then_some(next)
    }

    /// The latest time after `from` and not after `to`.
    fn last_between(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let mut last = None;
        let mut at = from;
        // One that was missed so often counts from there on, as upstream gives up at 100.
        for _ in 0..1000 {
            match self.after(at).filter(|next| *next <= to) {
                Some(next) => {
                    last = Some(next);
                    at = next;
                }
                None => break,
            }
        }
        last
    }
}

/// The library wants seconds, and counts weekdays from Sunday = 1.
fn with_seconds(schedule: &str) -> String {
    let named = match schedule.trim() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    };
    let mut fields: Vec<String> = named.split_whitespace().map(|f| f.replace('?', "*")).collect();
    if let Some(weekday) = fields.get_mut(4) {
        *weekday = weekdays(weekday);
    }
    format!("0 {}", fields.join(" "))
}

fn weekdays(field: &str) -> String {
    const NAMES: [&str; 8] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let (days, step) =
        field.split_once('/').map_or((field, None), |(days, step)| (days, Some(step)));
    let name = |c: char| c.to_digit(10).and_then(|d| NAMES.get(d as usize));
    let named: String = days
        .chars()
        .map(|c| name(c).map_or_else(|| c.to_string(), |name| (*name).to_owned()))
        .collect();
    step.map_or_else(|| named.clone(), |step| format!("{named}/{step}"))
}

async fn start(cluster: &mut Cluster, key: &Key, cron: &Value, due: Timestamp) -> Result<bool> {
    let late = cron["spec"]["startingDeadlineSeconds"].as_i64();
    if late.is_some_and(|seconds| cluster.now.as_second() - due.as_second() > seconds) {
        return Ok(false);
    }
    let running = active(cluster, cron);
    match cron["spec"]["concurrencyPolicy"].as_str() {
        Some("Forbid") if !running.is_empty() => return Ok(false),
        Some("Replace") => {
            for job in &running {
                cluster.delete(&Key::of(Kind::Job, job), job, false).await?;
            }
        }
        _ => {}
    }
    let template = &cron["spec"]["jobTemplate"];
    let mut annotations = template["metadata"]["annotations"].clone();
    annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = json!(time(due));
    let job = json!({
        "metadata": {
            "name": format!("{}-{}", key.name, due.as_second() / 60), "namespace": key.namespace,
            "labels": template["metadata"]["labels"], "annotations": annotations,
            "ownerReferences": [reference(cron, Kind::CronJob)],
        },
        "spec": template["spec"],
    });
    cluster.create(Kind::Job, job).await?;
    Ok(true)
}

/// The Jobs of a CronJob, the oldest first: their names end in numbers of equal length.
fn jobs(cluster: &Cluster, cron: &Value) -> Vec<Object> {
    cluster.known.controlled(cron, Kind::Job)
}

fn has_ended(job: &Value) -> bool {
    ["Complete", "Failed"].iter().any(|kind| condition::holds(&job["status"], kind))
}

fn active(cluster: &Cluster, cron: &Value) -> Vec<Object> {
    jobs(cluster, cron).into_iter().filter(|job| !has_ended(job)).collect()
}

fn pointer(job: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "namespace": job["metadata"]["namespace"],
        "name": job["metadata"]["name"], "uid": job["metadata"]["uid"],
        "resourceVersion": job["metadata"]["resourceVersion"],
    })
}

async fn forget_old(cluster: &mut Cluster, cron: &Value) -> Result<()> {
    for (condition, limit, usual) in
        [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
    {
        let kept = cron["spec"][limit].as_u64().unwrap_or(usual);
        let mut ended = jobs(cluster, cron);
        ended.retain(|job| condition::holds(&job["status"], condition));
        let extra = ended.len().saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
        for job in &ended[..extra] {
            cluster.delete(&Key::of(Kind::Job, job), job, false).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, zone: Option<&str>, from: &str) -> String {
        let cron = json!({"spec": {"schedule": schedule, "timeZone": zone}});
        Times::of(&cron).unwrap().after(from.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn schedules_are_those_of_cron() {
        assert_eq!(next("*/5 * * * *", None, "2026-01-01T00:01:00Z"), "2026-01-01T00:05:00Z");
        // 2026-01-04 is a Sunday.
        assert_eq!(next("0 9 * * 0", None, "2026-01-01T00:00:00Z"), "2026-01-04T09:00:00Z");
        assert_eq!(next("0 9 * * 1-5", None, "2026-01-03T00:00:00Z"), "2026-01-05T09:00:00Z");
        assert_eq!(next("@daily", None, "2026-01-01T00:00:00Z"), "2026-01-02T00:00:00Z");
    }

    #[test]
    fn the_last_of_many_missed_times_counts() {
        let cron = json!({"spec": {"schedule": "0 * * * *"}});
        let times = Times::of(&cron).unwrap();
        let (from, to) =
            ("2026-01-01T00:10:00Z".parse().unwrap(), "2026-01-01T05:10:00Z".parse().unwrap());
        assert_eq!(times.last_between(from, to).unwrap().to_string(), "2026-01-01T05:00:00Z");
    }
}
