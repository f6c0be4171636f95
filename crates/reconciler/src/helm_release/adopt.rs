//! Taking over what older controllers left in the status.

use helm::release::shortened;

use super::run::Run;
use super::storage::Storage;
use super::{Options, snapshot, spec, state};

/// The API v2beta1 knew the number of the last good revision only: it becomes the history. A status
/// from before post-renderers were noted gets them noted.
pub(super) async fn adopt(run: &mut Run<'_>, storage: &Storage, options: &Options) {
    if !options.adopt_legacy_releases {
        return;
    }
    if let Err(why) = adopt_revision(run, storage, options).await {
        // The release is upgraded to what is asked for instead.
        tracing::error!("failed to adopt v2beta1 release state: {why}");
    }
    let is_new = run.it.metadata.generation != run.status.observed_generation;
    if !is_new && run.status.observed_post_renderers_digest.is_none() {
        let digest = state::post_renderers_digest(run.it);
        run.status.observed_post_renderers_digest = Some(digest).filter(|it| !it.is_empty());
    }
}

async fn adopt_revision(
    run: &mut Run<'_>,
    storage: &Storage,
    options: &Options,
) -> Result<(), String> {
    let version = run.status.last_release_revision.unwrap_or_default();
    if version < 1 || !run.history().is_empty() {
        return Ok(());
    }
    let name = shortened(&spec::release_name(run.it));
    let stored = storage.get(&name, version).await?;
    let record = stored.ok_or_else(|| "release: not found".to_owned())?.record;
    let mut known = snapshot::of(&record, None, options.snapshot_digest);
    if spec::tests(run.it) {
        known.test_hooks = Some(snapshot::tests_of(&record));
    }
    run.history().push(known);
    run.status.storage_namespace = Some(spec::storage_namespace(run.it));
    run.status.last_release_revision = None;
    Ok(())
}
