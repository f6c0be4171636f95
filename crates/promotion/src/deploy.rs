//! Whether what must run a commit does: deployed means seen.

use api::{
    kustomize::{Kustomization, OWNER_NAME, OWNER_NAMESPACE},
    meta::READY,
    promotion::{AppliedTarget, HealthTarget, Pipeline, Push, Stage},
    reason,
};
use controller::{Host, Reference, Stop};
use expression::Expression;
use health::Status;
use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    discovery,
};
use serde_json::{Map, Value, json};

use crate::{branch, store::Stores};

const KUSTOMIZATION: (&str, &str) = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");
/// What stands for a kind where a status of the commit is meant.
const STATUS: &str = "commitStatus";
const HELM_RELEASE: (&str, &str) = ("helm.toolkit.fluxcd.io/v2", "HelmRelease");

/// One object that must run the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) expr: Option<String>,
}

impl Target {
    /// As people read it.
    pub(crate) fn text(&self) -> String {
        if self.is_status() {
            return format!("{STATUS}/{}", self.name);
        }
        format!("{}/{}/{}", self.kind, self.namespace, self.name)
    }

    /// Whether it is a status of the commit at the Git provider, and no object.
    pub(crate) fn is_status(&self) -> bool {
        self.kind == STATUS
    }

    /// Whether nobody knows which revision it runs, so that how it stands must do: an expression sees the
    /// commit, and what Flux did not apply has no revision.
    pub(crate) fn tells_no_revision(&self, seen: &Seen) -> bool {
        let is_flux = [KUSTOMIZATION.1, HELM_RELEASE.1].contains(&self.kind.as_str());
        self.expr.is_some() || !is_flux && seen.applied.is_none() && seen.attempted.is_none()
    }

    /// What is waited for.
    pub(crate) fn reference(&self) -> Reference {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        Reference::named(group, &self.kind, self.namespace.clone(), self.name.clone())
    }
}

/// The objects that must run what a stage writes.
///
/// # Errors
/// What cannot be seen yet.
pub(crate) fn targets(
    stage: &Stage,
    pipe: &Pipeline,
    stores: &Stores,
) -> Result<Vec<Target>, Stop> {
    let own = stage.namespace().unwrap_or_default();
    let named = stage.spec.deploy.as_ref().map(|it| it.health.as_slice()).unwrap_or_default();
    if named.is_empty() {
        return Ok(discovered(stage, pipe, stores));
    }
    named.iter().map(|it| target(it, &own)).collect()
}

/// Refuses what cannot be seen, before anything is written.
///
/// # Errors
/// A stall that names it.
pub(crate) fn check(stage: &Stage, push: &Push) -> Result<(), Stop> {
    let own = stage.namespace().unwrap_or_default();
    let named = stage.spec.deploy.as_ref().map(|it| it.health.as_slice()).unwrap_or_default();
    for it in named {
        let it = target(it, &own)?;
        if it.is_status() && (push.provider.is_none() || push.secret_ref.is_none()) {
            let text =
                format!("deploy.health: {} needs push.provider and push.secretRef", it.text());
            return Err(Stop::stall(reason::INVALID_PROVIDER_CONFIGURATION, text));
        }
    }
    Ok(())
}

/// One object of the spec.
pub(crate) fn target(it: &HealthTarget, own: &str) -> Result<Target, Stop> {
    let refuse = |what: &str| {
        let text = format!("deploy.health: {what} is not supported yet");
        Stop::stall(reason::NOT_IMPLEMENTED, text)
    };
    if let Some(status) = &it.commit_status {
        return Ok(Target {
            api_version: String::new(),
            kind: STATUS.to_owned(),
            namespace: String::new(),
            name: status.context.clone(),
            expr: None,
        });
    }
    if it.kube_config.is_some() {
        return Err(refuse("kubeConfig"));
    }
    let kind = it.kind.clone().unwrap_or_default();
    let usual = match kind.as_str() {
        "Kustomization" => KUSTOMIZATION.0,
        "HelmRelease" => HELM_RELEASE.0,
        _ => "apps/v1",
    };
    Ok(Target {
        api_version: it.api_version.clone().unwrap_or_else(|| usual.to_owned()),
        kind,
        namespace: it.namespace.clone().unwrap_or_else(|| own.to_owned()),
        name: it.name.clone().unwrap_or_default(),
        expr: it.expr.clone(),
    })
}

/// The Kustomizations of this cluster that apply the stage's paths of its branch.
fn discovered(stage: &Stage, pipe: &Pipeline, stores: &Stores) -> Vec<Target> {
    let Some(repository) = branch::repository_key(stage, pipe) else { return Vec::new() };
    let source = stores.repositories.get(&repository.0, &repository.1);
    let Some(url) = source.map(|it| it.spec.url.clone()) else { return Vec::new() };
    let edited = stage.spec.edit.clone().unwrap_or_default().paths;
    let wanted = branch::branch_of(stage, pipe, stores);
    let applies = |it: &Kustomization| {
        let from = &it.spec.source_ref;
        let namespace = from.namespace.clone().or_else(|| it.namespace()).unwrap_or_default();
        let path = vec![it.spec.path.clone().unwrap_or_default()];
        let source = stores.repositories.get(&namespace, &from.name);
        let reads = source.is_some_and(|it| {
            let named = it.spec.reference.as_ref().and_then(|it| it.branch.clone());
            it.spec.url == url && named.or_else(|| Some("master".to_owned())) == wanted
        });
        from.kind == "GitRepository" && reads && pipeline::path::overlap(&path, &edited).is_some()
    };
    let all = stores.kustomizations.all();
    let of = |it: &Kustomization| Target {
        api_version: KUSTOMIZATION.0.to_owned(),
        kind: KUSTOMIZATION.1.to_owned(),
        namespace: it.namespace().unwrap_or_default(),
        name: it.name_any(),
        expr: None,
    };
    all.iter().filter(|it| applies(it)).map(|it| of(it)).collect()
}

/// How one object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is as it should be.
    Healthy,
    /// It is not yet.
    Waiting(String),
    /// It will not be by itself.
    Failed(String),
}

/// How one object stands, and the revision it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    /// The revision that runs, as the object or its owner tells it.
    pub(crate) applied: Option<String>,
    /// The revision that was tried last.
    pub(crate) attempted: Option<String>,
}

/// How objects are read.
pub(crate) struct Eyes<'a> {
    pub(crate) host: &'a Host,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    /// What expressions see besides the object.
    pub(crate) context: Map<String, Value>,
}

impl Eyes<'_> {
    /// Looks at an object as it is, whatever it runs.
    pub(crate) async fn look(&self, target: &Target) -> Seen {
        let unseen =
            |why: String| Seen { standing: Standing::Waiting(why), applied: None, attempted: None };
        let object = match self.read(target).await {
            Ok(Some(object)) => object,
            Ok(None) => return unseen(format!("{} does not exist", target.text())),
            Err(why) => return unseen(format!("{} cannot be read: {why}", target.text())),
        };
        let standing = match (&target.expr, target.kind.as_str()) {
            (Some(expr), _) => self.judge(expr, &object, target),
            (None, "Kustomization") => flux(&object, target, &BAD_KUSTOMIZATION),
            (None, "HelmRelease") => flux(&object, target, &BAD_RELEASE),
            (None, _) => self.compute(&object, target),
        };
        let (applied, attempted) = self.revisions(&object, target).await;
        Seen { standing, applied, attempted }
    }

    /// The revision that an object runs, or that the Kustomization which applied it runs.
    async fn revisions(&self, object: &Value, target: &Target) -> (Option<String>, Option<String>) {
        let text = |it: &Value, key: &str| it["status"][key].as_str().map(str::to_owned);
        let of = |it: &Value| {
            let origin = text(it, "lastAppliedOriginRevision");
            (origin.or_else(|| text(it, "lastAppliedRevision")), text(it, "lastAttemptedRevision"))
        };
        if target.kind == KUSTOMIZATION.1 {
            return of(object);
        }
        let labels = &object["metadata"]["labels"];
        let owner = labels[OWNER_NAME].as_str().zip(labels[OWNER_NAMESPACE].as_str());
        let Some((name, namespace)) = owner else { return (None, None) };
        let owner = Target {
            api_version: KUSTOMIZATION.0.to_owned(),
            kind: KUSTOMIZATION.1.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            expr: None,
        };
        match self.read(&owner).await {
            Ok(Some(it)) => of(&it),
            Ok(None) | Err(_) => (None, None),
        }
    }

    fn judge(&self, expr: &str, object: &Value, target: &Target) -> Standing {
        let mut context = self.context.clone();
        context.insert("object".to_owned(), object.clone());
        let verdict = Expression::parse(expr).and_then(|it| it.is_true(&context));
        match verdict {
            Ok(true) => Standing::Healthy,
            Ok(false) => Standing::Waiting(format!("{}: does not hold: {expr}", target.text())),
            Err(why) => Standing::Waiting(format!("{}: {why}", target.text())),
        }
    }

    fn compute(&self, object: &Value, target: &Target) -> Standing {
        let Ok(it) = health::compute(object, self.now) else {
            return Standing::Waiting(format!("{}: its health cannot be told", target.text()));
        };
        let text = format!("{}: {}", target.text(), it.message);
        match it.status {
            Status::Current => Standing::Healthy,
            Status::Failed => Standing::Failed(text),
            _ => Standing::Waiting(text),
        }
    }

    /// Reads an object and watches its kind from now on.
    pub(crate) async fn read(&self, target: &Target) -> Result<Option<Value>, String> {
        let (group, version) =
            target.api_version.split_once('/').unwrap_or(("", &target.api_version));
        let kind = GroupVersionKind::gvk(group, version, &target.kind);
        let resource = self.resource(&kind).await?;
        self.host.follow(&resource);
        let api: Api<DynamicObject> = if target.namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &target.namespace, &resource)
        };
        let found = api.get_opt(&target.name).await.map_err(|why| why.to_string())?;
        Ok(found.and_then(|it| serde_json::to_value(it).ok()))
    }

    async fn resource(&self, kind: &GroupVersionKind) -> Result<ApiResource, String> {
        let known = [(KUSTOMIZATION, "kustomizations"), (HELM_RELEASE, "helmreleases")];
        for ((version, name), plural) in known {
            if kind.kind == name && version.starts_with(&kind.group) {
                return Ok(ApiResource::from_gvk_with_plural(kind, plural));
            }
        }
        let found = discovery::pinned_kind(&self.client, kind).await;
        found.map(|(resource, _)| resource).map_err(|why| why.to_string())
    }
}

/// Reasons of Ready=False that do not pass by themselves.
const BAD_KUSTOMIZATION: [&str; 3] = ["HealthCheckFailed", "BuildFailed", "PruneFailed"];
const BAD_RELEASE: [&str; 7] = [
    "InstallFailed",
    "UpgradeFailed",
    "TestFailed",
    "RollbackSucceeded",
    "RollbackFailed",
    "UninstallSucceeded",
    "UninstallFailed",
];

/// How an object of Flux stands.
fn flux(object: &Value, target: &Target, bad: &[&str]) -> Standing {
    let status = &object["status"];
    let condition = |kind: &str| {
        let all = status["conditions"].as_array();
        all.and_then(|all| all.iter().find(|it| it["type"] == kind)).cloned().unwrap_or_default()
    };
    let ready = condition(READY);
    let message = ready["message"].as_str().unwrap_or("not ready yet");
    let text = format!("{}: {message}", target.text());
    if object["spec"]["suspend"] == true {
        return Standing::Waiting(format!("{} is suspended", target.text()));
    }
    let is_stalled = condition("Stalled")["status"] == "True";
    let is_bad = ready["status"] == "False"
        && ready["reason"].as_str().is_some_and(|reason| bad.contains(&reason));
    if is_bad || is_stalled {
        return Standing::Failed(text);
    }
    let observed = status["observedGeneration"] == object["metadata"]["generation"];
    if !observed {
        return Standing::Waiting(format!("{}: its newest spec is not seen yet", target.text()));
    }
    if ready["status"] == "True" { Standing::Healthy } else { Standing::Waiting(text) }
}

/// The commit of a revision such as `main@sha1:<id>`.
pub(crate) fn commit_of(revision: &str) -> Option<git::Id> {
    revision.rsplit([':', '/', '@']).next()?.parse().ok()
}

/// How an object is shown in a promotion's status.
pub(crate) fn applied(target: &Target, seen: &Seen, wanted: Option<&str>) -> AppliedTarget {
    let message = match &seen.standing {
        Standing::Healthy => None,
        Standing::Waiting(why) | Standing::Failed(why) => Some(why.clone()),
    };
    AppliedTarget {
        target: target.text(),
        wanted: wanted.map(str::to_owned),
        applied: seen.applied.clone(),
        ready: seen.standing == Standing::Healthy,
        latched_at: None,
        message,
    }
}

/// The same client as a ServiceAccount.
pub(crate) fn as_account(client: &Client, namespace: &str, account: Option<&str>) -> Client {
    let Some(account) = account else { return client.clone() };
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let client = client.clone();
    let service = tower::service_fn(move |mut request: http::Request<kube::client::Body>| {
        // A name that cannot be a header is nobody's, and reads nothing.
        let user = http::HeaderValue::from_str(&user)
            .unwrap_or_else(|_| http::HeaderValue::from_static("system:anonymous"));
        request.headers_mut().insert("impersonate-user", user);
        let client = client.clone();
        async move { client.send(request).await }
    });
    Client::new(service, "default")
}

/// What expressions see of a commit.
pub(crate) fn commit_context(
    commit: Option<&str>,
    bundle: &str,
    components: Value,
) -> Map<String, Value> {
    let mut context = Map::new();
    context.insert("commit".to_owned(), json!(commit.unwrap_or_default()));
    context.insert("bundle".to_owned(), json!({"name": bundle}));
    context.insert("components".to_owned(), components);
    context
}
