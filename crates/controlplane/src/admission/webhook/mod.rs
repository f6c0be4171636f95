//! Admission webhooks: others who change a write, and who say whether it may be made.
//!
//! ```text
//! write ──> mutating: one after another, the object goes on changed ──> checks ──> validating: all at once
//! ```
//! This is the one way out of the server. Where a webhook is, its configuration says: at a URL, or
//! behind a Service, whose endpoints are called.

mod call;
mod hook;
mod review;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use parking_lot::RwLock;
use serde_json::Value;

use self::hook::Hook;
use super::Attempt;
use crate::api::Api;
use crate::patch;
use crate::status::{Refused, Served};
use crate::store::Store;

const MUTATING: &str = "admissionregistration.k8s.io/mutatingwebhookconfigurations";
const VALIDATING: &str = "admissionregistration.k8s.io/validatingwebhookconfigurations";

/// The webhooks of all configurations, by name.
#[derive(Default)]
struct Hooks {
    mutating: Vec<Hook>,
    validating: Vec<Hook>,
}

/// The webhooks in force.
#[derive(Default)]
pub(crate) struct Webhooks {
    changed: AtomicBool,
    hooks: RwLock<Arc<Hooks>>,
}

impl Webhooks {
    pub(crate) fn new() -> Self {
        Self { changed: AtomicBool::new(true), hooks: RwLock::default() }
    }

    /// Notes that something stored at `store` has changed.
    pub(crate) fn hear(&self, store: &str) {
        if matches!(store, MUTATING | VALIDATING) {
            self.changed.store(true, Ordering::Release);
        }
    }

    fn hooks(&self, store: &Store) -> Arc<Hooks> {
        if self.changed.load(Ordering::Acquire) {
            let mut hooks = self.hooks.write();
            if self.changed.swap(false, Ordering::AcqRel) {
                let (mutating, validating) = (read(store, MUTATING), read(store, VALIDATING));
                *hooks = Arc::new(Hooks { mutating, validating });
            }
        }
        self.hooks.read().clone()
    }
}

fn read(store: &Store, place: &str) -> Vec<Hook> {
    let configurations = store.all(place, "");
    let all = configurations.iter().flat_map(|(_, object)| {
        let value = object.value();
        let hooks = value["webhooks"].as_array().cloned().unwrap_or_default();
        hooks.into_iter().map(|hook| Hook::read(&hook))
    });
    all.collect()
}

/// What a stage of webhooks came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The object, if it was changed.
    pub(crate) object: Option<Value>,
    /// What the client is to be warned of.
    pub(crate) warnings: Vec<String>,
}

/// Lets the mutating webhooks change the new state of an attempt.
///
/// # Errors
/// The first refusal, and the failure of a webhook that must not fail.
pub(crate) async fn mutate(api: &Api, attempt: &Attempt<'_>) -> Served<Outcome> {
    let hooks = api.webhooks.hooks(&api.store);
    let mut outcome = Outcome::default();
    if hooks.mutating.is_empty() || attempt.is_exempt() {
        return Ok(outcome);
    }
    let mut last_change = None;
    for (position, hook) in hooks.mutating.iter().enumerate() {
        if change(api, attempt, hook, &mut outcome).await? {
            last_change = Some(position);
        }
    }
    // Those who wish so are asked once more if others changed the object after them.
    for (position, hook) in hooks.mutating.iter().enumerate() {
        if hook.reinvoked && last_change.is_some_and(|last| last > position) {
            change(api, attempt, hook, &mut outcome).await?;
        }
    }
    Ok(outcome)
}

/// Lets one webhook change the object; whether it did.
async fn change(
    api: &Api,
    attempt: &Attempt<'_>,
    hook: &Hook,
    outcome: &mut Outcome,
) -> Served<bool> {
    let object = outcome.object.clone().unwrap_or_else(|| attempt.object.clone());
    let now = Attempt { object: &object, ..attempt.same() };
    let Some(answer) = review::ask(api, &now, hook).await? else { return Ok(false) };
    outcome.warnings.extend(answer.warnings);
    let Some(steps) = answer.patch else { return Ok(false) };
    if object.is_null() {
        return Ok(false);
    }
    let patched = patch::json(&object, &steps)
        .map_err(|why| Refused::internal(&format!("webhook {:?}: {why}", hook.name)))?;
    let changed = patched != object;
    outcome.object = Some(patched);
    Ok(changed)
}

/// Asks the validating webhooks about an attempt; gives what the client is to be warned of.
///
/// # Errors
/// The first refusal, and the failure of a webhook that must not fail.
pub(crate) async fn validate(api: &Api, attempt: &Attempt<'_>) -> Served<Vec<String>> {
    let hooks = api.webhooks.hooks(&api.store);
    if hooks.validating.is_empty() || attempt.is_exempt() {
        return Ok(Vec::new());
    }
    let asked = hooks.validating.iter().map(|hook| review::ask(api, attempt, hook));
    let mut warnings = Vec::new();
    for answer in join_all(asked).await {
        warnings.extend(answer?.into_iter().flat_map(|answer| answer.warnings));
    }
    Ok(warnings)
}
