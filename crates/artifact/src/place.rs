//! Where the artifacts of an object are: `<kind>/<namespace>/<name>`, upstream's layout.

use std::{fmt, str::FromStr};

use crate::Error;

/// A kind that has artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `GitRepository`
    GitRepository,
    /// `OCIRepository`
    OciRepository,
    /// `HelmRepository`
    HelmRepository,
    /// `HelmChart`
    HelmChart,
    /// `Bucket`
    Bucket,
    /// `ExternalArtifact`
    ExternalArtifact,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::GitRepository,
        Self::OciRepository,
        Self::HelmRepository,
        Self::HelmChart,
        Self::Bucket,
        Self::ExternalArtifact,
    ];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::GitRepository => "gitrepository",
            Self::OciRepository => "ocirepository",
            Self::HelmRepository => "helmrepository",
            Self::HelmChart => "helmchart",
            Self::Bucket => "bucket",
            Self::ExternalArtifact => "externalartifact",
        }
    }

    pub(crate) fn of_folder(folder: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == folder)
    }
}

/// The folder of one object's artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    kind: Kind,
    namespace: String,
    name: String,
}

impl Place {
    /// The place of an object.
    ///
    /// # Errors
    /// Namespace or name could not be the name of a folder.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Result<Self, Error> {
        check(namespace)?;
        check(name)?;
        Ok(Self { kind, namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The path of a file of this place, relative to the store; `file` may be in folders of its own,
    /// as charts named `a/b` are.
    ///
    /// # Errors
    /// The file's name is none, or leads elsewhere.
    pub fn file(&self, file: &str) -> Result<String, Error> {
        for part in file.split('/') {
            check(part)?;
        }
        Ok(format!("{self}/{file}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.folder(), self.namespace, self.name)
    }
}

/// A path of a file in the store, as a status tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePath {
    pub(crate) place: Place,
    text: String,
}

impl FilePath {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for FilePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Path(format!("'{text}' is not the path of an artifact"));
        let mut parts = text.splitn(4, '/');
        let mut next = || parts.next().ok_or_else(wrong);
        let kind = Kind::of_folder(next()?).ok_or_else(wrong)?;
        let place = Place::new(kind, next()?, next()?)?;
        let text = place.file(next()?)?;
        Ok(Self { place, text })
    }
}

/// Whether a name may be that of a file or folder.
fn check(name: &str) -> Result<(), Error> {
    let wrong = name.is_empty()
        || name.len() > 255
        || matches!(name, "." | "..")
        || name.contains(['/', '\\', '\0']);
    if wrong {
        return Err(Error::Path(format!("'{name}' cannot be part of an artifact's path")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FilePath, Kind, Place};

    #[test]
    fn places_stay_where_they_are() {
        let place = Place::new(Kind::GitRepository, "apps", "fleet").unwrap();
        assert_eq!(place.file("a.tar.gz").unwrap(), "gitrepository/apps/fleet/a.tar.gz");
        for wrong in ["", "..", "a/../b", "/a", "a//b", "a\0"] {
            place.file(wrong).unwrap_err();
        }
        Place::new(Kind::Bucket, "..", "x").unwrap_err();
        Place::new(Kind::Bucket, "x", "a/b").unwrap_err();
        let good = "helmchart/apps/x/a/b-1.tgz";
        assert_eq!(good.parse::<FilePath>().unwrap().as_str(), good);
        for wrong in ["git/x/y/z", "bucket/x/y", "bucket/../../etc", "/bucket/x/y/z", "bucket/x/y/"]
        {
            wrong.parse::<FilePath>().unwrap_err();
        }
    }
}
