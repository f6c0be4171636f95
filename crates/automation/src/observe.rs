//! Which policies take part, and with which images.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use api::{
    image::{ImagePolicy, ImageRef, ImageUpdateAutomation},
    meta::{READY, Status as _},
    reason,
};
use controller::{Stop, Store};
use kube::{Resource as _, ResourceExt as _};

use crate::selector::Selector;

/// The policies in scope, by name.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// Those that have chosen an image.
    pub(crate) chosen: BTreeMap<String, ImageRef>,
    /// Those that have not, or not yet.
    pub(crate) waiting: BTreeSet<String>,
    /// Those of them that say why they have not.
    pub(crate) failing: BTreeSet<String>,
}

/// The selected policies of the automation's namespace.
pub(crate) fn policies(
    it: &ImageUpdateAutomation,
    store: &Store<ImagePolicy>,
) -> Result<Policies, Stop> {
    let selector = Selector::new(it.spec.policy_selector.as_ref()).map_err(|why| {
        let message = format!("failed to parse policy selector: {why}");
        Stop::stall(reason::INVALID_POLICY_SELECTOR, message)
    })?;
    let mut policies = Policies::default();
    let all: Vec<Arc<ImagePolicy>> = store.in_namespace(&it.namespace().unwrap_or_default());
    for policy in all.iter().filter(|policy| selector.matches(policy.meta().labels.as_ref())) {
        let latest = policy.status.as_ref().and_then(|status| status.latest_ref.clone());
        let name = policy.name_any();
        if let Some(latest) = latest {
            policies.chosen.insert(name, latest);
            continue;
        }
        if is_failing(policy) {
            policies.failing.insert(name.clone());
        }
        policies.waiting.insert(name);
    }
    Ok(policies)
}

/// Whether a policy without an image says that there is something wrong with it; one that was just
/// made does not.
pub(crate) fn is_failing(policy: &ImagePolicy) -> bool {
    let status = policy.status.as_ref();
    let ready = status.and_then(|status| status.condition(READY));
    status.is_none_or(|status| status.latest_ref.is_none())
        && ready.is_some_and(|ready| ready.status == "False")
}

impl Policies {
    /// The same in the words of the engine, for markers of `namespace`.
    pub(crate) fn to_setters(&self, namespace: &str) -> Result<setters::Policies, setters::Error> {
        let mut policies = setters::Policies::new(Some(namespace));
        for (name, image) in &self.chosen {
            let image = setters::Image {
                name: image.name.clone(),
                tag: image.tag.clone(),
                digest: image.digest.clone(),
            };
            policies.insert(namespace, name, Some(image))?;
        }
        for name in &self.waiting {
            policies.insert(namespace, name, None)?;
        }
        Ok(policies)
    }
}
