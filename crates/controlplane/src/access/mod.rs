//! Who may do what: role-based access control as kube-apiserver decides it.

mod action;
pub(crate) mod bootstrap;
mod index;
mod rule;

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{RwLock, RwLockReadGuard};

pub(crate) use action::{Action, decode};
pub(crate) use index::Index;
pub(crate) use rule::{Rule, missing, quoted};

use crate::store::Store;
use crate::user::User;

/// Decides by the roles and bindings of a store.
#[derive(Debug)]
pub(crate) struct Access {
    changed: AtomicBool,
    index: RwLock<Index>,
}

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) allowed: bool,
    /// Empty if there is nothing to say.
    pub(crate) reason: String,
}

impl Access {
    pub(crate) fn new() -> Self {
        Self { changed: AtomicBool::new(true), index: RwLock::default() }
    }

    /// Notes that something stored at `store` has changed.
    pub(crate) fn hear(&self, store: &str) {
        if Index::concerns(store) {
            self.changed.store(true, Ordering::Release);
        }
    }

    /// The current roles and bindings.
    pub(crate) fn index(&self, store: &Store) -> RwLockReadGuard<'_, Index> {
        if self.changed.load(Ordering::Acquire) {
            // Whoever comes while this goes on waits for the lock, whatever the flag says.
            let mut index = self.index.write();
            if self.changed.swap(false, Ordering::AcqRel) {
                index.update(store);
            }
        }
        self.index.read()
    }

    /// Whether `user` may do it.
    pub(crate) fn decide(&self, store: &Store, user: &User, action: &Action) -> Decision {
        if user.is_privileged() {
            return Decision { allowed: true, reason: String::new() };
        }
        let index = self.index(store);
        let mut errors = Vec::new();
        for grant in index.grants(user, &action.namespace) {
            match &grant.rules {
                Ok(rules) if rules.iter().any(|rule| rule.allows(action)) => {
                    let reason = format!("RBAC: allowed by {}", grant.describe());
                    return Decision { allowed: true, reason };
                }
                Ok(_) => {}
                Err(why) => errors.push(why.clone()),
            }
        }
        let reason =
            if errors.is_empty() { String::new() } else { format!("RBAC: {}", aggregate(errors)) };
        Decision { allowed: false, reason }
    }

    /// All rules that apply to `user` in `namespace`, and what could not be found out.
    pub(crate) fn rules(
        &self,
        store: &Store,
        user: &User,
        namespace: &str,
    ) -> (Vec<Rule>, Vec<String>) {
        let index = self.index(store);
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for grant in index.grants(user, namespace) {
            match grant.rules {
                Ok(found) => rules.extend(found.iter().cloned()),
                Err(why) => errors.push(why),
            }
        }
        (rules, errors)
    }
}

/// Several errors as Kubernetes prints them together: each once.
pub(crate) fn aggregate(errors: Vec<String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for error in errors {
        if !seen.contains(&error) {
            seen.push(error);
        }
    }
    match seen.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
