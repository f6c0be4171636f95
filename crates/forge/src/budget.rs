//! How many requests a forge still answers.

use std::collections::HashMap;
use std::time::Duration;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// What a forge last said about how much it may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests in a period.
    pub limit: u64,
    /// Requests that are left.
    pub remaining: u64,
    /// When the period ends.
    pub resets_at: Option<Timestamp>,
    /// Nothing is asked until then.
    pub shut_until: Option<Timestamp>,
}

/// One login at one API.
pub(crate) type Account = (String, u64);

/// How long nothing is asked by a login that asked too much, if the forge does not say.
const PATIENCE: Duration = Duration::from_mins(1);
/// More accounts than this are not remembered.
const CAPACITY: usize = 1024;

/// The budgets by account.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<HashMap<Account, Budget>>);

impl Budgets {
    pub(crate) fn get(&self, account: &Account) -> Option<Budget> {
        self.0.lock().get(account).copied()
    }

    /// How long this account has to be silent still.
    pub(crate) fn silence(&self, account: &Account, now: Timestamp) -> Option<Duration> {
        let until = self.0.lock().get(account)?.shut_until.filter(|until| *until > now)?;
        Duration::try_from(until.duration_since(now)).ok()
    }

    /// Reads the headers of an answer: GitHub's, GitLab's and the standard's names.
    pub(crate) fn read(&self, account: &Account, status: u16, headers: &HeaderMap, now: Timestamp) {
        let number = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| headers.get(*name))?.to_str().ok()?;
            text.trim().parse::<u64>().ok()
        };
        let remaining = number(["x-ratelimit-remaining", "ratelimit-remaining"]);
        let limit = number(["x-ratelimit-limit", "ratelimit-limit"]);
        let reset = number(["x-ratelimit-reset", "ratelimit-reset"]);
        let resets_at = reset.and_then(|it| Timestamp::from_second(i64::try_from(it).ok()?).ok());
        let wait = http_client::retry_after(headers, now);
        let spent = status == 429 || (status == 403 && (remaining == Some(0) || wait.is_some()));
        if remaining.is_none() && !spent {
            return;
        }
        let after = |wait: Duration| SignedDuration::try_from(wait).ok().map(|it| now + it);
        let shut_until = spent
            .then(|| match (wait, resets_at.filter(|at| *at > now)) {
                (Some(wait), _) => after(wait),
                (None, Some(at)) => Some(at),
                (None, None) => after(PATIENCE),
            })
            .flatten();
        let mut budgets = self.0.lock();
        if budgets.len() >= CAPACITY && !budgets.contains_key(account) {
            budgets.clear();
        }
        let remaining = remaining.unwrap_or_default();
        let limit = limit.unwrap_or_default();
        budgets.insert(account.clone(), Budget { limit, remaining, resets_at, shut_until });
    }
}
