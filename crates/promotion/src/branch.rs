//! The branch that a stage writes to: where it is, what it holds, and what a bundle changes in it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use api::{
    promotion::{Markers, Pipeline, Stage},
    reason,
};
use controller::Stop;
use git::{Id, Moment, Person, Remote, Signer, Snapshot, Want};
use kube::ResourceExt as _;
use pipeline::{
    bundle::{Bundle, Order},
    value::{Part, Value, bundle_name},
};
use setters::stage::{self, Attribute, Copy, Plan, Policy, Scope, Site};

use crate::{Context, store::Stores, value};

/// A branch with everything that is needed to read it and to write to it.
pub(crate) struct Source {
    /// Whose mirror it is: the namespace of the GitRepository.
    pub(crate) scope: String,
    pub(crate) remote: Remote,
    pub(crate) branch: String,
    pub(crate) signer: Option<Arc<Signer>>,
    pub(crate) author: Person,
    /// Push options.
    pub(crate) options: Vec<String>,
    /// Namespace and name of the GitRepository.
    pub(crate) repository: (String, String),
    /// What the server told at this moment or later is new enough.
    pub(crate) since: Moment,
    /// A head at which somebody else saw the branch is new enough.
    pub(crate) told: Option<Id>,
}

/// Namespace and name of the GitRepository that a stage writes to.
pub(crate) fn repository_key(stage: &Stage, pipe: &Pipeline) -> Option<(String, String)> {
    let own = stage.spec.edit.as_ref().and_then(|it| it.source_ref.as_ref());
    let reference = own.or_else(|| pipe.spec.git.as_ref().map(|it| &it.source_ref))?;
    let namespace = reference.namespace.clone().filter(|it| !it.is_empty());
    Some((namespace.or_else(|| stage.namespace()).unwrap_or_default(), reference.name.clone()))
}

/// The branch that a stage writes to, as far as the specs tell.
pub(crate) fn branch_of(stage: &Stage, pipe: &Pipeline, stores: &Stores) -> Option<String> {
    let set = |it: Option<&String>| it.filter(|it| !it.is_empty()).cloned();
    let (namespace, name) = repository_key(stage, pipe)?;
    let repository = stores.repositories.get(&namespace, &name);
    set(stage.spec.edit.as_ref().and_then(|it| it.branch.as_ref()))
        .or_else(|| set(pipe.spec.git.as_ref().and_then(|it| it.branch.as_ref())))
        .or_else(|| set(repository?.spec.reference.as_ref()?.branch.as_ref()))
        .or_else(|| Some("master".to_owned()))
}

/// Reads and checks everything about the branch.
pub(crate) async fn source(
    stage: &Stage,
    pipe: &Pipeline,
    stores: &Stores,
    context: &Context,
) -> Result<Source, Stop> {
    let own = stage.namespace().unwrap_or_default();
    let stalled = |why: &str| Stop::stall(reason::INVALID_SOURCE_CONFIGURATION, why);
    let git = pipe.spec.git.as_ref();
    let git = git.ok_or_else(|| stalled("the Pipeline has no git: say where stages write"))?;
    let (namespace, name) =
        repository_key(stage, pipe).ok_or_else(|| stalled("no repository is named"))?;
    if context.options.no_cross_namespace_refs && namespace != own {
        return Err(Stop::stall(
            reason::ACCESS_DENIED,
            format!(
                "can't access 'GitRepository/{namespace}/{name}', cross-namespace references have \
                 been blocked"
            ),
        ));
    }
    let failed = |why: String| Stop::fail(reason::SOURCE_MANAGER_FAILED, why);
    let repository = stores
        .repositories
        .get(&namespace, &name)
        .ok_or_else(|| failed(format!("GitRepository '{namespace}/{name}' does not exist")))?;
    let access = repository::Access {
        client: &context.client,
        cloud: &context.cloud,
        forge: &context.forge,
        kind: "Stage",
        name: &stage.name_any(),
        namespace: &own,
    };
    let remote = repository::remote(&repository, &access).await.map_err(|why| match why {
        repository::Refused::Invalid(why) => stalled(&why),
        repository::Refused::Fail(why) => failed(why),
    })?;
    let signer = repository::signer(&context.client, &own, git.commit.signing_key.as_ref()).await;
    let author = git.commit.author.clone();
    let push = git.push.clone().unwrap_or_default().options.unwrap_or_default().into_iter();
    let options = push.map(|(k, v)| if v.is_empty() { k } else { format!("{k}={v}") }).collect();
    Ok(Source {
        scope: namespace.clone(),
        remote,
        branch: branch_of(stage, pipe, stores).unwrap_or_default(),
        signer: signer.map_err(failed)?,
        author: Person { name: author.name.unwrap_or_default(), email: author.email },
        options,
        repository: (namespace, name),
        since: Moment::now(),
        told: None,
    })
}

impl Source {
    /// The full name of the branch.
    pub(crate) fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// What is asked of the server, or was.
    fn want(&self, history: bool) -> Want {
        Want { history, ..Want::branch(&self.branch).since(self.since).told(self.told) }
    }

    /// The head as the server has it; with all commits before if `history`.
    pub(crate) async fn head(&self, history: bool, context: &Context) -> Result<Snapshot, Stop> {
        let want = self.want(history);
        let failed = |why: git::Error| {
            let text = format!("failed to read branch '{}': {why}", self.branch);
            Stop::fail(reason::GIT_OPERATION_FAILED, text)
        };
        let fetched = context.mirrors.fetch(&self.scope, &self.remote, &want).await;
        let fetched = fetched.map_err(failed)?;
        let id = fetched.commit(&self.reference());
        let id = id.ok_or_else(|| failed(git::Error::RefNotFound(self.reference())))?;
        fetched.snapshot(id).await.map_err(failed)
    }

    /// The head as the server has it, and that of another branch that may not be there.
    pub(crate) async fn heads(
        &self,
        other: &str,
        context: &Context,
    ) -> Result<(Snapshot, Option<Id>), Stop> {
        let other = format!("refs/heads/{other}");
        let want = self.want(false).and_maybe(&other);
        let failed = |why: git::Error| {
            let text = format!("failed to read branch '{}': {why}", self.branch);
            Stop::fail(reason::GIT_OPERATION_FAILED, text)
        };
        let fetched = context.mirrors.fetch(&self.scope, &self.remote, &want).await;
        let fetched = fetched.map_err(failed)?;
        let id = fetched.commit(&self.reference());
        let id = id.ok_or_else(|| failed(git::Error::RefNotFound(self.reference())))?;
        Ok((fetched.snapshot(id).await.map_err(failed)?, fetched.commit(&other)))
    }

    /// A commit of the branch, if the mirror has it.
    pub(crate) async fn commit(&self, id: Id, context: &Context) -> Option<Snapshot> {
        let want = self.want(true);
        let fetched = context.mirrors.fetch(&self.scope, &self.remote, &want).await.ok()?;
        fetched.snapshot(id).await.ok()
    }
}

/// The first folder that a stage copies to which is not at `head` as it was at `since`: what else is in the
/// folder came with the commit that copied it. None where the commit before is not known any more.
///
/// # Errors
/// The mirror is damaged.
pub(crate) async fn edited(
    (stage, source): (&Stage, &Source),
    head: &Snapshot,
    since: &str,
    context: &Context,
) -> Result<Option<String>, Stop> {
    let folders = stage.spec.edit.iter().flat_map(|it| &it.copy).map(|it| &it.to);
    let failed = |why: git::Error| Stop::fail(reason::GIT_OPERATION_FAILED, why);
    if head.commit_id().to_string() == since || folders.clone().next().is_none() {
        return Ok(None);
    }
    let Ok(id) = since.parse() else { return Ok(None) };
    let Some(before) = source.commit(id, context).await else { return Ok(None) };
    for folder in folders {
        let (was, is) = (before.id_at(folder).await, head.id_at(folder).await);
        if was.map_err(failed)? != is.map_err(failed)? {
            return Ok(Some(folder.clone()));
        }
    }
    Ok(None)
}

/// What setters are asked for: the values to write, and those before; without any, they only read.
#[derive(Default)]
pub(crate) struct Values<'a> {
    pub(crate) new: &'a [Part],
    pub(crate) previous: &'a [Part],
}

/// A stage as setters see it.
pub(crate) fn to_setters(
    stage: &Stage,
    pipe: &Pipeline,
    values: &Values<'_>,
    stores: &Stores,
) -> Result<stage::Stage, String> {
    let namespace = stage.namespace().unwrap_or_default();
    let edit = stage.spec.edit.clone().unwrap_or_default();
    let root = vec![".".to_owned()];
    let paths = if edit.paths.is_empty() { &root } else { &edit.paths };
    let of = |parts: &[Part], name: &str| {
        parts.iter().find(|it| it.component == name).map(|it| it.value.clone())
    };
    let mut components = BTreeMap::new();
    for it in &pipe.spec.components {
        let policies = it.image_policy_ref.iter().map(|policy| {
            let space = policy.namespace.clone().unwrap_or_else(|| namespace.clone());
            Policy {
                reflects_digest: reflects_digest(&space, &policy.name, stores),
                namespace: space,
                name: policy.name.clone(),
            }
        });
        let aliases = it.aliases.iter().filter_map(|text| {
            let (namespace, name) = text.split_once(':')?;
            let reflects_digest = reflects_digest(namespace, name, stores);
            Some(Policy { namespace: namespace.into(), name: name.into(), reflects_digest })
        });
        let previous = of(values.previous, &it.name).filter(is_whole);
        components.insert(
            it.name.clone(),
            stage::Component {
                value: of(values.new, &it.name).as_ref().map(value::to_setters),
                previous: previous.as_ref().map(value::to_setters),
                policies: policies.chain(aliases).collect(),
                optional: it.optional.unwrap_or(false),
            },
        );
    }
    Ok(stage::Stage {
        namespace,
        pipeline: pipe.name_any(),
        name: stage.name_any(),
        scope: Scope::new(paths).map_err(|why| why.to_string())?,
        markers: match edit.markers.unwrap_or_default() {
            Markers::Any => stage::Markers::Any,
            Markers::StageOnly => stage::Markers::StageOnly,
        },
        fields: edit.fields.iter().map(field).collect::<Result<_, _>>()?,
        components,
    })
}

/// Whether a value is known in full: what was read from files often is not, and then nobody can say
/// whether a new one differs.
fn is_whole(value: &Value) -> bool {
    !matches!(value, Value::Image { digest: None, .. })
}

fn reflects_digest(namespace: &str, name: &str, stores: &Stores) -> bool {
    let policy = stores.policies.get(namespace, name);
    let latest = policy.and_then(|it| it.status.as_ref()?.latest_ref.clone());
    latest.is_some_and(|it| it.digest.is_some_and(|digest| !digest.is_empty()))
}

fn field(it: &api::promotion::Field) -> Result<stage::Field, String> {
    let target = match (&it.file, &it.object) {
        (Some(file), _) => stage::Target::File(file.glob.clone()),
        (None, Some(object)) => stage::Target::Object {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        },
        (None, None) => return Err("a field names neither file nor object".to_owned()),
    };
    Ok(stage::Field {
        target,
        path: stage::FieldPath::parse(&it.path).map_err(|why| why.to_string())?,
        component: it.from.component.clone(),
        attribute: it.from.attr.parse().map_err(|why: stage::Error| why.to_string())?,
    })
}

/// What setters make of a tree.
pub(crate) async fn plan(
    snapshot: &Snapshot,
    stage: stage::Stage,
    copies: Vec<Copy>,
    context: &Context,
) -> Result<Plan, Stop> {
    let failed = |why: String| Stop::fail(reason::GIT_OPERATION_FAILED, why);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let marked_only = stage.fields.is_empty();
    let targets: Vec<String> = copies
        .iter()
        .map(|it| format!("{}/", it.to.trim_start_matches("./").trim_matches('/')))
        .collect();
    for under in stage.scope.paths() {
        let (wanted, taken) = (targets.clone(), targets.clone());
        let want = move |entry: &git::Entry| {
            let within = wanted.iter().any(|it| entry.path.starts_with(it));
            within || entry.mode != git::Mode::Symlink && setters::is_candidate(&entry.path)
        };
        let take = move |entry: &git::Entry, bytes: Vec<u8>| {
            let within = taken.iter().any(|it| entry.path.starts_with(it));
            let counts = within
                || !marked_only
                || setters::has_marker(&bytes)
                || memchr::memmem::find(&bytes, b"\"$promotion\"").is_some();
            counts.then(|| (entry.path.clone(), bytes))
        };
        match snapshot.scan(under, want, take).await {
            Ok(scan) => files.extend(scan.found),
            Err(git::Error::PathNotFound(_)) => {}
            Err(why) => return Err(failed(why.to_string())),
        }
    }
    let bytes = files.values().map(Vec::len).sum();
    let work = move || {
        stage::plan(&stage, files.into_iter().map(|(path, it)| (path, Cow::Owned(it))), &copies)
    };
    let plan = context.compute.run(bytes, work).await.map_err(|why| failed(why.to_string()))?;
    plan.map_err(|why| failed(why.to_string()))
}

/// Which bundle the places in a stage's files show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// None: there are no places.
    Nothing,
    /// One that is known.
    Known(String),
    /// One that is not; its name is made of its values.
    New(String, Vec<Part>),
}

impl Held {
    /// The name of the bundle.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Known(name) | Self::New(name, _) => Some(name),
        }
    }
}

/// The bundles that places are compared with.
pub(crate) struct Known<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) order: Order,
    pub(crate) bundles: &'a [Bundle],
    /// The values of each bundle.
    pub(crate) parts: &'a BTreeMap<String, Vec<Part>>,
    /// The bundle that counts before others that are shown in the same way.
    pub(crate) current: Option<&'a str>,
    /// Components that are copied, which no place shows.
    pub(crate) copied: &'a [String],
}

/// Which bundle `sites` show.
pub(crate) fn held(sites: &[Site], known: &Known<'_>) -> Held {
    if sites.is_empty() {
        return Held::Nothing;
    }
    let shows = |name: &str| known.parts.get(name).is_some_and(|parts| shows(sites, parts));
    if let Some(current) = known.current.filter(|it| shows(it)) {
        return Held::Known(current.to_owned());
    }
    // Nobody has brought a bundle yet: a folder may hold anything.
    let told = |name: &str| {
        let copied = |it: &Part| known.copied.contains(&it.component);
        known.current.is_some() || known.parts.get(name).is_none_or(|it| !it.iter().any(copied))
    };
    let matching = known.bundles.iter().filter(|it| shows(&it.name) && told(&it.name));
    if let Some(newest) = known.order.newest(matching) {
        return Held::Known(newest.name.clone());
    }
    let parts = read(sites, known);
    let name = bundle_name(known.pipeline, &parts);
    if known.parts.contains_key(&name) { Held::Known(name) } else { Held::New(name, parts) }
}

fn shows(sites: &[Site], parts: &[Part]) -> bool {
    sites.iter().all(|site| {
        let part = parts.iter().find(|it| it.component == site.component);
        let value = part.map(|it| value::to_setters(&it.value));
        value.and_then(|it| it.get(site.attribute, site.pinned).ok()).as_ref() == Some(&site.value)
    })
}

/// All bundles that `sites` show: they cannot be told apart by what is read.
pub(crate) fn alike(sites: &[Site], known: &Known<'_>) -> Vec<String> {
    let shown = known.parts.iter().filter(|(_, parts)| !sites.is_empty() && shows(sites, parts));
    shown.map(|(name, _)| name.clone()).filter(|it| !it.is_empty()).collect()
}

/// The values that places show, filled up with what is known of their components.
fn read(sites: &[Site], known: &Known<'_>) -> Vec<Part> {
    let names: BTreeSet<&str> = sites.iter().map(|it| it.component.as_str()).collect();
    names.into_iter().map(|name| read_one(name, sites, known)).collect()
}

fn read_one(component: &str, sites: &[Site], known: &Known<'_>) -> Part {
    let alike = known.parts.values().flatten().find(|it| it.component == component);
    let (mut name, mut tag, mut digest) = (None, None, None);
    for site in sites.iter().filter(|it| it.component == component) {
        let (n, t, d) = match site.attribute {
            Attribute::Name => (Some(site.value.clone()), None, None),
            Attribute::Tag => (None, Some(site.value.clone()), None),
            Attribute::Digest => (None, None, Some(site.value.clone())),
            Attribute::Ref | Attribute::Image => split(&site.value),
        };
        (name, tag, digest) = (name.or(n), tag.or(t), digest.or(d));
    }
    let value = match alike.map(|it| it.value.clone()) {
        Some(Value::Chart { url, name: chart, version, .. }) => Value::Chart {
            url: name.unwrap_or(url),
            name: chart,
            version: tag.unwrap_or(version),
            digest,
        },
        Some(Value::Oci { url, .. }) => {
            Value::Oci { url: name.unwrap_or(url), tag, digest: digest.unwrap_or_default() }
        }
        Some(Value::Git { url, commit, .. }) => {
            Value::Git { url: name.unwrap_or(url), tag, commit: digest.unwrap_or(commit) }
        }
        Some(Value::Image { name: usual, .. }) => {
            Value::Image { name: name.unwrap_or(usual), tag: tag.unwrap_or_default(), digest }
        }
        None => {
            Value::Image { name: name.unwrap_or_default(), tag: tag.unwrap_or_default(), digest }
        }
    };
    Part { component: component.to_owned(), value }
}

/// Repository, tag and digest of a reference.
fn split(text: &str) -> (Option<String>, Option<String>, Option<String>) {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.to_owned())),
        None => (text, None),
    };
    match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((name, tag)) => (Some(name.to_owned()), Some(tag.to_owned()), digest),
        None => (Some(rest.to_owned()), None, digest),
    }
}
