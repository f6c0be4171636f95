//! Flags that say which cluster is asked, as whom, and where in it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::flag;

/// The namespace of an object of Flux, and the cluster.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
#[group(skip)]
pub(super) struct Arguments {
    /// Namespace of the object
    #[arg(
        short,
        long,
        env = "FLUX_SYSTEM_NAMESPACE",
        hide_env_values = true,
        default_value = "flux-system",
        value_name = "NAME"
    )]
    pub(super) namespace: String,
    #[command(flatten)]
    pub(super) access: Access,
}

/// The cluster, and as whom it is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
#[group(skip)]
pub(super) struct Access {
    /// Kubeconfig to use instead of KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use instead of its current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    impersonated: Option<String>,
    /// Group to act as, besides --as; may be given several times
    #[arg(long = "as-group", value_name = "GROUP", requires = "impersonated")]
    groups: Vec<String>,
    /// How long to try
    #[arg(long, default_value = "5m", value_parser = flag::duration, value_name = "DURATION")]
    pub(super) timeout: Duration,
}

impl Access {
    /// A client for the cluster.
    pub(super) async fn client(&self) -> Result<Client> {
        let mut config = self.config().await?;
        config.auth_info.impersonate = self.impersonated.clone().or(config.auth_info.impersonate);
        if !self.groups.is_empty() {
            config.auth_info.impersonate_groups = Some(self.groups.clone());
        }
        Client::try_from(config).context("cannot use the kubeconfig")
    }

    /// A client for the cluster that acts as `user`, with `groups` besides those the user has anyway.
    pub(super) async fn client_as(&self, user: &str, groups: Vec<String>) -> Result<Client> {
        let mut config = self.config().await?;
        config.auth_info.impersonate = Some(user.to_owned());
        config.auth_info.impersonate_groups = Some(groups).filter(|groups| !groups.is_empty());
        Client::try_from(config).context("cannot use the kubeconfig")
    }

    async fn config(&self) -> Result<Config> {
        let options =
            KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let found = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path)
                .with_context(|| format!("cannot read the kubeconfig {}", path.display()))?,
            None if self.context.is_none() => {
                return Config::infer().await.context(
                    "there is no cluster to ask: set KUBECONFIG or give --kubeconfig (see `sluice up`)",
                );
            }
            None => Kubeconfig::read().context("cannot read the kubeconfig")?,
        };
        let config = Config::from_custom_kubeconfig(found, &options).await;
        config.context("cannot use the kubeconfig")
    }
}
