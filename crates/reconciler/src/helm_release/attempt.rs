//! Attempts: going on with one, or beginning anew.

use api::helm::HelmRelease;
use api::meta::{FORCE_AT, REQUESTED_AT, RESET_AT};
use controller::Turn;
use kube::ResourceExt as _;

use super::action::{Bench, Work};
use super::end::abandoned;
use super::release::{Aim, Type};
use super::run::Run;
use super::{Memo, spec, state};

/// The action that is on its way, if it is still what is asked for.
pub(super) async fn resumed(
    run: &mut Run<'_>,
    turn: &mut Turn,
    (bench, aim): (&mut Bench<'_>, &Aim),
) -> (Option<Work>, Vec<Type>) {
    let memo = turn.memo::<Memo>();
    let (work, done) = (memo.work.take(), std::mem::take(&mut memo.done));
    match work {
        Some(work) if work.basis == aim.basis => (Some(work), done),
        Some(mut work) => {
            bench.abandon(&mut work).await;
            bench.forget();
            abandoned(run, &work);
            (None, Vec::new())
        }
        None => (None, Vec::new()),
    }
}

/// A new attempt begins: failures of another spec, chart or values are forgotten.
pub(super) fn attempt(run: &mut Run<'_>, aim: &Aim) {
    let it = run.it;
    run.status.storage_namespace = Some(spec::storage_namespace(it));
    let is_reset = is_asked(run, RESET_AT);
    if is_reset || state::has_changed(it, &run.status, &aim.wanted()) {
        run.clear_failures();
    }
    let metadata = &aim.chart.metadata;
    run.status.last_attempted_generation = it.metadata.generation;
    run.status.last_attempted_revision = Some(metadata.version.clone());
    run.status.last_attempted_revision_digest.clone_from(&aim.oci_digest);
    run.status.last_attempted_config_digest = Some(aim.values.clone());
    run.status.last_attempted_values_checksum = None;
    run.status.last_release_revision = None;
}

/// Whether an annotation asks for something that was not done yet: it says the same as the request
/// that is at hand. That it was seen is noted in any case.
fn is_asked(run: &mut Run<'_>, annotation: &str) -> bool {
    let it: &HelmRelease = run.it;
    let Some(asked) = it.annotations().get(annotation).cloned() else { return false };
    let handled = match annotation {
        RESET_AT => &mut run.status.last_handled_reset_at,
        _ => &mut run.status.last_handled_force_at,
    };
    let before = handled.replace(asked.clone());
    let requested = it.annotations().get(REQUESTED_AT);
    let is_new = run.status.last_handled_reconcile_at.as_ref() != requested;
    requested == Some(&asked) && is_new && before.as_ref() != Some(&asked)
}

pub(super) fn is_forced(run: &mut Run<'_>) -> bool {
    is_asked(run, FORCE_AT)
}
