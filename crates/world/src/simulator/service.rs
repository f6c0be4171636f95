//! Services of type LoadBalancer: an address for each.

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::known::Key;
use super::name;
use super::work::Next;

/// Gives a load balancer an address.
pub(super) async fn play(cluster: &mut Cluster, key: &Key, service: &Value) -> Result<Next> {
    let wants = service["spec"]["type"] == "LoadBalancer";
    let has = service["status"]["loadBalancer"]["ingress"].is_array();
    if !wants || has || !service["spec"]["loadBalancerClass"].is_null() {
        return Ok(None);
    }
    let address = name::address(&format!("{}/{}", key.namespace, key.name));
    let mut status = service["status"].clone();
    status["loadBalancer"] = json!({"ingress": [{"ip": address, "ipMode": "VIP"}]});
    cluster.set_status(key, &status).await?;
    Ok(None)
}
