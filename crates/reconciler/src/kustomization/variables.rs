//! The variables of the post-build substitution.

use api::kustomize::{Kustomization, PostBuild, SubstituteReference};
use controller::secret;
use envsubst::Variables;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, ResourceExt as _};

/// Collects the variables; later sources win over earlier ones, and inline values over all.
///
/// # Errors
/// What cannot be read and is not optional, in upstream's words.
pub(super) async fn collect(
    client: &Client,
    it: &Kustomization,
) -> Result<Option<Variables>, String> {
    let Some(PostBuild { substitute, substitute_from }) = &it.spec.post_build else {
        return Ok(None);
    };
    let namespace = it.namespace().unwrap_or_default();
    let mut variables = Variables::new();
    for reference in substitute_from.iter().flatten() {
        for (name, value) in read(client, &namespace, reference).await? {
            variables.insert(name, value);
        }
    }
    for (name, value) in substitute.iter().flatten() {
        variables.insert(name, value.as_str());
    }
    Ok(Some(variables))
}

async fn read(
    client: &Client,
    namespace: &str,
    reference: &SubstituteReference,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let SubstituteReference { kind, name, optional } = reference;
    let found = match kind.as_str() {
        "Secret" => match secret::read(client, namespace, name).await {
            Ok(data) => Ok(Some(data.into_iter().collect())),
            Err(secret::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.bare()),
        },
        "ConfigMap" => config_map(client, namespace, name).await,
        _ => Ok(Some(Vec::new())),
    };
    let what = format!("substitute from '{kind}/{name}' error");
    match found {
        Ok(Some(data)) => Ok(data),
        Ok(None) if *optional == Some(true) => Ok(Vec::new()),
        Ok(None) => Err(format!("{what}: {}s {name:?} not found", kind.to_lowercase())),
        Err(why) => Err(format!("{what}: {why}")),
    }
}

async fn config_map(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Vec<(String, Vec<u8>)>>, String> {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let map = maps.get_opt(name).await.map_err(|error| match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    })?;
    let data = map.map(|map| map.data.unwrap_or_default());
    Ok(data.map(|data| data.into_iter().map(|(key, value)| (key, value.into_bytes())).collect()))
}
