//! Which commit a Flux source reference means.

use crate::{
    Error, Fetched, Id, Mirrors, Network, RemoteRef, Snapshot, Want,
    remote::Remote,
    semver::{self, Candidate},
};

/// The branch of a reference that names nothing (fluxcd/pkg/git `DefaultBranch`).
const DEFAULT_BRANCH: &str = "master";

/// A `GitRepositoryRef` of Flux. What counts when several are set is, in this order, the commit, the
/// name, the tag, the range and the branch (fluxcd/pkg/git/gogit `Client.Clone`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// A branch's short name.
    pub branch: Option<String>,
    /// A tag's short name.
    pub tag: Option<String>,
    /// A range over tags.
    pub semver: Option<String>,
    /// The full name of a reference.
    pub name: Option<String>,
    /// A commit id.
    pub commit: Option<String>,
}

/// A checked-out commit.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The tree and the commit.
    pub snapshot: Snapshot,
    /// The full name of the reference it was found by, if it was not the bare commit.
    pub reference: Option<String>,
    /// The revision as Flux writes it, for example `main@sha1:<id>`.
    pub revision: String,
    /// All that was fetched with it.
    pub fetched: Fetched,
}

impl Checkout {
    /// The commit's id.
    pub fn commit(&self) -> Id {
        self.snapshot.commit_id()
    }
}

enum Kind<'a> {
    Commit(&'a str),
    Name(&'a str),
    Tag(&'a str),
    Semver(&'a str),
    Branch(&'a str),
}

impl Reference {
    /// A branch by its short name.
    pub fn to_branch(name: &str) -> Self {
        Self { branch: Some(name.to_owned()), ..Self::default() }
    }

    fn kind(&self) -> Kind<'_> {
        if let Some(commit) = set(self.commit.as_deref()) {
            Kind::Commit(commit)
        } else if let Some(name) = set(self.name.as_deref()) {
            Kind::Name(name)
        } else if let Some(tag) = set(self.tag.as_deref()) {
            Kind::Tag(tag)
        } else if let Some(range) = set(self.semver.as_deref()) {
            Kind::Semver(range)
        } else {
            Kind::Branch(set(self.branch.as_deref()).unwrap_or(DEFAULT_BRANCH))
        }
    }

    /// The revision the server has for this reference now, without fetching anything; `None` when
    /// only a fetch can tell (tags of equal versions) or the reference does not exist. A commit is what
    /// it is: the server is asked whether it lets us in, and has the branch if one is named.
    ///
    /// # Errors
    /// As for every operation; wrapped in [`Error::List`].
    pub async fn observe(
        &self,
        network: &Network,
        remote: &Remote,
    ) -> Result<Option<String>, Error> {
        let (full, shown) = match self.kind() {
            Kind::Branch(branch) => (format!("refs/heads/{branch}"), branch),
            Kind::Tag(tag) => (format!("refs/tags/{tag}"), tag),
            Kind::Name(name) => (checked(name)?.to_owned(), name),
            Kind::Semver(range) => return observe_range(network, remote, range).await,
            Kind::Commit(commit) => return self.observe_commit(network, remote, commit).await,
        };
        let listed = network.ls_remote(remote, &[&full]).await?;
        let found = listed.iter().find(|it| it.name == full);
        Ok(found.map(|it| format!("{shown}@{}", it.commit().digest())))
    }

    async fn observe_commit(
        &self,
        network: &Network,
        remote: &Remote,
        commit: &str,
    ) -> Result<Option<String>, Error> {
        let Ok(id) = commit.parse::<Id>() else { return Ok(None) };
        let branch = set(self.branch.as_deref());
        let full = branch.map_or("HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
        let listed = network.ls_remote(remote, &[&full]).await?;
        let is_there = branch.is_none() || listed.iter().any(|it| it.name == full);
        Ok(is_there.then(|| self.commit_revision(id)))
    }

    /// The revision of a pinned commit.
    fn commit_revision(&self, id: Id) -> String {
        match set(self.name.as_deref()).or(set(self.branch.as_deref())) {
            Some(shown) => format!("{shown}@{}", id.digest()),
            None => id.digest(),
        }
    }
}

async fn observe_range(
    network: &Network,
    remote: &Remote,
    range: &str,
) -> Result<Option<String>, Error> {
    let listed = network.ls_remote(remote, &["refs/tags/"]).await?;
    Ok(match semver::best(range, &listed).as_deref() {
        Ok([only]) => Some(format!("{}@{}", only.tag, only.commit.digest())),
        _ => None,
    })
}

impl Mirrors {
    /// Fetches what `reference` means, together with the references `also` as far as they exist.
    ///
    /// # Errors
    /// In upstream's words: [`Error::Clone`] and [`Error::NothingToClone`] around the cause,
    /// [`Error::Empty`] for a branch of a repository without commits.
    pub async fn checkout(
        &self,
        scope: &str,
        remote: &Remote,
        reference: &Reference,
        also: &[&str],
    ) -> Result<Checkout, Error> {
        let job = Job { mirrors: self, scope, remote, also };
        match reference.kind() {
            Kind::Branch(branch) => {
                match job.named(&format!("refs/heads/{branch}"), branch).await {
                    Err(Error::Empty) => Err(Error::Empty),
                    other => other.map_err(|why| job.cannot_clone(why)),
                }
            }
            Kind::Tag(tag) => {
                let full = format!("refs/tags/{tag}");
                job.named(&full, tag).await.map_err(|why| job.cannot_clone(why))
            }
            Kind::Name(name) => job.name(name).await,
            Kind::Semver(range) => job.range(range).await,
            Kind::Commit(commit) => job.commit(commit, reference).await,
        }
    }
}

struct Job<'a> {
    mirrors: &'a Mirrors,
    scope: &'a str,
    remote: &'a Remote,
    also: &'a [&'a str],
}

impl Job<'_> {
    async fn fetch(&self, mut want: Want) -> Result<Fetched, Error> {
        want.optional.extend(self.also.iter().map(|name| (*name).to_owned()));
        self.mirrors.fetch(self.scope, self.remote, &want).await
    }

    async fn named(&self, full: &str, shown: &str) -> Result<Checkout, Error> {
        let want = Want { references: vec![full.to_owned()], ..Want::default() };
        let fetched = self.fetch(want).await?;
        let gone = || Error::RefNotFound(full.to_owned());
        let id = fetched.commit(full).ok_or_else(gone)?;
        let snapshot = fetched.snapshot(id).await?;
        let revision = format!("{shown}@{}", id.digest());
        Ok(Checkout { snapshot, reference: Some(full.to_owned()), revision, fetched })
    }

    async fn name(&self, name: &str) -> Result<Checkout, Error> {
        let full = checked(name)?;
        match self.named(full, name).await {
            // Who asks for the commit of a tag does not mean the tag.
            Ok(found) if full != name => Ok(Checkout { reference: Some(name.to_owned()), ..found }),
            Err(Error::RefNotFound(_) | Error::Empty) => {
                Err(Error::NotFound(format!("unable to resolve ref '{name}' to a specific commit")))
            }
            other => other.map_err(|why| self.cannot_list(why)),
        }
    }

    async fn range(&self, range: &str) -> Result<Checkout, Error> {
        let network = self.mirrors.network();
        let listed = network.ls_remote(self.remote, &[]).await.map_err(|why| match why {
            Error::List { cause, .. } => self.cannot_clone(*cause),
            other => other,
        })?;
        if listed.is_empty() {
            return Err(self.cannot_clone(Error::Empty));
        }
        let best = semver::best(range, &listed)?;
        let winner = match best.as_slice() {
            [only] => only.tag.clone(),
            several => self.newest(several).await?,
        };
        let full = format!("refs/tags/{winner}");
        self.named(&full, &winner).await.map_err(|why| self.cannot_clone(why))
    }

    /// Of tags with equal versions the one whose commit is newest; the last listed among equals.
    async fn newest(&self, several: &[Candidate]) -> Result<String, Error> {
        let references = several.iter().map(|it| format!("refs/tags/{}", it.tag)).collect();
        let fetched = self.fetch(Want { references, ..Want::default() }).await?;
        let mut best: Option<(i64, String)> = None;
        for candidate in several {
            let snapshot = fetched.snapshot(candidate.commit).await?;
            let time = snapshot.committed();
            if best.as_ref().is_none_or(|(newest, _)| time >= *newest) {
                best = Some((time, candidate.tag.clone()));
            }
        }
        best.map(|(_, tag)| tag).ok_or(Error::Empty)
    }

    async fn commit(&self, commit: &str, reference: &Reference) -> Result<Checkout, Error> {
        let unknown = || {
            Error::NotFound(format!(
                "unable to resolve commit object for '{commit}': object not found"
            ))
        };
        let id: Id = commit.parse().map_err(|_| unknown())?;
        let branch = set(reference.branch.as_deref());
        let full = branch.map(|branch| format!("refs/heads/{branch}"));
        let want = Want {
            references: full.iter().cloned().collect(),
            commits: vec![id],
            ..Want::default()
        };
        let fetched = match self.fetch(want).await {
            Err(Error::RefNotFound(name)) if name == id.to_string() => return Err(unknown()),
            other => other.map_err(|why| self.cannot_clone(why))?,
        };
        let snapshot = fetched.snapshot(id).await.map_err(|_| unknown())?;
        let revision = reference.commit_revision(id);
        let reference = set(reference.name.as_deref()).map(str::to_owned).or(full);
        Ok(Checkout { snapshot, reference, revision, fetched })
    }

    fn cannot_clone(&self, why: Error) -> Error {
        let (url, cause) = (self.remote.address.to_string(), Box::new(why));
        match &*cause {
            Error::Empty => Error::NothingToClone { url, cause },
            // Over SSH upstream knows this case by its bare text.
            Error::NotFound(text) if text == "repository not found" => {
                Error::NothingToClone { url, cause }
            }
            _ => Error::Clone { url, cause },
        }
    }

    fn cannot_list(&self, why: Error) -> Error {
        Error::List { url: self.remote.address.to_string(), cause: Box::new(why) }
    }
}

/// A field that is there and not empty, which Go does not tell apart.
fn set(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}

/// The reference to ask for; `^{}` at the end means the commit of a tag, which is taken anyway.
fn checked(name: &str) -> Result<&str, Error> {
    if name.starts_with('/') || name.ends_with('/') {
        let why = format!("ref {name} is invalid; Git refs cannot begin or end with a slash '/'");
        return Err(Error::Config(why));
    }
    Ok(name.strip_suffix("^{}").unwrap_or(name))
}

impl Candidate {
    pub(crate) fn of(reference: &RemoteRef) -> Option<Self> {
        let tag = reference.name.strip_prefix("refs/tags/")?.to_owned();
        Some(Self { tag, commit: reference.commit() })
    }
}
