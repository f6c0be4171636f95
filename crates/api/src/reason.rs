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

/// A source has a new artifact.
pub const NEW_ARTIFACT: &str = "NewArtifact";
/// A source's artifact is the upstream's newest.
pub const ARTIFACT_UP_TO_DATE: &str = "ArtifactUpToDate";
/// The upstream has another revision than the artifact.
pub const NEW_REVISION: &str = "NewRevision";
/// The repository has another chart than the artifact.
pub const NEW_CHART: &str = "NewChart";
/// An included artifact is another one than before.
pub const INCLUDE_CHANGE: &str = "IncludeChange";
/// `spec.url` cannot be used as it is.
pub const URL_INVALID: &str = "URLInvalid";
/// `spec.provider` does not go with the rest of the spec or with the Secret.
pub const INVALID_PROVIDER_CONFIGURATION: &str = "InvalidProviderConfiguration";
/// `spec.sts` does not go with the bucket's provider.
pub const INVALID_STS_CONFIGURATION: &str = "InvalidSTSConfiguration";
/// A signature is missing or not good.
pub const VERIFICATION_ERROR: &str = "VerificationError";
/// `spec.verify.mode` does not go with the reference.
pub const INVALID_VERIFICATION_MODE: &str = "InvalidVerificationMode";
/// What is to be verified cannot carry a signature.
pub const INVALID_GIT_OBJECT: &str = "InvalidGitObject";
/// The tag's signature is missing or not good.
pub const INVALID_TAG_SIGNATURE: &str = "InvalidTagSignature";
/// The commit's signature is missing or not good.
pub const INVALID_COMMIT_SIGNATURE: &str = "InvalidCommitSignature";
/// A Git operation succeeded.
pub const GIT_OPERATION_SUCCEEDED: &str = "GitOperationSucceeded";
/// The repository has no commits.
pub const EMPTY_GIT_REPOSITORY: &str = "EmptyGitRepository";
/// The rules of what to leave out could not be read.
pub const SOURCE_IGNORE_ERROR: &str = "SourceIgnoreError";
/// An included source does not exist.
pub const NOT_FOUND: &str = "NotFound";
/// An included source has no artifact yet.
pub const NO_ARTIFACT: &str = "NoArtifact";
/// The bucket was read.
pub const BUCKET_OPERATION_SUCCEEDED: &str = "BucketOperationSucceeded";
/// The bucket could not be read.
pub const BUCKET_OPERATION_FAILED: &str = "BucketOperationFailed";
/// The artifact could not be pulled from the registry.
pub const OCI_PULL_FAILED: &str = "OCIArtifactPullFailed";
/// The wanted layer is missing or could not be unpacked.
pub const OCI_LAYER_OPERATION_FAILED: &str = "OCIArtifactLayerOperationFailed";
/// The index of a chart repository could not be read.
pub const INDEXATION_FAILED: &str = "IndexationFailed";
/// The chart was pulled.
pub const CHART_PULL_SUCCEEDED: &str = "ChartPullSucceeded";
/// The chart was packaged.
pub const CHART_PACKAGE_SUCCEEDED: &str = "ChartPackageSucceeded";
/// The chart's reference cannot be used as it is.
pub const INVALID_CHART_REFERENCE: &str = "InvalidChartReference";
/// The chart could not be pulled.
pub const CHART_PULL_ERROR: &str = "ChartPullError";
/// The chart's metadata could not be changed.
pub const METADATA_PATCH_ERROR: &str = "MetadataPatchError";
/// The chart's values files could not be merged.
pub const VALUES_FILES_ERROR: &str = "ValuesFilesError";
/// The chart's dependencies could not be built.
pub const DEPENDENCY_BUILD_ERROR: &str = "DependencyBuildError";
/// The chart could not be packaged.
pub const CHART_PACKAGE_ERROR: &str = "ChartPackageError";
/// The chart's signature is missing or not good.
pub const CHART_VERIFICATION_ERROR: &str = "ChartVerificationError";
/// The chart's dependencies were found.
pub const RESOLVED_DEPENDENCIES: &str = "ResolvedDependencies";
/// The source of the chart cannot be read.
pub const SOURCE_UNAVAILABLE: &str = "SourceUnavailable";
/// The source of the chart has no artifact yet.
pub const NO_SOURCE_ARTIFACT: &str = "NoSourceArtifact";
/// A chart cannot come from such a source.
pub const UNSUPPORTED_SOURCE_KIND: &str = "UnsupportedSourceKind";
/// An error that has no better name.
pub const UNKNOWN: &str = "Unknown";
/// A folder could not be made.
pub const DIRECTORY_CREATION_FAILED: &str = "DirectoryCreationFailed";
/// A path could not be looked at.
pub const STAT_OPERATION_FAILED: &str = "StatOperationFailed";
/// A path leads where it must not.
pub const INVALID_PATH: &str = "InvalidPath";
/// A path of an include leads where it must not.
pub const ILLEGAL_PATH: &str = "IllegalPath";
/// An included artifact could not be copied.
pub const COPY_FAILURE: &str = "CopyFailure";
/// The artifact could not be packed.
pub const ARCHIVE_OPERATION_FAILED: &str = "ArchiveOperationFailed";
/// The link to the latest artifact could not be set.
pub const SYMLINK_UPDATE_FAILED: &str = "SymlinkUpdateFailed";
/// The lock of an artifact could not be taken.
pub const ACQUIRE_LOCK_FAILED: &str = "AcquireLockFailed";
/// The stored artifact is not what its digest says.
pub const ARTIFACT_VERIFICATION_FAILED: &str = "ArtifactVerificationFailed";
/// The cache of indexes could not be used.
pub const CACHE_OPERATION_FAILED: &str = "CacheOperationFailed";
/// An object could not be patched.
pub const PATCH_OPERATION_FAILED: &str = "PatchOperationFailed";
/// Artifacts that nobody needs were deleted.
pub const GARBAGE_COLLECTION_SUCCEEDED: &str = "GarbageCollectionSucceeded";
/// Artifacts that nobody needs could not be deleted.
pub const GARBAGE_COLLECTION_FAILED: &str = "GarbageCollectionFailed";

/// An ArtifactGenerator is paused by its annotation.
pub const RECONCILIATION_DISABLED: &str = "ReconciliationDisabled";
/// The spec cannot be used as it is.
pub const VALIDATION_FAILED: &str = "ValidationFailed";
/// A source could not be fetched.
pub const SOURCE_FETCH_FAILED: &str = "SourceFetchFailed";

/// The folder was applied and is healthy.
pub const RECONCILIATION_SUCCEEDED: &str = "ReconciliationSucceeded";
/// The folder could not be applied.
pub const RECONCILIATION_FAILED: &str = "ReconciliationFailed";
/// The source's artifact could not be had.
pub const ARTIFACT_FAILED: &str = "ArtifactFailed";
/// The folder could not be built.
pub const BUILD_FAILED: &str = "BuildFailed";
/// Something that was applied did not become healthy.
pub const HEALTH_CHECK_FAILED: &str = "HealthCheckFailed";
/// Waiting for health ended because there is something newer.
pub const HEALTH_CHECK_CANCELED: &str = "HealthCheckCanceled";
/// Objects that went from the source could not be deleted.
pub const PRUNE_FAILED: &str = "PruneFailed";
/// A CEL expression of the spec cannot be used.
pub const INVALID_CEL_EXPRESSION: &str = "InvalidCELExpression";
/// The object is paused.
pub const SUSPENDED: &str = "Suspended";

/// Helm installed the release.
pub const INSTALL_SUCCEEDED: &str = "InstallSucceeded";
/// Helm could not install the release.
pub const INSTALL_FAILED: &str = "InstallFailed";
/// Helm upgraded the release.
pub const UPGRADE_SUCCEEDED: &str = "UpgradeSucceeded";
/// Helm could not upgrade the release.
pub const UPGRADE_FAILED: &str = "UpgradeFailed";
/// The release's tests succeeded.
pub const TEST_SUCCEEDED: &str = "TestSucceeded";
/// The release's tests failed.
pub const TEST_FAILED: &str = "TestFailed";
/// The release is to be tested.
pub const AWAITING_TESTS: &str = "AwaitingTests";
/// Helm rolled the release back.
pub const ROLLBACK_SUCCEEDED: &str = "RollbackSucceeded";
/// Helm could not roll the release back.
pub const ROLLBACK_FAILED: &str = "RollbackFailed";
/// Helm uninstalled the release.
pub const UNINSTALL_SUCCEEDED: &str = "UninstallSucceeded";
/// Helm could not uninstall the release.
pub const UNINSTALL_FAILED: &str = "UninstallFailed";
/// There is no revision to roll back to.
pub const MISSING_ROLLBACK_TARGET: &str = "MissingRollbackTarget";
/// It failed as often as it may.
pub const RETRIES_EXCEEDED: &str = "RetriesExceeded";
/// Helm was interrupted while it worked on the release.
pub const PENDING_RELEASE: &str = "PendingRelease";
/// The source of the chart is not ready.
pub const SOURCE_NOT_READY: &str = "SourceNotReady";
/// The values could not be put together.
pub const VALUES_ERROR: &str = "ValuesError";
/// The chart's version could not be set to the artifact's.
pub const CHART_MUTATE_ERROR: &str = "ChartMutateError";
/// The cluster of the release cannot be reached.
pub const REST_CLIENT_ERROR: &str = "RESTClientError";
/// Helm could not be set up.
pub const FACTORY_ERROR: &str = "FactoryError";
/// How the release stands could not be found out.
pub const STATE_ERROR: &str = "StateError";
/// The release could not be brought to where it should be.
pub const RECONCILE_ERROR: &str = "ReconcileError";
/// The cluster differs from the release.
pub const DRIFT_DETECTED: &str = "DriftDetected";
/// The cluster does not differ from the release.
pub const NO_DRIFT_DETECTED: &str = "NoDriftDetected";
/// What differed was undone.
pub const DRIFT_CORRECTED: &str = "DriftCorrected";
/// What differed could not be undone.
pub const DRIFT_CORRECTION_FAILED: &str = "DriftCorrectionFailed";
/// The release's HelmChart was made.
pub const HELM_CHART_CREATED: &str = "HelmChartCreated";
/// The release's HelmChart was changed.
pub const HELM_CHART_CONFIGURED: &str = "HelmChartConfigured";
/// The release's HelmChart was deleted.
pub const HELM_CHART_DELETED: &str = "HelmChartDeleted";
/// The release's HelmChart could not be made, changed or deleted.
pub const HELM_CHART_SYNC_ERROR: &str = "HelmChartSyncErr";

/// The object is set up.
pub const INITIALIZED: &str = "Initialized";
/// A Receiver's token is missing.
pub const TOKEN_NOT_FOUND: &str = "TokenNotFound";
/// An Alert has a pattern that cannot be used.
pub const INVALID_CONFIG: &str = "InvalidConfig";
/// An Alert's metadata has a key from more than one place.
pub const METADATA_APPEND_FAILED: &str = "MetadataAppendFailed";
/// An event could not be told.
pub const NOTIFICATION_DISPATCH_FAILED: &str = "NotificationDispatchFailed";

/// Promotion: something of the spec is not supported yet.
pub const NOT_IMPLEMENTED: &str = "NotImplemented";
/// Promotion: the stages feed each other in a circle, or one that feeds another does not exist.
pub const INVALID_GRAPH: &str = "InvalidGraph";
/// Promotion: a gate cannot be right.
pub const INVALID_GATE: &str = "InvalidGate";
/// Promotion: two stages edit the same files.
pub const OVERLAPPING_PATHS: &str = "OverlappingPaths";
/// Promotion: an ImageUpdateAutomation writes the same values.
pub const CONFLICTING_AUTOMATION: &str = "ConflictingAutomation";
/// Promotion: a component has no marker or field in a stage's files.
pub const NO_MARKERS: &str = "NoMarkers";
/// Promotion: something of a bundle can no longer be had.
pub const ARTIFACT_GONE: &str = "ArtifactGone";
/// Promotion: a bundle cannot be promoted any more.
pub const BUNDLE_UNAVAILABLE: &str = "BundleUnavailable";
/// Promotion: a freeze begins.
pub const FREEZE_STARTED: &str = "FreezeStarted";
/// Promotion: a freeze ends.
pub const FREEZE_ENDED: &str = "FreezeEnded";
/// Promotion: a bundle was made.
pub const BUNDLE_CREATED: &str = "BundleCreated";
/// Promotion: a gate is waited for.
pub const GATE_WAITING: &str = "GateWaiting";
/// Promotion: people are asked to approve.
pub const APPROVAL_REQUESTED: &str = "ApprovalRequested";
/// Promotion: one began.
pub const PROMOTION_STARTED: &str = "PromotionStarted";
/// Promotion: its commit is on the branch.
pub const PROMOTION_COMMITTED: &str = "PromotionCommitted";
/// Promotion: its pull request is open.
pub const PROMOTION_PROPOSED: &str = "PromotionProposed";
/// Promotion: it runs and is verified.
pub const PROMOTION_SUCCEEDED: &str = "PromotionSucceeded";
/// Promotion: it did not work.
pub const PROMOTION_FAILED: &str = "PromotionFailed";
/// Promotion: something newer took its place.
pub const PROMOTION_SUPERSEDED: &str = "PromotionSuperseded";
/// Promotion: somebody ended it.
pub const PROMOTION_ABORTED: &str = "PromotionAborted";
/// Promotion: somebody did not want it.
pub const PROMOTION_REJECTED: &str = "PromotionRejected";
/// Promotion: what was good before is brought back.
pub const ROLLED_BACK: &str = "RolledBack";
/// Promotion: nothing comes into the stage without a person.
pub const STAGE_HELD: &str = "StageHeld";
/// Promotion: the branch holds something else than it should.
pub const DRIFTED: &str = "Drifted";
/// Promotion: bundles that will not come into the stage.
pub const BUNDLE_SKIPPED: &str = "BundleSkipped";
