//! The flags of upstream's controllers, with their names, forms and defaults.
//!
//! Durations are Go's (`1h30m`, `750ms`); switches are written `--flag`, `--flag=true` or
//! `--flag=false`.

use std::{collections::BTreeMap, net::TcpListener, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use regex::Regex;

use crate::{
    controllers::Setup,
    log::{Encoding, Verbosity},
};

/// Feature gates and their defaults, over all controllers.
const GATES: [(&str, bool); 17] = [
    ("AdditiveCELDependencyCheck", false),
    ("AdoptLegacyReleases", true),
    ("AllowDNSLookups", false),
    ("CacheSecretsAndConfigMaps", false),
    ("CorrectDrift", false),
    ("DetectDrift", false),
    ("DisableChartDigestTracking", false),
    ("DisableConfigWatchers", false),
    ("DisableFailFastBehavior", false),
    ("ExternalArtifact", false),
    ("GitAllBranchReferences", true),
    ("GitForcePushBranch", true),
    ("GitShallowClone", true),
    ("GitSparseCheckout", false),
    ("OOMWatch", false),
    ("ObjectLevelWorkloadIdentity", false),
    ("StrictPostBuildSubstitutions", false),
];

/// Flags of every controller.
#[derive(Debug, Clone, Args)]
pub(crate) struct Controllers {
    /// How many objects of a kind are reconciled at the same time
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) concurrent: usize,
    /// Where events are posted to, such as the address of a notification-controller
    #[arg(long, default_value = "", value_name = "URL", hide_default_value = true)]
    pub(crate) events_addr: String,
    /// How many objects of a Kustomization are compared with the cluster at the same time
    #[arg(long, default_value_t = 4, value_name = "N")]
    pub(crate) concurrent_ssa: usize,
    /// Field manager whose fields Kustomizations take over, by the beginning of its name; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) override_manager: Vec<String>,
    /// Refuse references to objects of other namespaces
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) no_cross_namespace_refs: bool,
    /// Hosts that the gates http and metric may ask, such as prometheus.monitoring:9090 or
    /// *.example.com; any but the API server and link-local ones if none is given
    #[arg(long, value_name = "HOST,...", value_delimiter = ',')]
    pub(crate) gate_allowed_hosts: Vec<String>,
    /// Reconcile only objects with these labels
    #[arg(long, default_value = "", value_parser = selector, value_name = "SELECTOR", hide_default_value = true)]
    pub(crate) watch_label_selector: String,
    /// React to changes of Secrets and `ConfigMap`s with these labels
    #[arg(long, default_value = "reconcile.fluxcd.io/watch=Enabled", value_parser = selector, value_name = "SELECTOR")]
    pub(crate) watch_configs_label_selector: String,
    /// Time before the first retry of a failed reconciliation; doubled for each further one
    #[arg(long, default_value = "750ms", value_parser = duration, value_name = "DURATION")]
    pub(crate) min_retry_delay: Duration,
    /// Longest time between two retries
    #[arg(long, default_value = "15m", value_parser = duration, value_name = "DURATION")]
    pub(crate) max_retry_delay: Duration,
    /// Time between two looks at a dependency that is not ready; 30s by default, 5s for generators of
    /// artifacts
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) requeue_dependency: Option<Duration>,
    /// How long a generator of artifacts may take
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub(crate) reconciliation_timeout: Duration,
    /// How much an interval may be shorter or longer than it says, in percent
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..100), value_name = "PERCENT")]
    pub(crate) interval_jitter_percentage: u8,
    /// Without effect, for the sake of older manifests: what cannot be fetched is tried again with
    /// the delay of its object
    #[arg(long, default_value_t = 9, value_name = "N", hide = true)]
    pub(crate) http_retry: u32,
    /// Feature gates to turn on or off, as `Name=true,Other=false`
    #[arg(long, default_value = "", value_name = "GATES", hide_default_value = true)]
    pub(crate) feature_gates: String,
    /// ServiceAccount to impersonate, or for workload identity, where an object names none
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    pub(crate) default_service_account: String,
    /// ServiceAccount for workload identity with key services where a Kustomization names none
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    pub(crate) default_decryption_service_account: String,
    /// ServiceAccount for workload identity with other clusters where an object names none
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    pub(crate) default_kubeconfig_service_account: String,
    /// Secret with age keys for Kustomizations that name none, in the namespace `RUNTIME_NAMESPACE`
    #[arg(long, default_value = "", value_name = "NAME", hide_default_value = true)]
    pub(crate) sops_age_secret: String,
    /// Refuse Kustomizations that name repositories or files of other servers
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) no_remote_bases: bool,
    /// How many cloud tokens are kept; 0 keeps none
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) token_cache_max_size: usize,
    /// Longest time a cloud token is kept
    #[arg(long, default_value = "1h", value_parser = duration, value_name = "DURATION")]
    pub(crate) token_cache_max_duration: Duration,
    /// How long artifacts that are no longer current are kept
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub(crate) artifact_retention_ttl: Duration,
    /// How many artifacts of an object are kept
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) artifact_retention_records: usize,
    /// Most bytes of the index of a Helm repository
    #[arg(long, default_value_t = 50 << 20, value_name = "BYTES")]
    pub(crate) helm_index_max_size: u64,
    /// Most bytes of a Helm chart
    #[arg(long, default_value_t = 10 << 20, value_name = "BYTES")]
    pub(crate) helm_chart_max_size: u64,
    /// Without effect, for the sake of older manifests: files of a chart have 5 MiB at most
    #[arg(long, default_value_t = 5 << 20, value_name = "BYTES", hide = true)]
    pub(crate) helm_chart_file_max_size: u64,
    /// Without effect, for the sake of older manifests: indexes are kept on disk
    #[arg(long, default_value_t = 0, value_name = "N", hide = true)]
    pub(crate) helm_cache_max_size: u64,
    /// Without effect, for the sake of older manifests: indexes are kept on disk
    #[arg(long, default_value = "15m", value_parser = duration, value_name = "DURATION", hide = true)]
    pub(crate) helm_cache_ttl: Duration,
    /// Without effect, for the sake of older manifests: indexes are kept on disk
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "DURATION", hide = true)]
    pub(crate) helm_cache_purge_interval: Duration,
    /// What digests of artifacts are computed with: sha256, sha384, sha512 or blake3
    #[arg(long, default_value = "sha256", value_parser = algorithm, value_name = "NAME")]
    pub(crate) artifact_digest_algo: artifact::Algorithm,
    /// What digests of releases are computed with: sha256, sha384, sha512 or blake3
    #[arg(long, default_value = "sha256", value_parser = snapshot_algorithm, value_name = "NAME")]
    pub(crate) snapshot_digest_algo: helm::release::Algorithm,
    /// Key exchange algorithms for SSH, most preferred first
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) ssh_kex_algos: Vec<String>,
    /// Host key algorithms for SSH, most preferred first
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) ssh_hostkey_algos: Vec<String>,
}

/// Flags of a controller in a cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct Cluster {
    /// Address of the metrics; 0 for none
    #[arg(long, default_value = ":8080", value_name = "ADDR")]
    pub(crate) metrics_addr: Address,
    /// Address of the health probes; 0 for none
    #[arg(long, default_value = ":9440", value_name = "ADDR")]
    pub(crate) health_addr: Address,
    /// Where artifacts, Git mirrors and scanned tags are kept; /data by default, and a temporary folder
    /// for controllers that make neither artifacts nor scans
    #[arg(long, env = "STORAGE_PATH", hide_env_values = true, value_name = "DIR")]
    pub(crate) storage_path: Option<PathBuf>,
    /// Address of the artifacts' file server
    #[arg(
        long,
        default_value = ":9090",
        env = "STORAGE_ADDRESS",
        hide_env_values = true,
        value_name = "ADDR"
    )]
    pub(crate) storage_addr: Address,
    /// Host, and port if it is not 80, at which others find the artifacts; this host by default
    #[arg(
        long,
        default_value = "",
        env = "STORAGE_ADV_ADDR",
        hide_env_values = true,
        value_name = "ADDR",
        hide_default_value = true
    )]
    pub(crate) storage_adv_addr: String,
    /// Without effect, for the sake of older manifests: the store has no value log
    #[arg(long, default_value_t = 1 << 28, value_name = "BYTES", hide = true)]
    pub(crate) storage_value_log_file_size: i64,
    /// Without effect, for the sake of older manifests: nothing is left to collect
    #[arg(long, default_value_t = 10, value_name = "MINUTES", hide = true)]
    pub(crate) gc_interval: u16,
    /// Watch all namespaces; otherwise the one that `RUNTIME_NAMESPACE` names
    #[arg(long, default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) watch_all_namespaces: bool,
    /// Kubeconfig to use instead of KUBECONFIG or the cluster's own
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Requests a second to the API server; left to its own priority and fairness
    #[arg(long, default_value_t = 50.0, value_name = "N", hide = true)]
    pub(crate) kube_api_qps: f32,
    /// Burst of requests to the API server; left to its own priority and fairness
    #[arg(long, default_value_t = 300, value_name = "N", hide = true)]
    pub(crate) kube_api_burst: i32,
    /// How long what is going on may take to end when the process is asked to stop
    #[arg(long, default_value = "600s", value_parser = duration, value_name = "DURATION")]
    pub(crate) graceful_shutdown_timeout: Duration,
    #[command(flatten)]
    pub(crate) memory: super::memory::Flags,
    /// Let one of several replicas work, and the others wait
    #[arg(long, default_value_t = false, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) enable_leader_election: bool,
    /// Give the lead back when stopping
    #[arg(long, default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set, value_parser = boolean, value_name = "BOOL")]
    pub(crate) leader_election_release_on_cancel: bool,
    /// How long a silent leader keeps the lead
    #[arg(long, default_value = "35s", value_parser = duration, value_name = "DURATION")]
    pub(crate) leader_election_lease_duration: Duration,
    /// How long the leader tries to renew before it gives up
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub(crate) leader_election_renew_deadline: Duration,
    /// Time between two tries to get or renew the lead
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub(crate) leader_election_retry_period: Duration,
}

/// Flags of the log.
#[derive(Debug, Clone, Args)]
pub(crate) struct Log {
    /// How much is logged
    #[arg(long, value_enum, default_value_t = Verbosity::Info)]
    pub(crate) log_level: Verbosity,
    /// Form of a log line
    #[arg(long, value_enum, default_value_t = Encoding::Json)]
    pub(crate) log_encoding: Encoding,
}

impl Controllers {
    /// Puts what the flags say into `setup`.
    pub(crate) fn configure(&self, setup: &mut Setup) -> Result<()> {
        let gates = self.gates()?;
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let identity = gates["ObjectLevelWorkloadIdentity"];
        self.check_accounts(identity, &setup.selection)?;
        let requeue_dependency = self.requeue_dependency.unwrap_or(Duration::from_secs(30));
        setup.options.interval_jitter = self.interval_jitter_percentage;
        setup.options.concurrent = self.concurrent;
        setup.options.min_retry_delay = self.min_retry_delay;
        setup.options.max_retry_delay = self.max_retry_delay;
        setup.options.label_selector = given(&self.watch_label_selector);
        setup.options.configs_label_selector = given(&self.watch_configs_label_selector);
        setup.reflector = reflector::Options {
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            requeue_dependency,
            object_level_workload_identity: identity,
            default_service_account: given(&self.default_service_account),
        };
        setup.automation = automation::Options {
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            all_branch_references: gates["GitAllBranchReferences"],
            force_push_branch: gates["GitForcePushBranch"],
            object_level_workload_identity: identity,
            default_service_account: given(&self.default_service_account),
        };
        setup.source = reconciler::source::Options {
            requeue_dependency,
            object_level_workload_identity: identity,
            default_service_account: given(&self.default_service_account),
            helm_index_max_size: self.helm_index_max_size,
            helm_chart_max_size: self.helm_chart_max_size,
        };
        setup.generator = reconciler::source::artifact_generator::Options {
            requeue_dependency: self.requeue_dependency.unwrap_or(Duration::from_secs(5)),
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            timeout: self.reconciliation_timeout,
        };
        setup.promotion = promotion::Options {
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            allowed_hosts: self.gate_allowed_hosts.clone(),
            unguarded: false,
        };
        setup.kustomization = reconciler::kustomization::Options {
            concurrent_ssa: self.concurrent_ssa,
            requeue_dependency,
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            default_service_account: given(&self.default_service_account),
            override_managers: self.override_manager.clone(),
            fail_fast: !gates["DisableFailFastBehavior"],
            strict_substitutions: gates["StrictPostBuildSubstitutions"],
            additive_cel_dependency_check: gates["AdditiveCELDependencyCheck"],
            external_artifact: gates["ExternalArtifact"],
            object_level_workload_identity: identity,
            no_remote_bases: self.no_remote_bases,
            sops_age_secret: self.sops_age_secret(),
            default_decryption_service_account: given(&self.default_decryption_service_account),
            default_kubeconfig_service_account: given(&self.default_kubeconfig_service_account),
        };
        setup.helm_release = reconciler::helm_release::Options {
            requeue_dependency,
            no_cross_namespace_refs: self.no_cross_namespace_refs,
            default_service_account: given(&self.default_service_account),
            default_kubeconfig_service_account: given(&self.default_kubeconfig_service_account),
            snapshot_digest: self.snapshot_digest_algo,
            additive_cel_dependency_check: gates["AdditiveCELDependencyCheck"],
            external_artifact: gates["ExternalArtifact"],
            adopt_legacy_releases: gates["AdoptLegacyReleases"],
            allow_dns_lookups: gates["AllowDNSLookups"],
            disable_chart_digest_tracking: gates["DisableChartDigestTracking"],
        };
        setup.artifact.algorithm = self.artifact_digest_algo;
        setup.artifact.retention = artifact::Retention {
            ttl: self.artifact_retention_ttl,
            records: self.artifact_retention_records,
        };
        setup.git.kex_algorithms.clone_from(&self.ssh_kex_algos);
        setup.git.host_key_algorithms.clone_from(&self.ssh_hostkey_algos);
        setup.tokens.max_size = self.token_cache_max_size;
        setup.tokens.max_duration = self.token_cache_max_duration;
        Ok(())
    }

    /// Accounts for workload identity need its gate. `--default-service-account` is one for those
    /// controllers that impersonate nobody.
    fn check_accounts(&self, identity: bool, selection: &[String]) -> Result<()> {
        use reconciler::{helm_release, kustomization};
        const GATE: &str = "--feature-gates=ObjectLevelWorkloadIdentity=true";
        let impersonates = |name: &String| {
            [kustomization::CONTROLLER, helm_release::CONTROLLER].contains(&name.as_str())
        };
        let is_impersonated = selection.is_empty() || selection.iter().any(impersonates);
        let given = [
            ("--default-service-account", &self.default_service_account, !is_impersonated),
            (
                "--default-decryption-service-account",
                &self.default_decryption_service_account,
                true,
            ),
            (
                "--default-kubeconfig-service-account",
                &self.default_kubeconfig_service_account,
                true,
            ),
        ];
        match given.iter().find(|(_, name, is_gated)| *is_gated && !name.is_empty()) {
            Some((flag, ..)) if !identity => bail!("{flag} needs {GATE}"),
            _ => Ok(()),
        }
    }

    /// The Secret with age keys for all, in the namespace this process runs in.
    fn sops_age_secret(&self) -> Option<(String, String)> {
        let name = Some(self.sops_age_secret.clone()).filter(|name| !name.is_empty())?;
        let namespace = std::env::var("RUNTIME_NAMESPACE").ok().filter(|it| !it.is_empty())?;
        Some((namespace, name))
    }

    /// The feature gates as they stand.
    pub(crate) fn gates(&self) -> Result<BTreeMap<&'static str, bool>> {
        let mut gates = BTreeMap::from(GATES);
        for setting in self.feature_gates.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let (name, value) = setting.split_once('=').with_context(|| {
                format!("feature gate '{setting}' must read Name=true or Name=false")
            })?;
            let Some(gate) = gates.get_mut(name.trim()) else {
                bail!("feature gate '{name}' not supported; there are {}", known_gates());
            };
            *gate = value.trim().parse().with_context(|| {
                format!("feature gate '{name}' must be true or false, not '{value}'")
            })?;
        }
        Ok(gates)
    }
}

fn known_gates() -> String {
    GATES.map(|(name, _)| name).join(", ")
}

/// Reads a Go duration.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    api::duration::parse(text).map_err(|error| {
        format!("'{text}' is no duration ({error}); write it like 30s, 5m or 1h30m")
    })
}

/// Reads the name of a digest's algorithm.
fn algorithm(text: &str) -> Result<artifact::Algorithm, String> {
    text.parse().map_err(|error: artifact::Error| error.to_string())
}

/// Reads the name of a release digest's algorithm.
fn snapshot_algorithm(text: &str) -> Result<helm::release::Algorithm, String> {
    text.parse()
}

/// Checks the form of a label selector: `a=b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`,
/// joined by commas. The API server checks it again; this says so at the start.
fn selector(text: &str) -> Result<String, String> {
    let name = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?";
    let values = format!(r"\(\s*(?:{name})?(?:\s*,\s*(?:{name})?)*\s*\)");
    let one = format!(
        r"!?\s*{name}|{name}\s*(?:=|==|!=)\s*(?:{name})?|{name}\s+(?:in|notin)\s*{values}|{name}\s*[<>]\s*\d+"
    );
    let all = Regex::new(&format!(r"^\s*(?:{one})\s*(?:,\s*(?:{one})\s*)*$"));
    if text.trim().is_empty() || all.is_ok_and(|all| all.is_match(text)) {
        return Ok(text.to_owned());
    }
    Err("write it like key=value, key!=value, key in (a, b), key or !key, joined by commas".into())
}

/// Reads a truth value as Go's flags do.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// Where to listen, in Go's forms: `:8080` for every address of the machine, `localhost:8080`,
/// `[::1]:8080`; `0` or nothing for nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    text: String,
}

impl Address {
    /// Listens there; `what` is for the error.
    pub(crate) fn bind(&self, what: &str) -> Result<Option<TcpListener>> {
        if self.is_nowhere() {
            return Ok(None);
        }
        let bound = match self.text.strip_prefix(':') {
            // One socket for both families, unless the machine knows no IPv6.
            Some(port) => TcpListener::bind(format!("[::]:{port}"))
                .or_else(|_| TcpListener::bind(format!("0.0.0.0:{port}"))),
            None => TcpListener::bind(&self.text),
        };
        bound.map(Some).with_context(|| format!("cannot listen on {} for {what}", self.text))
    }

    /// What others call this address if nobody says otherwise: its host, the machine's name where it
    /// is every address of the machine, with the port.
    pub(crate) fn advertised(&self, hostname: &str) -> String {
        match self.text.rsplit_once(':') {
            Some(("", port)) => format!("localhost:{port}"),
            Some(("0.0.0.0", port)) => format!("{hostname}:{port}"),
            _ => self.text.clone(),
        }
    }

    fn is_nowhere(&self) -> bool {
        self.text.is_empty() || self.text == "0"
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = Self { text: text.to_owned() };
        let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if address.is_nowhere() || matches!(port, Some(Ok(_))) {
            return Ok(address);
        }
        Err("write it like :8080, 127.0.0.1:8080 or localhost:8080".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct All {
        #[command(flatten)]
        controllers: Controllers,
        #[command(flatten)]
        cluster: Cluster,
        #[command(flatten)]
        log: Log,
    }

    fn parse(arguments: &[&str]) -> All {
        All::try_parse_from(std::iter::once(&"sluice").chain(arguments)).unwrap()
    }

    #[test]
    fn defaults_are_upstreams() {
        let all = parse(&[]);
        assert_eq!(all.controllers.concurrent, 4);
        assert_eq!(all.controllers.min_retry_delay, Duration::from_millis(750));
        assert_eq!(all.controllers.max_retry_delay, Duration::from_mins(15));
        assert_eq!(all.controllers.requeue_dependency, None);
        assert_eq!(all.controllers.interval_jitter_percentage, 5);
        assert_eq!(all.cluster.metrics_addr.text, ":8080");
        assert_eq!(all.cluster.health_addr.text, ":9440");
        assert!(all.cluster.watch_all_namespaces && !all.cluster.enable_leader_election);
        assert_eq!(all.cluster.leader_election_lease_duration, Duration::from_secs(35));
        assert_eq!(all.log.log_encoding, Encoding::Json);
    }

    #[test]
    fn switches_take_go_forms() {
        let all = parse(&["--enable-leader-election", "--watch-all-namespaces=false"]);
        assert!(all.cluster.enable_leader_election && !all.cluster.watch_all_namespaces);
        let all = parse(&["--enable-leader-election=1", "--no-cross-namespace-refs=T"]);
        assert!(all.cluster.enable_leader_election && all.controllers.no_cross_namespace_refs);
    }

    #[test]
    fn selectors_are_checked() {
        let good = ["", "a=b", "a==b,!c", "x.io/y notin (a, b),z", "a in (b)", "a>1", "a!="];
        for text in good {
            assert_eq!(selector(text).as_deref(), Ok(text));
        }
        for text in ["a=b=c", "a in b", "=b", "a,,b", "a b"] {
            selector(text).unwrap_err();
        }
    }

    #[test]
    fn addresses_are_gos() {
        for good in [":8080", "127.0.0.1:0", "[::1]:80", "localhost:80", "0", ""] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        for bad in ["8080", ":x", "1.2.3.4", ":70000"] {
            bad.parse::<Address>().unwrap_err();
        }
        assert!("0".parse::<Address>().unwrap().bind("x").unwrap().is_none());
        let listener = ":0".parse::<Address>().unwrap().bind("x").unwrap().unwrap();
        let port = listener.local_addr().unwrap().port();
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let taken = format!("127.0.0.1:{port}").parse::<Address>().unwrap().bind("metrics");
        let taken = taken.unwrap_err().to_string();
        assert_eq!(taken, format!("cannot listen on 127.0.0.1:{port} for metrics"));
    }

    #[test]
    fn gates_are_known_by_name() {
        let gates = parse(&["--feature-gates=GitForcePushBranch=false"]).controllers.gates();
        assert!(!gates.unwrap()["GitForcePushBranch"]);
        let unknown = parse(&["--feature-gates=Nope=true"]).controllers.gates().unwrap_err();
        assert!(unknown.to_string().contains("'Nope' not supported"));
    }

    #[test]
    fn accounts_for_workload_identity_need_its_gate() {
        let check = |flag: &str, selection: &[&str]| {
            let selection: Vec<String> = selection.iter().map(|it| (*it).to_owned()).collect();
            parse(&[flag]).controllers.check_accounts(false, &selection)
        };
        let impersonated = "--default-service-account=x";
        assert!(check(impersonated, &[]).is_ok());
        assert!(check(impersonated, &["kustomize-controller"]).is_ok());
        let lonely = check(impersonated, &["source-controller"]).unwrap_err();
        assert!(lonely.to_string().contains("ObjectLevelWorkloadIdentity"), "{lonely}");
        assert!(check("--default-decryption-service-account=x", &[]).is_err());
        assert!(check("--default-kubeconfig-service-account=x", &[]).is_err());
    }
}
