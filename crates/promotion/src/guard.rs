//! Whether the API server makes sure that people are who they say they are.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Api, Client};

/// Name of the shipped policy on Promotions, and of its binding.
const POLICY: &str = "promotions.promotion.sluice.dev";

/// Why people's names cannot be believed.
pub(crate) const UNGUARDED: &str = "the cluster has no ValidatingAdmissionPolicy \
    promotions.promotion.sluice.dev with its binding, so nobody knows who asked; install the shipped \
    policies";

/// Whether the policy is there and binds.
pub(crate) async fn holds(client: &Client) -> bool {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let Ok(Some(_)) = policies.get_opt(POLICY).await else { return false };
    let Ok(Some(binding)) = bindings.get_opt(POLICY).await else { return false };
    let spec = binding.spec.unwrap_or_default();
    let denies = spec.validation_actions.iter().flatten().any(|it| it == "Deny");
    // One that looks at some objects only guards nothing.
    denies && spec.policy_name.as_deref() == Some(POLICY) && spec.match_resources.is_none()
}
