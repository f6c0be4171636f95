//! What a promotion says at the Git provider about its commit, where one is named.

use api::promotion::{Phase, PromotionStatus};
use forge::{CommitStatus, Verdict};
use kube::ResourceExt as _;

use super::Run;

/// What is said of a promotion in this state; nothing while there is no commit of its own.
fn verdict(status: &PromotionStatus) -> Option<Verdict> {
    status.commits.last().filter(|it| it.unchanged != Some(true))?;
    match status.phase.unwrap_or_default() {
        Phase::Deploying | Phase::Verifying => Some(Verdict::Pending),
        Phase::Succeeded => Some(Verdict::Success),
        Phase::Failed => Some(Verdict::Failure),
        // Nobody knows any more what becomes of it.
        Phase::Aborted => Some(Verdict::Error),
        Phase::Pending
        | Phase::Gating
        | Phase::Writing
        | Phase::Proposed
        | Phase::Rejected
        | Phase::Superseded => None,
    }
}

impl Run<'_> {
    /// Says how it stands if that is news. It is never waited for: what a provider does not take now is
    /// said with the next news.
    pub(super) async fn tell(&self) {
        let Some(now) = verdict(&self.status) else { return };
        let before = self.it.status.clone().unwrap_or_default();
        let push = self.push_spec();
        let known = verdict(&before) == Some(now);
        if known || push.provider.is_none() || push.secret_ref.is_none() {
            return;
        }
        let status = CommitStatus {
            context: format!("promotion/{}", self.it.spec.stage),
            state: now,
            description: self.description(now),
            url: String::new(),
            creator: None,
        };
        let commit = self.status.commits.last().map(|it| it.sha.clone()).unwrap_or_default();
        let said = async {
            let provider = self.provider().await.map_err(|why| why.to_string())?;
            let caller = provider.caller();
            let access = provider.access(&caller);
            let said = provider.forge.set_status(&access, &commit, &status).await;
            said.map_err(|why| why.to_string())
        };
        if let Err(why) = said.await {
            let name = self.it.name_any();
            tracing::warn!(why, commit, promotion = name, "cannot set a commit status");
        }
    }

    fn description(&self, now: Verdict) -> String {
        let stage = &self.it.spec.stage;
        let what = self.version().unwrap_or_else(|| self.it.spec.bundle.clone());
        match now {
            Verdict::Pending => format!("{what} is on its way to {stage}"),
            Verdict::Success => format!("{what} runs in {stage} and is verified"),
            Verdict::Failure | Verdict::Error => {
                let why = self.status.reason.clone().unwrap_or_default();
                let message = self.status.message.clone().unwrap_or_default();
                format!("{what} does not run in {stage}: {why}: {message}")
            }
        }
    }

    /// What people call the bundle.
    fn version(&self) -> Option<String> {
        let bundle = self.about.as_ref()?.bundle.as_ref()?;
        bundle.spec.version.clone().filter(|it| !it.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use api::{meta::time, promotion::Commit};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn only_commits_of_its_own_are_spoken_of() {
        let commit = |unchanged| Commit {
            sha: "abc".to_owned(),
            branch: "main".to_owned(),
            wave: None,
            at: time(Timestamp::UNIX_EPOCH),
            unchanged,
        };
        let status = |phase, commits| PromotionStatus {
            phase: Some(phase),
            commits,
            ..PromotionStatus::default()
        };
        assert_eq!(verdict(&status(Phase::Failed, vec![])), None);
        assert_eq!(verdict(&status(Phase::Succeeded, vec![commit(Some(true))])), None);
        let own = |phase| verdict(&status(phase, vec![commit(None)]));
        assert_eq!(own(Phase::Deploying), Some(Verdict::Pending));
        assert_eq!(own(Phase::Verifying), Some(Verdict::Pending));
        assert_eq!(own(Phase::Succeeded), Some(Verdict::Success));
        assert_eq!(own(Phase::Failed), Some(Verdict::Failure));
        assert_eq!(own(Phase::Writing), None);
    }
}
