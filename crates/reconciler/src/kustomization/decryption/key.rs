//! The keys: those of the Secret, those of this process, and what key services answer.

use std::collections::BTreeMap;

use api::kustomize::Kustomization;
use cloud::{Identity, InvolvedObject};
use controller::secret;
use futures::{FutureExt, StreamExt as _};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, ResourceExt as _};
use sops::{Keyring, Kind, MasterKey};

use super::super::Context;
use crate::account::Tokens;

/// How many keys are asked about at the same time.
const AT_ONCE: usize = 8;

/// What a Kustomization decrypts with.
pub(in super::super) struct Keys {
    pub(in super::super) keyring: Keyring,
    credentials: kms::Credentials,
    /// The data that the keys were made of, for who wants to know whether it changed.
    pub(in super::super) data: BTreeMap<String, Vec<u8>>,
}

impl Keys {
    /// Reads the keys, if the spec asks for decryption.
    ///
    /// # Errors
    /// A Secret that is not there or holds a key that cannot be read, in upstream's words and
    /// never with its content.
    pub(in super::super) async fn read(
        it: &Kustomization,
        context: &Context,
    ) -> Result<Option<Self>, String> {
        let Some(decryption) = &it.spec.decryption else { return Ok(None) };
        let mut keys = Self {
            keyring: Keyring::new(),
            credentials: kms::Credentials::default(),
            data: BTreeMap::new(),
        };
        let own = decryption.secret_ref.as_ref();
        let own = own.map(|it_ref| (it.namespace().unwrap_or_default(), it_ref.name.clone()));
        let is_own = own.is_some();
        let Some((namespace, name)) = own.or_else(|| context.options.sops_age_secret.clone())
        else {
            return Ok(Some(keys));
        };
        let what = if is_own { "sops decryption" } else { "sops SOPS age decryption" };
        let secret = format!("{what} Secret '{namespace}/{name}'");
        let data =
            secret::read(&context.client, &namespace, &name).await.map_err(|why| match why {
                secret::Error::NotFound { .. } => {
                    let kind = format!("Secret {name:?} not found");
                    if is_own { format!("secrets {name:?} not found") } else { kind }
                }
                secret::Error::Refused { .. } => format!("cannot get {secret}: {}", why.bare()),
            })?;
        for (name, value) in &data {
            keys.import(name, value, is_own)
                .map_err(|why| format!("failed to import '{name}' data from {secret}: {why}"))?;
        }
        keys.data = data;
        Ok(Some(keys))
    }

    /// Takes an entry of the Secret; the one that all may use holds age keys only.
    fn import(&mut self, name: &str, value: &[u8], is_own: bool) -> Result<(), String> {
        let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
        match suffix {
            "agekey" => {
                let text = String::from_utf8_lossy(value);
                self.keyring.add_age(&text).map_err(|why| bare(&why))
            }
            "asc" if is_own => self.keyring.add_pgp(value).map_err(|why| bare(&why)),
            _ if is_own => self.credentials.add(name, value).map(drop),
            _ => Ok(()),
        }
    }

    /// Asks key services about keys. That one was not unwrapped is an answer, too.
    ///
    /// # Errors
    /// If the identity to ask as is not there.
    pub(in super::super) async fn ask(
        &mut self,
        keys: Vec<MasterKey>,
        (it, context): (&Kustomization, &Context),
    ) -> Result<(), String> {
        let account = account(it, context).await?;
        let namespace = it.namespace().unwrap_or_default();
        let tokens = account
            .as_ref()
            .map(|account| Tokens::new(context.client.clone(), &namespace, account.name_any()));
        let identity = match (&account, &tokens) {
            (Some(account), Some(tokens)) => Identity::ServiceAccount(cloud::ServiceAccount {
                namespace: &namespace,
                name: tokens.name(),
                annotations: account.annotations(),
                tokens,
            }),
            _ => Identity::Process,
        };
        let (name, credentials) = (it.name_any(), &self.credentials);
        let asked = keys.into_iter().map(|key| {
            let operation = operation(&key.kind);
            let (name, namespace) = (name.as_str(), namespace.as_str());
            let object = InvolvedObject { kind: "Kustomization", name, namespace, operation };
            let caller = kms::Caller { credentials, identity, object };
            async move {
                let answer = context.key_services.unwrap(&key, &caller).await;
                (key, answer.map_err(|why| why.to_string()))
            }
        });
        let asked: Vec<_> = asked.map(FutureExt::boxed).collect();
        let answers: Vec<_> = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
        for (key, answer) in answers {
            self.keyring.answer(key, answer);
        }
        Ok(())
    }
}

/// What upstream counts tokens for.
fn operation(kind: &Kind) -> &'static str {
    match kind {
        Kind::AwsKms { .. } => "decrypt_with_aws",
        Kind::AzureKeyVault { .. } => "decrypt_with_azure",
        _ => "decrypt_with_gcp",
    }
}

/// The ServiceAccount whose identity asks key services, if not that of the process.
async fn account(it: &Kustomization, context: &Context) -> Result<Option<ServiceAccount>, String> {
    let own = it.spec.decryption.as_ref().and_then(|it| it.service_account_name.clone());
    let own = own.filter(|name| !name.is_empty());
    let default = || context.options.default_decryption_service_account.clone();
    let Some(name) = own.or_else(default) else { return Ok(None) };
    let namespace = it.namespace().unwrap_or_default();
    let accounts = Api::<ServiceAccount>::namespaced(context.client.clone(), &namespace);
    match accounts.get_opt(&name).await {
        Ok(Some(account)) => Ok(Some(account)),
        Ok(None) => Err(format!("serviceaccount '{namespace}/{name}' not found")),
        Err(why) => Err(format!("failed to get serviceaccount '{namespace}/{name}': {why}")),
    }
}

/// Why a key cannot be read, without the words that the caller says before it.
fn bare(error: &sops::Error) -> String {
    match error {
        sops::Error::Import { why, .. } => why.clone(),
        other => other.to_string(),
    }
}
