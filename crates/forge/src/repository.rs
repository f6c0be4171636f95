//! Which repository, on which forge.

use std::str::FromStr;

use url::Url;

use crate::Error;

/// A kind of forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// github.com and GitHub Enterprise Server.
    GitHub,
    /// gitlab.com and GitLab of one's own.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "github" => Ok(Self::GitHub),
            "gitlab" => Ok(Self::GitLab),
            "gitea" | "forgejo" => Ok(Self::Gitea),
            _ => Err(Error::Repository(format!(
                "no provider '{text}': want github, gitlab, gitea or forgejo"
            ))),
        }
    }
}

/// A repository and where the API of its forge is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    /// The kind of the forge.
    pub kind: Kind,
    /// Where the API is; ends with a slash.
    pub api: Url,
    /// `owner/name`; on GitLab there may be groups in between.
    pub path: String,
}

impl Repository {
    /// The repository of a Git address (`https://…`, `ssh://…`, `git@host:owner/name`); `api` is
    /// the address of the API, made of the Git address by default.
    ///
    /// # Errors
    /// [`Error::Repository`] when an address is none, or names no owner and repository.
    pub fn new(kind: Kind, git: &str, api: Option<&str>) -> Result<Self, Error> {
        let git = address(git)?;
        let wrong =
            |why: &str| Error::Repository(format!("'{}': {why}", http_client::redact(&git)));
        let parts: Vec<&str> = git.path().split('/').filter(|it| !it.is_empty()).collect();
        let [before @ .., owner, name] = &parts[..] else {
            return Err(wrong("want an owner and a repository in the path"));
        };
        let name = name.strip_suffix(".git").unwrap_or(name);
        let odd = |it: &&str| matches!(*it, "" | "." | "..") || it.contains(['%', '\\']);
        if parts.iter().any(odd) || name.is_empty() {
            return Err(wrong("it is no path of a repository"));
        }
        let (prefix, path) = match kind {
            Kind::GitLab => (String::new(), [before, &[*owner, name]].concat().join("/")),
            Kind::GitHub | Kind::Gitea => {
                ([&[""], before].concat().join("/"), format!("{owner}/{name}"))
            }
        };
        let api = match api {
            Some(api) => base(api)?,
            None => default_api(kind, &git, &prefix)?,
        };
        Ok(Self { kind, api, path })
    }

    /// The owner, without the repository's own name.
    pub fn owner(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(owner, _)| owner)
    }
}

/// A Git address as a URL.
fn address(text: &str) -> Result<Url, Error> {
    let bad = |why: &str| Error::Repository(format!("the repository's address is {why}"));
    if let Ok(url) = Url::parse(text)
        && url.host().is_some()
    {
        return match url.scheme() {
            "http" | "https" | "ssh" => Ok(url),
            _ => Err(bad("not http, https or ssh")),
        };
    }
    let is_scp = |(host, path): &(&str, &str)| {
        !host.is_empty() && !host.contains('/') && !path.starts_with("//")
    };
    let scp = text.split_once(':').filter(is_scp);
    let (host, path) = scp.ok_or_else(|| bad("none"))?;
    Url::parse(&format!("ssh://{host}/{}", path.trim_start_matches('/'))).map_err(|_| bad("none"))
}

fn base(text: &str) -> Result<Url, Error> {
    let slash = if text.ends_with('/') { "" } else { "/" };
    let bad = |why: String| Error::Repository(format!("the address of the API is no URL: {why}"));
    let url = Url::parse(&format!("{text}{slash}")).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad("want http or https".to_owned()));
    }
    Ok(url)
}

fn default_api(kind: Kind, git: &Url, prefix: &str) -> Result<Url, Error> {
    let host = git.host_str().unwrap_or_default();
    if kind == Kind::GitHub && host == "github.com" {
        return base("https://api.github.com");
    }
    let (scheme, port) = match git.scheme() {
        // The port of an SSH server says nothing about its web server.
        "ssh" => ("https", String::new()),
        scheme => (scheme, git.port().map(|it| format!(":{it}")).unwrap_or_default()),
    };
    let root = match kind {
        Kind::GitHub => "api/v3",
        Kind::GitLab => "api/v4",
        Kind::Gitea => "api/v1",
    };
    base(&format!("{scheme}://{host}{port}{prefix}/{root}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_apis() {
        let of = |kind, git: &str| {
            let it = Repository::new(kind, git, None).unwrap();
            (it.api.to_string(), it.path)
        };
        for (kind, git, api, path) in [
            (Kind::GitHub, "https://github.com/o/r.git", "https://api.github.com/", "o/r"),
            (Kind::GitHub, "git@github.com:o/r.git", "https://api.github.com/", "o/r"),
            (Kind::GitHub, "ssh://git@ghe.x:2222/o/r", "https://ghe.x/api/v3/", "o/r"),
            (Kind::GitLab, "https://gitlab.com/a/b/c.git", "https://gitlab.com/api/v4/", "a/b/c"),
            (Kind::Gitea, "http://h:3000/o/r", "http://h:3000/api/v1/", "o/r"),
            (Kind::Gitea, "https://h/git/o/r", "https://h/git/api/v1/", "o/r"),
        ] {
            assert_eq!(of(kind, git), (api.to_owned(), path.to_owned()), "{git}");
        }
        let api = Repository::new(Kind::GitLab, "https://h/o/r", Some("https://api.h/v4")).unwrap();
        assert_eq!(api.api.as_str(), "https://api.h/v4/");
    }

    #[test]
    fn odd_addresses_are_refused_without_their_passwords() {
        for git in
            ["", "x", "file:///o/r", "https://u:pw@h/r", "https://h/o/..%2f", "https://h/o/.git"]
        {
            let error = Repository::new(Kind::Gitea, git, None).unwrap_err().to_string();
            assert!(!error.contains("pw"), "{error}");
        }
        assert!(Repository::new(Kind::Gitea, "https://h/o/r", Some("ftp://h")).is_err());
    }
}
