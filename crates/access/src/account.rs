//! Tokens of `ServiceAccounts`.

use std::pin::Pin;

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, Client, api::PostParams};

/// Makes tokens of one ServiceAccount.
pub struct Tokens {
    accounts: Api<ServiceAccount>,
    name: String,
}

impl Tokens {
    /// Tokens of the ServiceAccount `name`.
    pub fn new(client: Client, namespace: &str, name: String) -> Self {
        Self { accounts: Api::namespaced(client, namespace), name }
    }

    /// The name of the ServiceAccount.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.name)
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
