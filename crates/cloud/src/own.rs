//! Identities whose secrets an object brings along, such as those in the Secret of a
//! Kustomization's decryption. Their tokens are not cached.

use std::fmt;

use http::header::CONTENT_TYPE;
use http_client::{Proxy, Request};
use serde::Deserialize;
use url::Url;

use crate::environment::endpoint;
use crate::login::Context;
use crate::{Bearer, Cloud, Error, azure, exchange, jwt};

const GOOGLE: &str = "Google token request";

/// An identity with its secret, which it does not show.
#[derive(Clone)]
pub enum OwnIdentity {
    /// An application of Microsoft Entra.
    Entra {
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// What proves it.
        proof: Proof,
        /// Where Entra is, if it is not the public one.
        authority: Option<String>,
    },
    /// A managed identity of this machine in Azure.
    AzureManaged {
        /// Its client id.
        client: String,
    },
    /// A service account of Google, or a user.
    Google(GoogleKey),
}

impl fmt::Debug for OwnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entra { .. } => "Entra(..)",
            Self::AzureManaged { .. } => "AzureManaged(..)",
            Self::Google(_) => "Google(..)",
        })
    }
}

/// What proves an application of Microsoft Entra. It is not shown.
#[derive(Clone)]
pub enum Proof {
    /// A secret.
    Secret(String),
    /// A certificate with its private key, as PEM.
    Certificate {
        /// Both.
        pem: String,
        /// Whether the whole chain is sent along.
        send_chain: bool,
    },
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}

/// A credentials file of Google: of a service account's key, or of a user.
#[derive(Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GoogleKey {
    /// The key of a service account.
    ServiceAccount {
        /// Whose it is.
        client_email: String,
        /// PEM.
        private_key: String,
        /// Its name.
        #[serde(default)]
        private_key_id: String,
        /// Who gives out tokens.
        #[serde(default = "token_uri")]
        token_uri: String,
    },
    /// What `gcloud auth application-default login` leaves.
    AuthorizedUser {
        /// The application.
        client_id: String,
        /// Its secret.
        client_secret: String,
        /// What new tokens are had for.
        refresh_token: String,
    },
}

impl fmt::Debug for GoogleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoogleKey")
    }
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl Cloud {
    /// The token of an identity that the caller has the secret of; `scopes` are separated by spaces.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the secret cannot be used; the others when the provider cannot
    /// be reached or refuses.
    pub async fn token_of(
        &self,
        identity: &OwnIdentity,
        scopes: &str,
        proxy: &Proxy,
    ) -> Result<Bearer, Error> {
        let context = self.context(proxy)?;
        match identity {
            OwnIdentity::Entra { tenant, client, proof, authority } => {
                let names = (tenant.as_str(), client.as_str());
                azure::with_proof(names, authority.as_deref(), proof, (scopes, &context)).await
            }
            OwnIdentity::AzureManaged { client } => {
                azure::managed(Some(client), scopes, &context).await
            }
            OwnIdentity::Google(key) => google(key, scopes, &context).await,
        }
    }

    /// The given time: when a token is asked for, and what requests are signed with.
    pub fn now(&self) -> jiff::Timestamp {
        (self.place().clock)()
    }
}

async fn google(key: &GoogleKey, scopes: &str, context: &Context<'_>) -> Result<Bearer, Error> {
    let now = (context.place.clock)();
    let (address, body) = match key {
        GoogleKey::ServiceAccount { client_email, private_key, private_key_id, token_uri } => {
            let about = (client_email.as_str(), token_uri.as_str(), scopes);
            let assertion = jwt::of_google((private_key, private_key_id), about, now)?;
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            let body = exchange::form(&[("assertion", &assertion), ("grant_type", grant)]);
            (token_uri.clone(), body)
        }
        GoogleKey::AuthorizedUser { client_id, client_secret, refresh_token } => {
            let body = exchange::form(&[
                ("client_id", client_id),
                ("client_secret", client_secret),
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token),
            ]);
            (token_uri(), body)
        }
    };
    let url = endpoint(context.place.endpoints.gcp_token.as_ref(), &secured(&address)?)?;
    let request =
        Request::post(url, body).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer: Answer = exchange::json(&context.client, GOOGLE, request).await?;
    let life = std::time::Duration::from_secs(answer.expires_in);
    Ok(Bearer { token: answer.access_token, expires_at: now.checked_add(life).unwrap_or(now) })
}

/// An address that secrets may be sent to.
fn secured(address: &str) -> Result<String, Error> {
    let is_secured = Url::parse(address).is_ok_and(|url| url.scheme() == "https");
    let refused = || Error::Configuration("token_uri must be an https address".to_owned());
    is_secured.then(|| address.to_owned()).ok_or_else(refused)
}
