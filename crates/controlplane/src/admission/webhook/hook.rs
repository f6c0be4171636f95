//! A webhook as its configuration declares it.

use std::time::Duration;

use kube_cel::cel::Value as Cel;
use serde_json::Value;

use crate::admission::Attempt;
use crate::admission::context::{self, Variables};
use crate::admission::matching::Constraints;
use crate::admission::policy::{CONDITIONS_BUDGET, Expression};
use crate::api::Api;
use crate::schema::on_large_stack;

/// How long a webhook may take that does not say, in seconds.
const PATIENCE: u64 = 10;

/// One webhook.
pub(super) struct Hook {
    pub(super) name: String,
    constraints: Constraints,
    conditions: Vec<Expression>,
    /// Whether its failure refuses the request.
    pub(super) must_answer: bool,
    pub(super) timeout: Duration,
    /// Whether it may be asked about what is not to be kept.
    pub(super) takes_dry_runs: bool,
    /// Whether it is asked again when others changed the object after it.
    pub(super) reinvoked: bool,
    /// Where it is.
    pub(super) client: Value,
}

impl Hook {
    pub(super) fn read(value: &Value) -> Self {
        let conditions = value["matchConditions"].as_array().into_iter().flatten();
        let seconds = value["timeoutSeconds"].as_u64().unwrap_or(PATIENCE);
        Self {
            name: value["name"].as_str().unwrap_or_default().to_owned(),
            constraints: Constraints::of_webhook(value),
            conditions: conditions.map(|it| Expression::read(&it["expression"])).collect(),
            must_answer: value["failurePolicy"] != "Ignore",
            timeout: Duration::from_secs(seconds.clamp(1, 30)),
            takes_dry_runs: matches!(value["sideEffects"].as_str(), Some("None" | "NoneOnDryRun")),
            reinvoked: value["reinvocationPolicy"] == "IfNeeded",
            client: value["clientConfig"].clone(),
        }
    }

    /// Whether it is to be asked about an attempt.
    ///
    /// # Errors
    /// Why its conditions cannot be told.
    pub(super) fn wants(&self, api: &Api, attempt: &Attempt<'_>) -> Result<bool, String> {
        let namespace = attempt.namespace_object(api);
        let labels = namespace.as_ref().map(|it| &it["metadata"]["labels"]);
        if !self.constraints.matches(attempt, labels) {
            return Ok(false);
        }
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let job = || {
            let base = context::base(api, attempt, namespace.as_ref());
            let none = Variables::none(CONDITIONS_BUDGET);
            let mut errors = Vec::new();
            for condition in &self.conditions {
                match condition.evaluate(&base, &none) {
                    Ok(Cel::Bool(true)) => {}
                    Ok(_) => return Ok(false),
                    Err(why) => errors.push(why),
                }
            }
            if errors.is_empty() { Ok(true) } else { Err(crate::access::aggregate(errors)) }
        };
        on_large_stack(job)?
    }
}
