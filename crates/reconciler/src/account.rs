//! Tokens of `ServiceAccount`s, which stand for identities of cloud providers.

use std::pin::Pin;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};

/// Tokens of one ServiceAccount.
pub(crate) struct Tokens {
    accounts: Api<ServiceAccount>,
    name: String,
}

impl Tokens {
    pub(crate) fn new(client: Client, namespace: &str, name: String) -> Self {
        Self { accounts: Api::namespaced(client, namespace), name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl cloud::TokenSource for Tokens {
    fn token<'a>(
        &'a self,
        audiences: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>> {
        Box::pin(async move {
            let request = TokenRequest {
                spec: TokenRequestSpec { audiences: audiences.to_vec(), ..Default::default() },
                ..Default::default()
            };
            let answer = self
                .accounts
                .create_token_request(&self.name, &PostParams::default(), &request)
                .await
                .map_err(|error| error.to_string())?;
            answer.status.map(|status| status.token).ok_or_else(|| "no token was made".to_owned())
        })
    }
}
