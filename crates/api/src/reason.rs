//! The reasons that conditions and events carry: public interface, word for word as upstream's.

/// The reconciliation succeeded.
pub const SUCCEEDED: &str = "Succeeded";
/// Generic failure of a run.
pub const FAILED: &str = "Failed";
/// The reconciliation is under way.
pub const PROGRESSING: &str = "Progressing";
/// The last run did not succeed and another one follows.
pub const PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
/// Something the object depends on is missing or not ready.
pub const DEPENDENCY_NOT_READY: &str = "DependencyNotReady";
/// A reference to another namespace is not allowed.
pub const ACCESS_DENIED: &str = "AccessDenied";
/// The object needs a feature gate that is off.
pub const FEATURE_GATE_DISABLED: &str = "FeatureGateDisabled";

/// `spec.image` is not the bare address of an image.
pub const IMAGE_URL_INVALID: &str = "ImageURLInvalid";
/// The registry could not be asked as the object wants it.
pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
/// The registry did not answer with the tags.
pub const READ_OPERATION_FAILED: &str = "ReadOperationFailed";
/// The run failed before it could decide anything.
pub const FAILURE: &str = "Failure";

/// `spec.policy` or `spec.filterTags` cannot be used as they are.
pub const INVALID_POLICY: &str = "InvalidPolicy";
/// `digestReflectionPolicy: Always` without `interval`.
pub const INTERVAL_NOT_CONFIGURED: &str = "IntervalNotConfigured";

/// `spec.policySelector` is not a label selector.
pub const INVALID_POLICY_SELECTOR: &str = "InvalidPolicySelector";
/// The source reference does not lead to something that can be updated.
pub const INVALID_SOURCE_CONFIGURATION: &str = "InvalidSourceConfiguration";
/// The source could not be prepared.
pub const SOURCE_MANAGER_FAILED: &str = "SourceManagerFailed";
/// Checkout, commit or push failed.
pub const GIT_OPERATION_FAILED: &str = "GitOperationFailed";
/// The policies could not be applied to the files.
pub const UPDATE_FAILED: &str = "UpdateFailed";
/// `spec.update.strategy` is missing or unknown.
pub const INVALID_UPDATE_STRATEGY: &str = "InvalidUpdateStrategy";
/// The commit message template uses a field that no longer exists.
pub const REMOVED_TEMPLATE_FIELD: &str = "RemovedTemplateField";
/// The commit message template uses a field that is still served for older manifests.
pub const DEPRECATED_TEMPLATE_FIELD: &str = "DeprecatedTemplateField";
/// Markers in the files were left alone; the message says which and why.
pub const MARKERS_NOT_UPDATED: &str = "MarkersNotUpdated";
