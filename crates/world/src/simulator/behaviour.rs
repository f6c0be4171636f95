//! How a Pod behaves over time.

use std::str::FromStr;
use std::time::Duration;

/// The script of a Pod: steps, one after another, from the time it was given to its node.
///
/// ```text
/// ready               gets ready at once; a Pod that runs to completion succeeds
/// hang                runs and never gets ready; a Pod that runs to completion never ends
/// pending             is never given to a node
/// fail[=REASON]       crashes (CrashLoopBackOff); a Pod that runs to completion fails.
///                     REASON: ImagePullBackOff, ErrImagePull, InvalidImageName,
///                     CreateContainerConfigError, CreateContainerError, OOMKilled or another
/// after=DURATION      stays as it is (at first: starting) for so long; 500ms, 3s, 2m, 1h
/// instant             the same as ready
/// ```
/// Steps are separated by commas: `after=3s,ready,after=1m,fail` starts for 3 seconds, is ready for a
/// minute and crashes. A script that ends in a wait ends in `ready`.
///
/// ```
/// use world::simulator::Behaviour;
///
/// let slow: Behaviour = "after=3s".parse()?;
/// assert_eq!(slow, "after=3s,ready".parse()?);
/// assert!("after=soon".parse::<Behaviour>().is_err());
/// # Ok::<_, world::simulator::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// When each state begins, counted from the start; ascending.
    states: Vec<(Duration, State)>,
}

/// A script that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("behaviour {script:?}: {why}")]
pub struct Error {
    script: String,
    why: String,
}

/// What a Pod does at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It has no node yet.
    Pending,
    /// Its containers are being made.
    Starting,
    /// It runs, and is not ready.
    Running,
    /// It is ready; if it runs to completion, it has succeeded.
    Ready,
    /// It does not work, for a reason.
    Failed(String),
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { states: vec![(Duration::ZERO, State::Ready)] }
    }
}

impl Behaviour {
    /// The state after a time, and after which time the next one begins, if any.
    pub(super) fn at(&self, passed: Duration) -> (&State, Option<Duration>) {
        let next = self.states.iter().position(|(from, _)| *from > passed);
        let current = next.unwrap_or(self.states.len()).saturating_sub(1);
        (&self.states[current].1, next.map(|next| self.states[next].0))
    }
}

impl FromStr for Behaviour {
    type Err = Error;

    fn from_str(script: &str) -> Result<Self, Error> {
        let bad = |why: String| Error { script: script.to_owned(), why };
        let mut states = vec![(Duration::ZERO, State::Starting)];
        let mut at = Duration::ZERO;
        let mut waits = false;
        for step in script.split(',').map(str::trim) {
            let (verb, argument) = step.split_once('=').unwrap_or((step, ""));
            let state = match (verb, argument) {
                ("after", text) => {
                    at = at.saturating_add(duration(text).map_err(bad)?);
                    waits = true;
                    continue;
                }
                ("ready" | "instant", "") => State::Ready,
                ("hang", "") => State::Running,
                ("pending", "") => State::Pending,
                ("fail", "") => State::Failed("CrashLoopBackOff".to_owned()),
                ("fail", reason) => State::Failed(reason.to_owned()),
                _ => {
                    return Err(bad(format!(
                        "{step:?} is no step; there are ready, hang, pending, fail[=REASON] and after=DURATION"
                    )));
                }
            };
            waits = false;
            states.retain(|(from, _)| *from < at);
            states.push((at, state));
        }
        if waits {
            states.push((at, State::Ready));
        }
        Ok(Self { states })
    }
}

/// `500ms`, `3s`, `2m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{text:?} is no duration; write it as 500ms, 3s, 2m or 1h")),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no duration"))?;
    Ok(Duration::from_millis(number.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(script: &str, seconds: &[u64]) -> Vec<State> {
        let script: Behaviour = script.parse().unwrap();
        seconds.iter().map(|s| script.at(Duration::from_secs(*s)).0.clone()).collect()
    }

    #[test]
    fn steps_follow_one_another() {
        let failed = || State::Failed("OOMKilled".to_owned());
        assert_eq!(states("ready", &[0, 100]), [State::Ready, State::Ready]);
        assert_eq!(states("hang", &[0]), [State::Running]);
        assert_eq!(states("pending,after=2s", &[0, 2]), [State::Pending, State::Ready]);
        assert_eq!(
            states("after=3s,ready,after=1m,fail=OOMKilled", &[0, 2, 3, 62, 63, 999]),
            [State::Starting, State::Starting, State::Ready, State::Ready, failed(), failed()]
        );
    }

    #[test]
    fn the_next_change_is_known() {
        let script: Behaviour = "after=3s".parse().unwrap();
        assert_eq!(script.at(Duration::ZERO).1, Some(Duration::from_secs(3)));
        assert_eq!(script.at(Duration::from_secs(3)).1, None);
    }

    #[test]
    fn other_scripts_are_refused() {
        for script in ["", "redy", "after", "after=3", "after=x", "hang=1", "ready,,ready"] {
            script.parse::<Behaviour>().unwrap_err();
        }
        let long = "after=99999999999999999999h".parse::<Behaviour>().unwrap_err();
        assert!(long.to_string().contains("is no duration"), "{long}");
    }
}
