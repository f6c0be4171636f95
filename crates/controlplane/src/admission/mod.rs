//! Admission: what policies have to say about a write that is otherwise fine.
//!
//! ```text
//! write ──> match: rules, selectors, conditions ──> params ──> CEL validations ──> deny or warn
//! ```

mod authorizer;
mod binding;
mod check;
mod context;
mod matching;
mod policy;
mod request;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use serde_json::Value;

pub(crate) use check::check;
pub(crate) use request::{Attempt, Operation};
pub(crate) use webhook::{Webhooks, mutate, validate};

use binding::Binding;
use policy::{Policy, Verdict};

use crate::api::Api;
use crate::schema::on_large_stack;
use crate::status::{Refused, Served};
use crate::store::Store;

const POLICIES: &str = "admissionregistration.k8s.io/validatingadmissionpolicies";
const BINDINGS: &str = "admissionregistration.k8s.io/validatingadmissionpolicybindings";

/// Policies and their bindings.
type Policies = Vec<(Policy, Vec<Binding>)>;

/// The policies in force: those that are bound.
#[derive(Default)]
pub(crate) struct Admission {
    changed: AtomicBool,
    policies: RwLock<Arc<Policies>>,
}

impl Admission {
    pub(crate) fn new() -> Self {
        Self { changed: AtomicBool::new(true), policies: RwLock::default() }
    }

    /// Notes that something stored at `store` has changed.
    pub(crate) fn hear(&self, store: &str) {
        if matches!(store, POLICIES | BINDINGS) {
            self.changed.store(true, Ordering::Release);
        }
    }

    fn policies(&self, store: &Store) -> Arc<Policies> {
        if self.changed.load(Ordering::Acquire) {
            let mut policies = self.policies.write();
            if self.changed.swap(false, Ordering::AcqRel) {
                *policies = Arc::new(read(store));
            }
        }
        self.policies.read().clone()
    }
}

fn read(store: &Store) -> Policies {
    let all = |place: &str| -> Vec<Value> {
        store.all(place, "").iter().map(|(_, object)| object.value()).collect()
    };
    let bindings = all(BINDINGS);
    let bound = |policy: &Value| -> Vec<Binding> {
        let name = &policy["metadata"]["name"];
        bindings.iter().filter(|b| b["spec"]["policyName"] == *name).map(Binding::read).collect()
    };
    let policies = all(POLICIES);
    let with_bindings = policies.iter().map(|policy| (policy, bound(policy)));
    with_bindings
        .filter(|(_, bindings)| !bindings.is_empty())
        .map(|(policy, bindings)| (Policy::read(policy), bindings))
        .collect()
}

/// Asks the policies about a write; gives what the client is to be warned of.
///
/// # Errors
/// The first denial.
pub(crate) fn admit(api: &Api, attempt: &Attempt<'_>) -> Served<Vec<String>> {
    let policies = api.admission.policies(&api.store);
    if policies.is_empty() || attempt.is_exempt() {
        return Ok(Vec::new());
    }
    let namespace = attempt.namespace_object(api);
    let labels = namespace.as_ref().map(|n| &n["metadata"]["labels"]);
    let matching = |policy: &Policy| policy.constraints.matches(attempt, labels);
    if !policies.iter().any(|(policy, _)| matching(policy)) {
        return Ok(Vec::new());
    }
    let job = || {
        let base = context::base(api, attempt, namespace.as_ref());
        let (mut denials, mut warnings) = (Vec::new(), Vec::new());
        for (policy, bindings) in policies.iter().filter(|(policy, _)| matching(policy)) {
            for binding in bindings.iter().filter(|b| b.constraints.matches(attempt, labels)) {
                judge(api, attempt, (policy, binding), &base, &mut |verdict: Verdict| {
                    let text = verdict.message.clone();
                    if binding.warns && !verdict.is_configuration {
                        warnings.push(format!(
                            "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {text}",
                            policy.name, binding.name
                        ));
                    }
                    if binding.denies || verdict.is_configuration {
                        let message = format!(
                            "ValidatingAdmissionPolicy '{}' with binding '{}' denied request: {text}",
                            policy.name, binding.name
                        );
                        denials.push((message, verdict.reason));
                    }
                });
            }
        }
        (denials, warnings)
    };
    let (denials, warnings) = on_large_stack(job).map_err(|why| Refused::internal(&why))?;
    match denials.into_iter().next() {
        None => Ok(warnings),
        Some((message, reason)) => Err(Refused::policy_denied(attempt.about(), &message, &reason)),
    }
}

/// Hands `told` what one binding of a policy finds wrong.
fn judge(
    api: &Api,
    attempt: &Attempt<'_>,
    (policy, binding): (&Policy, &Binding),
    base: &kube_cel::cel::Context<'_>,
    told: &mut dyn FnMut(Verdict),
) {
    match binding.params(api, policy.params.as_ref(), attempt.namespace()) {
        Err(why) if policy.fails => {
            told(Verdict::configuration(format!("failed to configure binding: {why}")));
        }
        Err(_) => {}
        Ok(all) => {
            for params in all {
                policy.validate(base, &params).into_iter().for_each(&mut *told);
            }
        }
    }
}
