//! `promotion.sluice.dev`: what moves together, through which environments, and what holds it up.
//!
//! ```text
//! Pipeline ──makes──> Bundle ──is carried by──> Promotion ──into──> Stage      Freeze stops it all
//! (components)        (a fixed set)             (one attempt)       (one environment)
//! ```

mod bundle;
mod component;
mod deploy;
mod edit;
mod freeze;
mod gate;
mod pipeline;
#[expect(clippy::module_inception, reason = "the group and one of its kinds have the same name")]
mod promotion;
mod promotion_status;
mod push;
mod stage;
mod stage_status;
mod target;
mod window;

pub use bundle::{
    ActiveIn, Bundle, BundleSpec, BundleStatus, FailedIn, Rejection, VerifiedIn, Withdrawal,
};
pub use component::{
    BundleComponent, ChartSource, ChartValue, Component, GitSource, GitValue, ImageValue, OciValue,
    Requirement, SourceReference, StageSource,
};
pub use deploy::{CommitStatusTarget, Deploy, HealthTarget};
pub use edit::{ComponentField, Copy, Edit, Field, FieldFile, FieldObject, Markers};
pub use freeze::{
    Affected, Freeze, FreezeException, FreezeHold, FreezeSpec, FreezeStatus, InFlight, Period,
};
pub use gate::{
    ApprovalGate, ApprovalVia, CelGate, CelObject, CommitStatusGate, CommitStatusOn, Gate,
    HealthGate, HttpGate, HttpRequest, JobGate, MetricGate, OnTimeout, Prometheus, WindowGate,
};
pub use pipeline::{
    BundleCreation, BundleOrder, Bundles, Candidate, GraphNode, Keep, LatestBundle, Pipeline,
    PipelineGit, PipelineSpec, PipelineStatus,
};
pub use promotion::{Abort, Approval, Promotion, PromotionKind, PromotionSpec, Rejected};
pub use promotion_status::{
    AppliedTarget, CheckedApproval, Commit, GateState, GateStatus, Intent, ObjectChange, Phase,
    Plan, PlanChange, PromotionStatus, PullRequestState, PullRequestStatus, RenderedObject,
    RenderedSummary,
};
pub use push::{MergeMethod, MergePolicy, Push, PushFallback, PushMode};
pub use stage::{
    DriftPolicy, FailureAction, FailureKind, FailureMode, FailureThen, From, OnFailure, OnNewer,
    Pick, Promote, SoakMode, Stage, StageSpec,
};
pub use stage_status::{
    Current, DriftedField, HistoryEntry, Hold, HoldKind, Observed, Skipped, StageCandidate,
    StageStatus,
};
pub use target::{FailedTargets, Target, Targets, Wave, WaveMatch};
pub use window::Window;

/// Label of Bundles, Promotions and the like: the name of the Pipeline.
pub const PIPELINE: &str = "promotion.sluice.dev/pipeline";
/// Label of Promotions: the name of the Stage.
pub const STAGE: &str = "promotion.sluice.dev/stage";
/// Label of Promotions: the name of the Bundle.
pub const BUNDLE: &str = "promotion.sluice.dev/bundle";
/// Label of Bundles that were read from a branch rather than made by the Pipeline; its value is `true`.
pub const ADOPTED: &str = "promotion.sluice.dev/adopted";
/// Annotation of Stages: a new value ends the hold that stands when it is seen.
pub const RESUME_AT: &str = "promotion.sluice.dev/resumeAt";
/// Annotation of Stages: a new value holds the stage; the text is the reason.
pub const HOLD: &str = "promotion.sluice.dev/hold";
/// Annotation of Stages: a new value verifies the current bundle once more.
pub const VERIFY_AT: &str = "promotion.sluice.dev/verifyAt";
/// Annotation of Bundles: when the values were seen, with fractions of a second.
pub const DISCOVERED_AT: &str = "promotion.sluice.dev/discoveredAt";
/// Annotation of Bundles whose values came once more, after others: they are newer than those now.
pub const RENEWED: &str = "promotion.sluice.dev/renewed";
/// Annotation of Promotions that a Stage made: they count up.
pub const SEQUENCE: &str = "promotion.sluice.dev/sequence";
/// Annotation of Promotions: the name of the Promotion that is undone.
pub const ROLLBACK_OF: &str = "promotion.sluice.dev/rollbackOf";
