//! The Git provider of a repository that stages write to: who asks it, and where it is.

use std::{fmt, time::Duration};

use api::promotion::Push;
use controller::secret;
use forge::{Access, Caller, Forge, InvolvedObject, Kind, Login, Repository, Verdict};
use http_client::{Guard, Options, Roots, secret::Secret};
use kube::Client;

use crate::deploy::{Seen, Standing};

/// The time for one request.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A repository at its provider, and what it takes to ask there.
pub(crate) struct Provider {
    pub(crate) forge: Forge,
    pub(crate) repository: Repository,
    login: Login,
    http: Options,
    namespace: String,
    promotion: String,
}

/// Why a provider cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Somebody must change something first.
    Wrong(String),
    /// It may work a little later.
    Fail(String),
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Wrong(why) | Self::Fail(why)) = self;
        f.write_str(why)
    }
}

/// What providers are reached with.
pub(crate) struct Reach<'a> {
    pub(crate) client: &'a Client,
    pub(crate) forge: &'a Forge,
    /// Where requests that tenants word may go.
    pub(crate) guard: &'a Guard,
    /// Namespace and name of the promotion.
    pub(crate) promotion: (&'a str, &'a str),
}

impl Provider {
    /// The provider of the repository with this Git address, as `push` says.
    ///
    /// # Errors
    /// What of `push` or its Secret cannot be used; never the Secret's content.
    pub(crate) async fn open(
        push: &Push,
        address: &str,
        reach: &Reach<'_>,
    ) -> Result<Self, Closed> {
        let wrong = |why: String| Closed::Wrong(why);
        let provider = push.provider.as_deref().ok_or_else(|| {
            wrong("push.provider does not say what kind of forge it is".to_owned())
        })?;
        let kind: Kind = provider.parse().map_err(|why: forge::Error| wrong(why.to_string()))?;
        let repository = Repository::new(kind, address, push.address.as_deref());
        let repository = repository.map_err(|why| wrong(why.to_string()))?;
        let allowed = reach.guard.check(&repository.api).await;
        allowed.map_err(|why| wrong(why.to_string()))?;
        let secret = push.secret_ref.as_ref();
        let secret =
            secret.ok_or_else(|| wrong("push.secretRef does not say how to log in".to_owned()))?;
        let (namespace, promotion) = reach.promotion;
        let data =
            secret::read(reach.client, namespace, &secret.name).await.map_err(|why| match why {
                secret::Error::NotFound { .. } => Closed::Wrong(why.to_string()),
                secret::Error::Refused { .. } => Closed::Fail(why.to_string()),
            })?;
        let name = format!("{namespace}/{}", secret.name);
        let secret = || Secret { name: &name, data: &data };
        let login = Login::parse(secret()).map_err(|why| wrong(why.to_string()))?;
        let tls =
            http_client::secret::tls_if_any(secret()).map_err(|why| wrong(why.to_string()))?;
        let mut http = Options::default();
        if let Some(tls) = tls {
            http.roots = tls.ca.map_or_else(Roots::default, Roots::Only);
            http.identity = tls.identity;
        }
        let forge = reach.forge.clone();
        let (namespace, promotion) = (namespace.to_owned(), promotion.to_owned());
        Ok(Self { forge, repository, login, http, namespace, promotion })
    }

    /// How the first of these commits stands about which something of this context is said.
    pub(crate) async fn standing(&self, context: &str, commits: &[String]) -> Seen {
        let unseen = |why: String| Seen {
            standing: Standing::Waiting(format!("commitStatus/{context}: {why}")),
            applied: None,
            attempted: None,
        };
        let caller = self.caller();
        for commit in commits {
            let said = match self.forge.statuses(&self.access(&caller), commit).await {
                Ok(said) => said,
                Err(why) => return unseen(why.to_string()),
            };
            let Some(it) = said.into_iter().find(|it| it.context == context) else { continue };
            let text = format!("commitStatus/{context}: {}", it.description);
            let standing = match it.state {
                Verdict::Success => Standing::Healthy,
                Verdict::Pending => Standing::Waiting(text),
                Verdict::Failure | Verdict::Error => Standing::Failed(text),
            };
            let applied = Some(commit.clone()).filter(|_| standing == Standing::Healthy);
            return Seen { standing, applied, attempted: Some(commit.clone()) };
        }
        unseen("nobody said anything yet".to_owned())
    }

    /// For whom is asked.
    pub(crate) fn caller(&self) -> Caller<'_> {
        let object = InvolvedObject {
            kind: "Promotion",
            name: &self.promotion,
            namespace: &self.namespace,
            operation: "reconcile",
        };
        Caller { tenant: &self.namespace, object }
    }

    /// What each request needs.
    pub(crate) fn access<'a>(&'a self, caller: &'a Caller<'a>) -> Access<'a> {
        let Self { repository, login, http, .. } = self;
        Access { repository, login, caller, http, timeout: TIMEOUT }
    }
}
