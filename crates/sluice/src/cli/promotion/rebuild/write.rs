//! Puts what Git tells into the cluster.

use anyhow::{Context as _, Result};
use api::promotion::{Bundle, Promotion, Stage};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::ledger::Ledger;
use crate::cli::{cluster, promotion::place::Place};

/// Makes Bundles and Promotions that are not there, and tells Stages what they know. Stages are suspended
/// meanwhile, so that nobody decides on half of it.
pub(super) async fn all(
    place: &Place,
    cluster: &cluster::Arguments,
    ledger: &Ledger,
) -> Result<()> {
    // Only the controllers may say that a promotion was theirs.
    let account = account(&place.client).await?;
    // A ServiceAccount has its groups and rights; anybody else acts with those of who asks.
    let is_account = account.starts_with("system:serviceaccount:");
    let groups = if is_account { Vec::new() } else { place.asker().await?.1 };
    let client = cluster.access.client_as(&account, groups).await?;
    let controllers = Place { client, namespace: place.namespace.clone() };
    let mut suspended = Vec::new();
    for (name, _) in &ledger.stages {
        let stage = place.stage(name).await?;
        if stage.spec.suspend != Some(true) {
            place.patch::<Stage>(name, &json!({ "spec": { "suspend": true } })).await?;
            suspended.push((name, stage.spec.suspend));
        }
    }
    let written = objects(place, &controllers, ledger).await;
    for (name, before) in suspended {
        place.patch::<Stage>(name, &json!({ "spec": { "suspend": before } })).await?;
    }
    written
}

async fn objects(place: &Place, controllers: &Place, ledger: &Ledger) -> Result<()> {
    for it in ledger.bundles.values() {
        make(place, it).await?;
        status::<Bundle>(place, &it.name_any(), json!(it.status)).await?;
    }
    for it in &ledger.promotions {
        make(controllers, it).await?;
        status::<Promotion>(place, &it.name_any(), json!(it.status)).await?;
    }
    for (name, it) in &ledger.stages {
        let mut told = json!(it);
        // What is not known is not what somebody else made of it meanwhile either.
        for field in ["hold", "promotion", "candidate"] {
            if told.get(field).is_none() {
                told[field] = Value::Null;
            }
        }
        for field in ["current", "lastGood"] {
            for key in ["version", "verifiedAt"] {
                if told[field].is_object() && told[field].get(key).is_none() {
                    told[field][key] = Value::Null;
                }
            }
        }
        status::<Stage>(place, name, told).await?;
    }
    Ok(())
}

/// Creates an object without its status, unless it is there.
async fn make<K>(place: &Place, it: &K) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    match place.all::<K>().create(&PostParams::default(), it).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(why) => {
            let name = it.meta().name.clone().unwrap_or_default();
            Err(why).with_context(|| format!("cannot create {} {name}", K::kind(&())))
        }
    }
}

async fn status<K>(place: &Place, name: &str, status: Value) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({ "status": status }));
    let patched = place.all::<K>().patch_status(name, &PatchParams::default(), &patch).await;
    let cannot = || format!("cannot write the status of {} {name}", K::kind(&()));
    patched.map(drop).with_context(cannot)
}

/// As whom the controllers are known, by the admission policy that is in force.
async fn account(client: &Client) -> Result<String> {
    let all = Api::<ValidatingAdmissionPolicy>::all(client.clone());
    let policy = all.get_opt(api::admission::NAMES[0]).await;
    let policy = policy.context("cannot read the admission policies")?;
    let variables = policy.and_then(|it| it.spec?.variables).unwrap_or_default();
    let mine = variables.iter().find(|it| it.name == "mine");
    let named = mine.and_then(|it| it.expression.split('\'').nth(1).map(str::to_owned));
    Ok(named.unwrap_or_else(|| api::admission::ACCOUNT.to_owned()))
}
