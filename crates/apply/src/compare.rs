//! What applying a stage would change, found out without changing anything.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::{FutureExt as _, StreamExt as _};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::error::Attempt;
use crate::{Action, Change, Cluster, Entry, Error, Id, Refusal, cleanup, control, drift};

/// How objects are applied.
#[derive(Debug, Clone)]
pub struct Options {
    /// Group of the control annotations, such as `kustomize.toolkit.fluxcd.io`.
    pub group: String,
    /// Whether objects may be deleted and created anew if they cannot be changed.
    pub force: bool,
    /// How many dry-runs run at the same time.
    pub concurrency: usize,
    /// Field managers, besides kubectl, that lose their fields (prefixes of their names).
    pub override_managers: Vec<String>,
}

/// A stage compared with the cluster, in the order in which it is written.
#[derive(Debug, Default)]
pub struct Comparison {
    pub(crate) steps: Vec<Step>,
}

/// One object of a stage.
#[derive(Debug)]
pub(crate) struct Step {
    /// The object as it shall be.
    pub(crate) object: Value,
    pub(crate) change: Change,
    /// The object as it is, if it exists.
    pub(crate) live: Option<Value>,
    /// The object as it would be; nothing if it is skipped or must be created anew.
    pub(crate) would_be: Option<Value>,
    pub(crate) cleanup: Option<Value>,
    pub(crate) recreate: bool,
}

impl Comparison {
    /// What would be done, object by object.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.steps.iter().map(|step| &step.change)
    }

    /// The objects that would be changed, before and after; before is nothing for new ones, and
    /// after is what is asked for where the object would have to be created anew.
    pub fn differences(&self) -> impl Iterator<Item = (&Change, Option<&Value>, &Value)> {
        let changed = self.steps.iter().filter(|step| step.change.action.is_change());
        changed.map(|step| {
            let after = step.would_be.as_ref().unwrap_or(&step.object);
            (&step.change, step.live.as_ref(), after)
        })
    }
}

impl Cluster {
    /// Compares a stage with the cluster by dry-runs, all of which must pass.
    ///
    /// # Errors
    /// [`Error::Refused`] of the first object in order that would not be accepted.
    pub async fn compare(
        &self,
        objects: Vec<Value>,
        options: &Options,
    ) -> Result<Comparison, Error> {
        let steps: Vec<_> =
            objects.into_iter().map(|object| self.step(object, options).boxed()).collect();
        let mut steps = futures::stream::iter(steps).buffered(options.concurrency.max(1));
        let mut comparison = Comparison::default();
        while let Some(step) = steps.next().await {
            comparison.steps.push(step?);
        }
        Ok(comparison)
    }

    async fn step(&self, mut object: Value, options: &Options) -> Result<Step, Error> {
        remove_invalid_bundle(&mut object);
        let entry = Entry::of(&object);
        // Whether it can be read does not matter: the dry-run will say what is wrong.
        let live = self.get(&entry).await.ok().flatten();
        if is_skipped(&object, live.as_ref(), &options.group) {
            let change = Change { entry, action: Action::Skipped };
            return Ok(Step::untouched(object, live, change));
        }
        match self.patch(&object, true).await {
            Ok(would_be) => Ok(self.compared(object, live, would_be, options)),
            Err(why) if self.may_recreate(&object, live.as_ref(), &why, options).await => {
                let change = Change { entry, action: Action::Created };
                Ok(Step { recreate: true, ..Step::untouched(object, live, change) })
            }
            Err(why) => Err(Error::refused(Attempt::DryRun, &entry.id, why)),
        }
    }

    fn compared(
        &self,
        object: Value,
        live: Option<Value>,
        would_be: Value,
        options: &Options,
    ) -> Step {
        let before = live.clone().unwrap_or_default();
        let merges = [&object, &before].iter().any(|it| control::merges(it, &options.group));
        let overridden = &options.override_managers;
        let cleanup = live.as_ref().filter(|_| !merges);
        let cleanup =
            cleanup.and_then(|live| cleanup::patch(live, self.field_manager(), overridden));
        let action = match &live {
            None => Action::Created,
            Some(live) if cleanup.is_some() || drift::differs(live, &would_be) => {
                Action::Configured
            }
            Some(_) => Action::Unchanged,
        };
        let change = Change { entry: Entry::of(&would_be), action };
        Step { cleanup, would_be: Some(would_be), ..Step::untouched(object, live, change) }
    }

    /// Whether an object that cannot be changed may be deleted and created anew: somebody allowed
    /// it, and creating it would be accepted.
    ///
    /// Any invalid object answers like an immutable field; upstream deletes the live object and
    /// then fails to create it (kustomize-controller#734). So creation is tried under another name.
    async fn may_recreate(
        &self,
        object: &Value,
        live: Option<&Value>,
        why: &Refusal,
        options: &Options,
    ) -> bool {
        let Some(live) = live.filter(|_| why.is_immutable()) else { return false };
        let forced = [object, live].iter().any(|it| control::is_forced(it, &options.group));
        (options.force || forced) && self.patch(&probe(object), true).await.is_ok()
    }
}

impl Step {
    fn untouched(object: Value, live: Option<Value>, change: Change) -> Self {
        Self { object, change, live, would_be: None, cleanup: None, recreate: false }
    }
}

fn is_skipped(object: &Value, live: Option<&Value>, group: &str) -> bool {
    control::is_excluded(object, group)
        || live.is_some_and(|live| control::is_excluded(live, group))
        || live.is_some() && control::if_not_present(object, group)
}

/// The same object under a name that nobody has.
fn probe(object: &Value) -> Value {
    let mut probe = object.clone();
    let name = Id::of(object).name;
    // Names have at most 63 characters in most kinds.
    let kept: String = name.chars().take(50).collect();
    probe["metadata"]["name"] = format!("{kept}-probe-x7k2q").into();
    probe
}

/// Removes a CA bundle that the API server would refuse from a CRD's conversion webhook: it is
/// put in by an injector later (kubernetes#126224).
fn remove_invalid_bundle(object: &mut Value) {
    if Id::of(object).group != "apiextensions.k8s.io" {
        return;
    }
    let client = object.pointer_mut("/spec/conversion/webhook/clientConfig");
    let Some(client) = client.and_then(Value::as_object_mut) else { return };
    let is_valid = |bundle: &str| {
        let decoded = BASE64_STANDARD.decode(bundle).unwrap_or_default();
        bundle.is_empty() || matches!(CertificateDer::pem_slice_iter(&decoded).next(), Some(Ok(_)))
    };
    if client.get("caBundle").and_then(Value::as_str).is_some_and(|bundle| !is_valid(bundle)) {
        client.remove("caBundle");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_removed() {
        let crd = |bundle: &str| {
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                   "spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": bundle}}}}})
        };
        for (bundle, stays) in [("", true), ("Cg==", false), ("not base64!", false)] {
            let mut object = crd(bundle);
            remove_invalid_bundle(&mut object);
            let client = &object["spec"]["conversion"]["webhook"]["clientConfig"];
            assert_eq!(client.get("caBundle").is_some(), stays, "{bundle}");
        }
    }
}
