//! What a user writes into `push.refspec`.

use crate::Error;

/// `[+]<source>:<destination>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refspec {
    /// Whether commits of the server may be left behind.
    pub force: bool,
    /// A full reference name of the clone; `None` deletes the destination.
    pub source: Option<String>,
    /// A full reference name on the server.
    pub destination: String,
}

impl Refspec {
    /// Parses a refspec without patterns (go-git `config.RefSpec`).
    ///
    /// # Errors
    /// The form is another, a name is not full, or it has a `*`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let separators = || Error::Config("malformed refspec, separators are wrong".to_owned());
        let (force, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let (source, destination) = rest.split_once(':').ok_or_else(separators)?;
        if destination.is_empty() || destination.contains(':') {
            return Err(separators());
        }
        if rest.contains('*') {
            let why = format!("the refspec '{text}' has a pattern; name one branch on each side");
            return Err(Error::Config(why));
        }
        for name in [source, destination] {
            let known = name.is_empty() || name == "HEAD" || name.starts_with("refs/");
            let valid = gix::validate::reference::name(name.into()).is_ok();
            if !known || (!name.is_empty() && !valid) {
                let why =
                    format!("the refspec '{text}' names '{name}', which is not a full reference");
                return Err(Error::Config(why));
            }
        }
        let source = (!source.is_empty()).then(|| source.to_owned());
        Ok(Self { force, source, destination: destination.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Refspec;

    #[test]
    fn forms() {
        let spec = Refspec::parse("+refs/heads/main:refs/heads/auto").unwrap();
        assert_eq!((spec.force, spec.source.as_deref()), (true, Some("refs/heads/main")));
        assert_eq!(spec.destination, "refs/heads/auto");
        assert_eq!(Refspec::parse(":refs/heads/x").unwrap().source, None);
        assert_eq!(Refspec::parse("HEAD:refs/for/main").unwrap().source.as_deref(), Some("HEAD"));
        let wrong = |text| Refspec::parse(text).unwrap_err().to_string();
        assert_eq!(wrong("refs/heads/main"), "malformed refspec, separators are wrong");
        assert!(wrong("main:refs/heads/x").contains("'main'"));
        assert!(wrong("refs/heads/*:refs/heads/*").contains("pattern"));
        assert!(wrong("refs/heads/a:refs/heads/..").contains("not a full reference"));
    }
}
