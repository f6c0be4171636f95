//! Checkout, commit and push: everything that touches the repository.

use api::{
    image::{ImageUpdateAutomation, ImageUpdateAutomationStatus},
    reason,
};
use controller::{Stop, Turn};
use git::{
    Checkout, CommitMeta, Expected, Id, NewCommit, Outcome, Person, Pushed, Refspec, Snapshot,
    Update,
};
use kube::ResourceExt as _;
use setters::Marked;

use crate::{
    Context,
    message::{Message, Rendered},
    observe::Policies,
    source::Source,
    tree,
};

/// How often a push is tried again on a head that moved.
const RACES: usize = 10;

/// What became of the repository.
#[derive(Debug)]
pub(crate) struct Done {
    /// The revision to compare with before the next run.
    pub(crate) observed_revision: String,
    /// What was pushed, if anything was.
    pub(crate) commit: Option<Committed>,
    /// What became of every marker.
    pub(crate) markers: Vec<Marked>,
}

/// A commit on the server.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) id: Id,
    pub(crate) message: String,
    /// Whether the template uses fields of the time before Flux 2.7.
    pub(crate) deprecated: bool,
}

/// Brings the repository to what the policies say. Other writers may be faster: then it starts
/// over on what they left.
pub(crate) async fn update(
    it: &ImageUpdateAutomation,
    source: &Source,
    policies: &Policies,
    context: &Context,
    turn: &mut Turn,
) -> Result<Done, Stop> {
    let work = Work { it, source, policies, context };
    let branch = &source.push.branch;
    let _writer = context.writers.turn(source.remote.address.to_string(), branch).await;
    for _ in 0..RACES {
        turn.check()?;
        if let Some(done) = work.once(turn).await? {
            return Ok(done);
        }
    }
    Err(not_updated(format!(
        "failed to push to remote: branch '{branch}' moved {RACES} times while it was being updated"
    )))
}

struct Work<'a> {
    it: &'a ImageUpdateAutomation,
    source: &'a Source,
    policies: &'a Policies,
    context: &'a Context,
}

impl Work<'_> {
    /// One try; nothing if somebody else was faster.
    async fn once(&self, turn: &mut Turn) -> Result<Option<Done>, Stop> {
        let (checkout, base, head) = self.check_out().await?;
        let plan = self.plan(&base).await?;
        if plan.edits.is_empty() {
            let commit = self.found_again(&base).await;
            let observed_revision = checkout.revision;
            return Ok(Some(Done { observed_revision, commit, markers: plan.markers }));
        }
        let rendered = self.message(plan.changes).render().map_err(not_updated)?;
        let Some(commit) = self.commit(&base, plan.edits, &rendered, turn).await? else {
            let observed_revision = checkout.revision;
            return Ok(Some(Done { observed_revision, commit: None, markers: plan.markers }));
        };
        turn.check()?;
        self.intend(&commit, turn).await?;
        if !self.push(&commit, head).await? {
            return Ok(None);
        }
        let observed_revision = if self.source.push.switches {
            checkout.revision
        } else {
            format!("{}@{}", self.source.push.branch, commit.id().digest())
        };
        let Rendered { text: message, deprecated } = rendered;
        let commit = Some(Committed { id: commit.id(), message, deprecated });
        Ok(Some(Done { observed_revision, commit, markers: plan.markers }))
    }

    /// The commit checked out, the one to build on, and the head that the push expects.
    async fn check_out(&self) -> Result<(Checkout, Snapshot, Expected), Stop> {
        let Source { scope, remote, reference, push, .. } = self.source;
        let target = format!("refs/heads/{}", push.branch);
        let also: &[&str] = if push.switches { &[&target] } else { &[] };
        let failed = |why| {
            Stop::fail(reason::GIT_OPERATION_FAILED, format!("failed to checkout source: {why}"))
        };
        let checkout = self.context.mirrors.checkout(scope, remote, reference, also).await;
        let checkout = checkout.map_err(failed)?;
        if !push.switches {
            let base = checkout.snapshot.clone();
            let head = Expected::Commit(checkout.commit());
            return Ok((checkout, base, head));
        }
        let head = checkout.fetched.commit(&target);
        let expected = head.map_or(Expected::Absent, Expected::Commit);
        let base = match head.filter(|_| self.context.options.all_branch_references) {
            Some(head) => checkout.fetched.snapshot(head).await.map_err(failed)?,
            None => checkout.snapshot.clone(),
        };
        Ok((checkout, base, expected))
    }

    async fn plan(&self, base: &Snapshot) -> Result<tree::Plan, Stop> {
        let failed = |why: String| {
            Stop::fail(reason::UPDATE_FAILED, format!("failed to apply policies: {why}"))
        };
        let update =
            self.it.spec.update.as_ref().ok_or_else(|| {
                Stop::stall(reason::INVALID_UPDATE_STRATEGY, "no update strategy")
            })?;
        let namespace = self.it.namespace().unwrap_or_default();
        let policies =
            self.policies.to_setters(&namespace).map_err(|why| failed(why.to_string()))?;
        let path = update.path.as_deref().unwrap_or_default();
        tree::plan(base, path, policies, self.context).await.map_err(failed)
    }

    fn message(&self, changes: Vec<setters::Change>) -> Message {
        let commit = self.it.spec.git.clone().unwrap_or_default().commit;
        Message {
            automation: (self.it.namespace().unwrap_or_default(), self.it.name_any()),
            template: commit.message_template,
            values: commit.message_template_values.unwrap_or_default(),
            changes,
            images: self.policies.chosen.clone(),
        }
    }

    async fn commit(
        &self,
        base: &Snapshot,
        edits: Vec<git::Edit>,
        rendered: &Rendered,
        turn: &Turn,
    ) -> Result<Option<NewCommit>, Stop> {
        let author = self.author();
        let meta = CommitMeta {
            committer: author.clone(),
            author,
            time: turn.now().as_second(),
            message: rendered.text.clone(),
        };
        base.commit(edits, meta, self.source.signer.clone()).await.map_err(not_updated)
    }

    fn author(&self) -> Person {
        let author = self.it.spec.git.clone().unwrap_or_default().commit.author;
        Person { name: author.name.unwrap_or_default(), email: author.email }
    }

    /// Records what is about to be pushed: a commit without a time of its push. Should the process
    /// end before it learns what became of it, the next run finds the commit by this id.
    async fn intend(&self, commit: &NewCommit, turn: &mut Turn) -> Result<(), Stop> {
        let intent = ImageUpdateAutomationStatus {
            last_push_commit: Some(commit.id().to_string()),
            last_push_time: None,
            ..self.it.status.clone().unwrap_or_default()
        };
        turn.record(&intent).await
    }

    /// The head of the branch, if it is the commit of a run that ended before it could tell.
    async fn found_again(&self, base: &Snapshot) -> Option<Committed> {
        let status = self.it.status.as_ref()?;
        let id = base.commit_id();
        let intended = status.last_push_time.is_none()
            && status.last_push_commit.as_deref() == Some(id.to_string().as_str());
        if !intended {
            return None;
        }
        let message = base.message().await.ok()?;
        Some(Committed { id, message, deprecated: false })
    }

    /// Whether the commit is on the server; not, if the branch moved meanwhile.
    async fn push(&self, commit: &NewCommit, head: Expected) -> Result<bool, Stop> {
        let updates = self.updates(commit, head)?;
        let push = git::Push {
            commit: commit.clone(),
            updates,
            options: self.source.push.options.clone(),
        };
        let pushed = self.context.mirrors.push(&self.source.remote, push).await;
        let Pushed { outcomes, .. } = pushed.map_err(not_updated)?;
        for outcome in outcomes {
            match outcome {
                Outcome::Ok => {}
                Outcome::Stale { .. } => return Ok(false),
                Outcome::UpToDate => return Err(not_pushed("already up-to-date")),
                Outcome::Rejected { reason } => return Err(not_pushed(&reason)),
            }
        }
        Ok(true)
    }

    /// The branch, and what the refspec names, in one push.
    fn updates(&self, commit: &NewCommit, head: Expected) -> Result<Vec<Update>, Stop> {
        let push = &self.source.push;
        let force = push.switches && self.context.options.force_push_branch;
        let branch = format!("refs/heads/{}", push.branch);
        let mut updates = vec![Update {
            reference: branch.clone(),
            target: Some(commit.id()),
            expected: head,
            force,
        }];
        if let Some(text) = &push.refspec {
            let refspec = Refspec::parse(text).map_err(not_updated)?;
            if refspec.destination == branch {
                return Err(not_pushed("already up-to-date"));
            }
            let target = match refspec.source.as_deref() {
                None => None,
                Some(source) if source == "HEAD" || source == branch => Some(commit.id()),
                Some(source) => {
                    return Err(not_pushed(&format!(
                        "refspec '{text}' pushes '{source}', but only the push branch '{branch}' \
                         is there to be pushed"
                    )));
                }
            };
            updates.push(Update {
                reference: refspec.destination,
                target,
                expected: Expected::Any,
                force: force || refspec.force,
            });
        }
        Ok(updates)
    }
}

fn not_updated(why: impl std::fmt::Display) -> Stop {
    Stop::fail(reason::GIT_OPERATION_FAILED, format!("failed to update source: {why}"))
}

fn not_pushed(why: &str) -> Stop {
    not_updated(format!("failed to push to remote: {why}"))
}
