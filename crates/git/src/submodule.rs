//! Submodules: other repositories at the commits that a tree names.
//!
//! Credentials and client certificates go to the host of the repository that they are for, and to no
//! other: a `.gitmodules` file is content, and may be anybody's.

use std::collections::{HashMap, VecDeque};

use gix::bstr::ByteSlice as _;
use url::Url;

use crate::{
    Entry, Error, Fetched, Id, Mirrors, Mode, Snapshot, Want,
    remote::{Address, Auth, Remote},
};

/// How deep submodules of submodules are followed (go-git `DefaultSubmoduleRecursionDepth`).
const DEPTH: usize = 10;
/// How many submodules a repository may have, all together.
const MOST: usize = 256;
/// How large a `.gitmodules` file may be, in bytes.
const LARGEST: usize = 1 << 20;

/// A submodule that was fetched.
#[derive(Clone, Debug)]
pub struct Submodule {
    /// Where it is in the outermost repository.
    pub path: String,
    /// Its tree.
    pub snapshot: Snapshot,
}

/// A repository whose submodules are still to be found.
struct Outer {
    path: String,
    remote: Remote,
    snapshot: Snapshot,
    depth: usize,
}

impl Mirrors {
    /// Fetches all submodules below `snapshot`, a tree of the repository `remote`, in the order of
    /// their paths; those of submodules too. Ones that `.gitmodules` does not name are left alone.
    ///
    /// # Errors
    /// A submodule has an address that cannot be used, or cannot be fetched; there are too many.
    pub async fn submodules(
        &self,
        scope: &str,
        remote: &Remote,
        snapshot: &Snapshot,
    ) -> Result<Vec<Submodule>, Error> {
        let mut found: Vec<Submodule> = Vec::new();
        let first = (String::new(), remote.clone(), snapshot.clone());
        let outer = Outer { path: first.0, remote: first.1, snapshot: first.2, depth: 0 };
        let mut waiting = VecDeque::from([outer]);
        while let Some(outer) = waiting.pop_front() {
            let links = links(&outer.snapshot).await?;
            if links.is_empty() || outer.depth >= DEPTH {
                continue;
            }
            let urls = urls(&outer.snapshot).await?;
            for link in links {
                let Some(url) = urls.get(&link.path) else { continue };
                if found.len() >= MOST {
                    return Err(Error::Config(format!(
                        "the repository has more than {MOST} submodules"
                    )));
                }
                let path = join(&outer.path, &link.path);
                let remote = inner(&outer.remote, url).map_err(|why| named(&path, &why))?;
                let snapshot = self.at(scope, &remote, link.id).await;
                let snapshot = snapshot.map_err(|why| named(&path, &why))?;
                found.push(Submodule { path: path.clone(), snapshot: snapshot.clone() });
                waiting.push_back(Outer { path, remote, snapshot, depth: outer.depth + 1 });
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    async fn at(&self, scope: &str, remote: &Remote, id: Id) -> Result<Snapshot, Error> {
        let want = Want { commits: vec![id], ..Want::default() };
        let fetched: Fetched = self.fetch(scope, remote, &want).await?;
        fetched.snapshot(id).await
    }
}

fn named(path: &str, why: &Error) -> Error {
    let text = format!("submodule '{path}': {why}");
    match why.cause() {
        Error::Timeout => Error::Timeout,
        Error::Unreachable(_) => Error::Unreachable(text),
        Error::Denied(_) => Error::Denied(text),
        Error::NotFound(_) | Error::RefNotFound(_) => Error::NotFound(text),
        _ => Error::Config(text),
    }
}

async fn links(snapshot: &Snapshot) -> Result<Vec<Entry>, Error> {
    let mut entries = snapshot.files("").await?;
    entries.retain(|entry| entry.mode == Mode::Submodule);
    Ok(entries)
}

/// The addresses of `.gitmodules` by path.
async fn urls(snapshot: &Snapshot) -> Result<HashMap<String, String>, Error> {
    const FILE: &str = ".gitmodules";
    let entries = snapshot.files("").await?;
    let plain = entries.iter().any(|it| it.path == FILE && it.mode == Mode::File);
    let Some(text) = snapshot.file(FILE).await?.filter(|_| plain) else {
        return Ok(HashMap::new());
    };
    if text.len() > LARGEST {
        return Err(Error::Config(format!("{FILE} has more than {LARGEST} bytes")));
    }
    let file = gix::config::File::try_from(text.as_bstr().to_str_lossy().as_ref())
        .map_err(|_| Error::Config(format!("{FILE} cannot be read")))?;
    let sections = file.sections_by_name("submodule").into_iter().flatten();
    let of = |section: gix::config::file::SectionRef<'_>, key: &str| {
        section.value(key).map(|value| value.to_str_lossy().into_owned())
    };
    Ok(sections
        .filter_map(|section| Some((of(section, "path")?, of(section, "url")?)))
        .map(|(path, url)| (path.trim_end_matches('/').to_owned(), url))
        .collect())
}

/// The repository of a submodule as seen from the one it is in.
fn inner(outer: &Remote, url: &str) -> Result<Remote, Error> {
    let text = resolve(&outer.address, url)?;
    let (address, user, _) = Address::parse(&text)?;
    let parent = &outer.address;
    let same = address.scheme() == parent.scheme()
        && address.host() == parent.host()
        && address.port() == parent.port();
    let mut inner = Remote { address, ..outer.clone() };
    if !same {
        if user.is_some() || inner.address.scheme() == crate::Scheme::Ssh {
            return Err(Error::Config(format!(
                "'{}' is on another host, to which the credentials are not sent",
                inner.address
            )));
        }
        inner.auth = Auth::None;
        inner.identity = None;
        inner.http.identity = None;
    }
    Ok(inner)
}

/// An address as `.gitmodules` holds it: absolute, `user@host:path`, or relative to the repository.
fn resolve(outer: &Address, url: &str) -> Result<String, Error> {
    if url.starts_with("./") || url.starts_with("../") {
        let mut base: Url = outer.url().clone();
        let mut parts: Vec<&str> =
            outer.url().path().split('/').filter(|part| !part.is_empty()).collect();
        for part in url.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    let out = || Error::Config(format!("'{url}' leads out of the server"));
                    parts.pop().ok_or_else(out)?;
                }
                name => parts.push(name),
            }
        }
        base.set_path(&format!("/{}", parts.join("/")));
        return Ok(base.to_string());
    }
    if url.contains("://") {
        return Ok(url.to_owned());
    }
    match url.split_once(':') {
        Some((host, path)) if !host.contains('/') && !path.is_empty() && !host.starts_with('-') => {
            Ok(format!("ssh://{host}/{}", path.trim_start_matches('/')))
        }
        _ => Err(Error::Config("the address is that of a local folder".to_owned())),
    }
}

fn join(outer: &str, path: &str) -> String {
    if outer.is_empty() { path.to_owned() } else { format!("{outer}/{path}") }
}

#[cfg(test)]
mod tests {
    use http_client::{Identity, Roots};

    use super::{Remote, inner, resolve};
    use crate::remote::Auth;

    #[test]
    fn addresses_are_resolved() {
        let at =
            |url: &str| Remote::anonymous("https://h:1/a/b.git").unwrap().address.clone_as(url);
        assert_eq!(at("../c.git").unwrap(), "https://h:1/a/c.git");
        assert_eq!(at("./c").unwrap(), "https://h:1/a/b.git/c");
        assert_eq!(at("../../x/y").unwrap(), "https://h:1/x/y");
        assert_eq!(at("git@h:x/y.git").unwrap(), "ssh://git@h/x/y.git");
        assert_eq!(at("https://o/z").unwrap(), "https://o/z");
        for wrong in ["../../../x", "/etc", "x", "-oProxyCommand=x:y"] {
            at(wrong).unwrap_err();
        }
    }

    #[test]
    fn credentials_stay_with_their_host() {
        let mut outer = Remote::anonymous("https://h/a/b.git").unwrap();
        outer.auth = Auth::Bearer("secret".into());
        outer.http.identity = Some(Identity { certificate: b"c".to_vec(), key: b"k".to_vec() });
        outer.http.roots = Roots::Added(b"ca".to_vec());
        let near = inner(&outer, "../c.git").unwrap();
        assert_eq!(near.auth, outer.auth);
        for far in ["https://other/c", "http://h/c", "https://h:444/c"] {
            let far = inner(&outer, far).unwrap();
            assert_eq!((far.auth, far.http.identity), (Auth::None, None));
            assert_eq!(far.http.roots, outer.http.roots);
        }
        for refused in ["ssh://git@h/c", "https://user:pw@other/c", "file:///etc", "ext::sh -c x"] {
            let why = inner(&outer, refused).unwrap_err().to_string();
            assert!(!why.contains("pw"), "{why}");
        }
    }

    impl crate::Address {
        fn clone_as(&self, url: &str) -> Result<String, crate::Error> {
            resolve(self, url)
        }
    }
}
