//! What is known of the fields of Kubernetes' own kinds.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Field, Fields};

/// Made from the API description that Kubernetes 1.34 publishes of itself: the fields of types that
/// are not just replaced, and those that lead to such.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("fields.txt")));

#[derive(Default)]
struct Table {
    /// Types by version and kind.
    kinds: HashMap<(&'static str, &'static str), &'static str>,
    types: HashMap<&'static str, HashMap<&'static str, Line>>,
}

/// A field, and the type it leads to.
#[derive(Default)]
struct Line {
    field: Field,
    of: Option<&'static str>,
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self::default();
        let mut current = "";
        for line in text.lines() {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default();
            if let Some(version) = first.strip_prefix('#') {
                if let (Some(kind), Some(name)) = (words.next(), words.next()) {
                    table.kinds.insert((version, kind), name);
                }
            } else if let Some(name) = first.strip_prefix('@') {
                current = name;
            } else {
                let fields = table.types.entry(current).or_default();
                fields.insert(first, Line::read(words));
            }
        }
        table
    }
}

impl Line {
    fn read(words: std::str::Split<'static, char>) -> Self {
        let mut line = Self::default();
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("merge", key) => {
                    line.field.merge = true;
                    line.field.merge_key = Some(key.to_owned()).filter(|key| !key.is_empty());
                }
                ("retain", _) => line.field.retain_keys = true,
                (name, _) => line.of = name.strip_prefix('&'),
            }
        }
        line
    }
}

/// The fields of a built-in kind, by what Kubernetes' types say.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn(&'static str);

impl BuiltIn {
    /// The fields of a kind; nothing for kinds that are not built in, whose patches are plain merges.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        TABLE.kinds.get(&(api_version, kind)).map(|name| Self(name))
    }
}

impl Fields for BuiltIn {
    fn field(&self, path: &[&str]) -> Field {
        let line = |of: &str, name: &str| TABLE.types.get(of)?.get(name);
        let Some((last, steps)) = path.split_last() else { return Field::default() };
        let home = steps.iter().try_fold(self.0, |of, step| line(of, step)?.of);
        home.and_then(|home| line(home, last)).map(|it| it.field.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_path() {
        let deployment = BuiltIn::of("apps/v1", "Deployment").unwrap();
        let field = |path: &[&str]| deployment.field(path);
        let key = |path: &[&str]| field(path).merge_key;
        assert_eq!(key(&["spec", "template", "spec", "containers"]).as_deref(), Some("name"));
        let ports = ["spec", "template", "spec", "containers", "ports"];
        assert_eq!(key(&ports).as_deref(), Some("containerPort"));
        assert!(field(&["spec", "strategy"]).retain_keys);
        assert!(field(&["metadata", "finalizers"]).merge);
        assert_eq!(field(&["spec", "nope", "deeper"]), Field::default());
        let volumes = field(&["spec", "template", "spec", "volumes"]);
        assert!(volumes.merge && volumes.retain_keys);
        assert!(BuiltIn::of("v1", "ConfigMap").is_some());
        assert!(BuiltIn::of("example.com/v1", "Widget").is_none());
    }
}
