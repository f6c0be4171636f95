//! Files and folders as a kustomization names them: its root, and what it may leave it for.

use std::rc::Rc;

use crate::inputs::{Answer, Entry, Inputs, Question};
use crate::repository::Repository;
use crate::{Error, path};

/// Reads for one kustomization.
#[derive(Debug)]
pub(crate) struct Loader<'i> {
    pub(crate) inputs: &'i Inputs<'i>,
    /// The folder of the kustomization.
    pub(crate) root: String,
    /// Whether files must be in or below it.
    restricted: bool,
    /// The one whose kustomization names this one.
    referrer: Option<Rc<Self>>,
    /// The repository that was cloned for this one, and the folder of the clone.
    clone: Option<(Repository, String)>,
    /// How many referrers there are.
    pub(crate) depth: usize,
}

impl<'i> Loader<'i> {
    /// For the kustomization that is to be built: a folder, or a repository's URL.
    pub(crate) fn new(
        inputs: &'i Inputs<'i>,
        target: &str,
        restricted: bool,
    ) -> Result<Self, Error> {
        let base = Self {
            inputs,
            root: "/".to_owned(),
            restricted,
            referrer: None,
            clone: None,
            depth: 0,
        };
        if let Some(repository) = Repository::parse(target) {
            return base.cloned(repository, None);
        }
        let root = base.folder(target).map_err(|error| error.within("must build at directory"))?;
        Ok(Self { root, ..base })
    }

    /// For a kustomization that this one's names.
    pub(crate) fn enter(self: &Rc<Self>, name: &str) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::Load("new root cannot be empty".to_owned()));
        }
        if self.depth >= self.inputs.budget.depth() {
            return Err(Error::Limit(format!("kustomizations nested {} deep", self.depth)));
        }
        if let Some(repository) = Repository::parse(name) {
            self.refuse_repository_cycle(&repository)?;
            return self.cloned(repository, Some(Rc::clone(self)));
        }
        if name.starts_with('/') {
            return Err(Error::Load(format!("new root '{name}' cannot be absolute")));
        }
        let root = self
            .folder(&path::join(&self.root, name))
            .map_err(|error| error.within("must build at directory"))?;
        self.refuse_escape(&root)?;
        self.refuse_cycle(&root)?;
        Ok(self.child(root, self.restricted, None))
    }

    fn child(
        self: &Rc<Self>,
        root: String,
        restricted: bool,
        clone: Option<(Repository, String)>,
    ) -> Self {
        let referrer = Some(Rc::clone(self));
        Self { inputs: self.inputs, root, restricted, referrer, clone, depth: self.depth + 1 }
    }

    /// The content of a file, local or over HTTP.
    pub(crate) fn load(&self, name: &str) -> Result<Vec<u8>, Error> {
        if is_remote_file(name) {
            return self.fetch(name);
        }
        let full =
            if name.starts_with('/') { name.to_owned() } else { path::join(&self.root, name) };
        if !self.restricted {
            return self.inputs.read(&full);
        }
        let (real, entry) = self.clean_absolute(&full)?;
        if entry == Entry::Folder {
            return Err(Error::Load(format!("'{full}' must resolve to a file")));
        }
        if !path::is_within(path::parent(&real), &self.root) {
            return Err(Error::Load(format!(
                "security; file '{full}' is not in or below '{}'",
                self.root
            )));
        }
        self.inputs.read(&real)
    }

    /// As [`Self::load`], for what has to be a text.
    pub(crate) fn load_text(&self, name: &str) -> Result<String, Error> {
        String::from_utf8(self.load(name)?)
            .map_err(|_| Error::Syntax(format!("file '{name}' is not valid UTF-8")))
    }

    fn fetch(&self, url: &str) -> Result<Vec<u8>, Error> {
        match self.inputs.ask(Question::File(url.to_owned()))? {
            Answer::Text(content) => Ok(content.clone()),
            Answer::Status(..) if Repository::parse(url).is_some() => {
                Err(Error::Load("URL is a git repository".to_owned()))
            }
            Answer::Status(code, text) => {
                Err(Error::Remote(format!("HTTP Error: status code {code} ({text})")))
            }
            Answer::Failed(why) => Err(Error::Load(why.clone())),
            Answer::Checkout(_) => Err(Error::Load(format!("{url} is no repository"))),
        }
    }

    fn cloned(&self, repository: Repository, referrer: Option<Rc<Self>>) -> Result<Self, Error> {
        let question = Question::Repository {
            url: repository.clone.clone(),
            revision: repository.revision.clone(),
            submodules: repository.submodules,
            timeout: repository.timeout,
        };
        let clone = match self.inputs.ask(question)? {
            Answer::Checkout(folder) => folder.clone(),
            Answer::Failed(why) => return Err(Error::Load(why.clone())),
            Answer::Text(_) | Answer::Status(..) => {
                return Err(Error::Load(format!("{} is no file", repository.raw)));
            }
        };
        let (clone, _) = self.clean_absolute(&clone)?;
        let named = path::join(&clone, &repository.folder);
        let (root, entry) = self.clean_absolute(&named)?;
        if entry != Entry::Folder {
            return Err(Error::Load(format!(
                "'{named}' refers to file '{}'; expecting directory",
                path::base(&root)
            )));
        }
        if !path::is_within(&root, &clone) {
            return Err(Error::Load(format!(
                "{named:?} refers to directory outside of repo {clone:?}"
            )));
        }
        let depth = referrer.as_ref().map_or(0, |referrer| referrer.depth + 1);
        let clone = Some((repository, clone));
        Ok(Self { inputs: self.inputs, root, restricted: true, referrer, clone, depth })
    }

    fn clean_absolute(&self, full: &str) -> Result<(String, Entry), Error> {
        self.inputs
            .resolve(full)
            .map_err(|error| error.within(format!("evalsymlink failure on '{full}' ")))
    }

    fn folder(&self, full: &str) -> Result<String, Error> {
        let (real, entry) =
            self.clean_absolute(full).map_err(|error| error.within("not a valid directory"))?;
        if entry != Entry::Folder {
            return Err(Error::Load(format!("'{full}': file is not directory")));
        }
        Ok(real)
    }

    fn refuse_escape(&self, root: &str) -> Result<(), Error> {
        let mut at = Some(self);
        while let Some(loader) = at {
            if let Some((_, clone)) = &loader.clone {
                if path::is_within(root, clone) {
                    return Ok(());
                }
                return Err(Error::Load(format!(
                    "security; bases in kustomizations found in cloned git repos must be within the \
                     repo, but base '{root}' is outside '{clone}'"
                )));
            }
            at = loader.referrer.as_deref();
        }
        Ok(())
    }

    fn refuse_cycle(&self, candidate: &str) -> Result<(), Error> {
        let mut at = Some(self);
        while let Some(loader) = at {
            if path::is_within(&loader.root, candidate) {
                return Err(Error::Load(format!(
                    "cycle detected: candidate root '{candidate}' contains visited root '{}'",
                    loader.root
                )));
            }
            at = loader.referrer.as_deref();
        }
        Ok(())
    }

    fn refuse_repository_cycle(&self, new: &Repository) -> Result<(), Error> {
        let mut at = Some(self);
        while let Some(loader) = at {
            if let Some((old, _)) = &loader.clone
                && old.raw.starts_with(&new.raw)
            {
                return Err(Error::Load(format!(
                    "cycle detected: URI '{}' referenced by previous URI '{}'",
                    new.raw, old.raw
                )));
            }
            at = loader.referrer.as_deref();
        }
        Ok(())
    }
}

fn is_remote_file(name: &str) -> bool {
    name.split_once(':').is_some_and(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    })
}
