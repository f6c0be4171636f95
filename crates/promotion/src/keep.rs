//! What is thrown away: old bundles and promotions that nothing refers to any more.

use std::{collections::BTreeSet, sync::Arc};

use api::promotion::{self as v1, Bundle, Pipeline, Promotion};
use jiff::{SignedDuration, Timestamp};
use kube::{Api, ResourceExt as _, api::DeleteParams};

use crate::{ledger, store::Stores};

/// How many bundles are kept, unless the Pipeline says it.
const BUNDLES: usize = 50;
/// How many promotions of each stage are kept, unless the Pipeline says it.
const PROMOTIONS: usize = 20;
/// What ended may still be read by somebody for this long.
const AGE: SignedDuration = SignedDuration::from_mins(10);

fn limit(text: Option<i32>, usual: usize) -> usize {
    text.and_then(|it| usize::try_from(it).ok()).unwrap_or(usual)
}

/// Deletes what a pipeline need not keep. What cannot be deleted now is tried again with the next run.
pub(crate) async fn collect(
    it: &Pipeline,
    (client, stores): (&kube::Client, &Stores),
    now: Timestamp,
) {
    let namespace = it.namespace().unwrap_or_default();
    for old in promotions(it, stores, now) {
        let api: Api<Promotion> = Api::namespaced(client.clone(), &namespace);
        delete(&api, &*old).await;
    }
    for old in bundles(it, stores) {
        let api: Api<Bundle> = Api::namespaced(client.clone(), &namespace);
        delete(&api, &*old).await;
    }
}

async fn delete<K>(api: &Api<K>, it: &K)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let params = DeleteParams {
        preconditions: Some(kube::api::Preconditions {
            uid: it.meta().uid.clone(),
            resource_version: it.meta().resource_version.clone(),
        }),
        ..DeleteParams::default()
    };
    if let Err(why) = api.delete(&it.name_any(), &params).await {
        tracing::debug!(%why, name = it.name_any(), "what is old cannot be deleted");
    }
}

/// Promotions that ended, of which a stage has more than it keeps.
fn promotions(it: &Pipeline, stores: &Stores, now: Timestamp) -> Vec<Arc<Promotion>> {
    let namespace = it.namespace().unwrap_or_default();
    let kept = it.spec.keep.as_ref().and_then(|it| it.promotions_per_stage);
    let kept = limit(kept, PROMOTIONS);
    let mut old = Vec::new();
    for stage in stores.stages.in_namespace(&namespace) {
        if stage.spec.pipeline_ref.name != it.name_any() {
            continue;
        }
        let status = stage.status.clone().unwrap_or_default();
        let named = [&status.current, &status.last_good].into_iter().flatten();
        let named = named.filter_map(|it| it.promotion.clone()).chain(status.promotion.clone());
        let named: BTreeSet<String> = named.collect();
        let finished = |it: &Promotion| it.status.as_ref()?.finished_at.as_ref().map(|at| at.0);
        let mut ended: Vec<(Timestamp, Arc<Promotion>)> = stores
            .promotions_of(&namespace, &stage.name_any())
            .into_iter()
            .filter_map(|it| Some((finished(&it)?, it)))
            .collect();
        ended.sort_by_key(|(at, it)| (std::cmp::Reverse(*at), it.name_any()));
        let counted = |it: &Promotion| {
            it.spec.dry_run == Some(true) || status.counted.contains(&it.name_any())
        };
        let due = |at: Timestamp| at.checked_add(AGE).is_ok_and(|end| end <= now);
        let rest = ended.into_iter().skip(kept);
        let rest = rest.filter(|(at, it)| due(*at) && counted(it) && entered(it, stores));
        old.extend(rest.filter(|(_, it)| !named.contains(&it.name_any())).map(|(_, it)| it));
    }
    old
}

/// Whether the bundle remembers how a promotion ended, so that nobody needs the promotion for that.
fn entered(it: &Promotion, stores: &Stores) -> bool {
    let bundle = stores.bundles.get(&it.namespace().unwrap_or_default(), &it.spec.bundle);
    let Some(status) = bundle.and_then(|it| it.status.clone()) else { return true };
    let phase = it.status.as_ref().and_then(|it| it.phase).unwrap_or_default();
    match phase {
        v1::Phase::Succeeded => {
            it.spec.dry_run == Some(true)
                || status.verified_in.iter().any(|at| at.stage == it.spec.stage)
        }
        v1::Phase::Failed | v1::Phase::Rejected | v1::Phase::Aborted => {
            let failed = status.failed_in.iter().any(|at| at.stage == it.spec.stage);
            failed || status.verified_in.iter().any(|at| at.stage == it.spec.stage)
        }
        _ => true,
    }
}

/// Bundles that no stage and no promotion refers to, of which there are more than are kept.
fn bundles(it: &Pipeline, stores: &Stores) -> Vec<Arc<Bundle>> {
    let (namespace, name) = (it.namespace().unwrap_or_default(), it.name_any());
    let kept = limit(it.spec.keep.as_ref().and_then(|it| it.bundles), BUNDLES);
    let all = stores.bundles_of(&namespace, &name);
    if all.len() <= kept {
        return Vec::new();
    }
    let mut used: BTreeSet<String> = BTreeSet::new();
    for stage in stores.stages.in_namespace(&namespace) {
        let status = stage.status.clone().unwrap_or_default();
        let named = [&status.current, &status.last_good].into_iter().flatten();
        used.extend(named.map(|it| it.bundle.clone()));
        used.extend(status.candidate.map(|it| it.bundle));
        used.extend(stage.spec.pin.clone());
    }
    for promotion in stores.promotions.in_namespace(&namespace) {
        used.insert(promotion.spec.bundle.clone());
        used.extend(promotion.status.as_ref().and_then(|it| it.previous_bundle.clone()));
    }
    let mut known = ledger::bundles(stores, &namespace, &name);
    known.sort_by_key(|it| std::cmp::Reverse(it.discovered));
    let old: BTreeSet<String> = known.into_iter().skip(kept).map(|it| it.name).collect();
    let gone = |it: &Arc<Bundle>| {
        let name = it.name_any();
        old.contains(&name) && !used.contains(&name)
    };
    all.into_iter().filter(gone).collect()
}
