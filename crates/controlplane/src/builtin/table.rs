//! The table of built-in types, read from `types.txt` on first use.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, OnceLock};

use crate::fields::shape::{FieldShape, ListShape, MapShape, Ref, Scalar, Shape, Strategy, text};
use crate::schema::node::ListKind;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("types.txt")));

/// The table.
pub(super) fn get() -> &'static Table {
    &TABLE
}

/// All built-in types.
pub(super) struct Table {
    kinds: HashMap<(String, String, String), usize>,
    names: HashMap<&'static str, usize>,
    definitions: Vec<Definition>,
}

/// One type; its shape is made when it is first asked for.
struct Definition {
    name: &'static str,
    /// The lines of its fields, or the type it stands for.
    lines: Vec<&'static str>,
    alias: Option<&'static str>,
    atomic: bool,
    shape: OnceLock<Arc<Shape>>,
    as_one: OnceLock<Arc<Shape>>,
}

impl Table {
    fn read(source: &'static str) -> Self {
        let mut table =
            Self { kinds: HashMap::new(), names: HashMap::new(), definitions: Vec::new() };
        let mut kinds = Vec::new();
        for line in source.lines() {
            if let Some(kind) = line.strip_prefix('#') {
                kinds.push(kind);
            } else if let Some(header) = line.strip_prefix('@') {
                table.start(header);
            } else if let Some(definition) = table.definitions.last_mut() {
                definition.lines.push(line.trim_start());
            }
        }
        for line in kinds {
            let mut words = line.split([' ', '/']);
            let mut next = || words.next().unwrap_or_default().to_owned();
            let key = (next(), next(), next());
            let index = table.names[next().as_str()];
            table.kinds.insert(key, index);
        }
        table
    }

    fn start(&mut self, header: &'static str) {
        let (name, alias) = match header.split_once(" = ") {
            Some((name, alias)) => (name, Some(alias)),
            None => (header, None),
        };
        let (name, atomic) = match name.strip_suffix(" atomic") {
            Some(name) => (name, true),
            None => (name, false),
        };
        self.names.insert(name, self.definitions.len());
        self.definitions.push(Definition {
            name,
            lines: Vec::new(),
            alias,
            atomic,
            shape: OnceLock::new(),
            as_one: OnceLock::new(),
        });
    }

    pub(super) fn kind(&self, group: &str, version: &str, kind: &str) -> Option<usize> {
        self.kinds.get(&(group.to_owned(), version.to_owned(), kind.to_owned())).copied()
    }

    pub(super) fn metadata(&self) -> usize {
        self.names["meta.v1.ObjectMeta"]
    }

    pub(super) fn shape(&self, index: usize, atomic: bool) -> Arc<Shape> {
        let definition = &self.definitions[index];
        let shape = definition.shape.get_or_init(|| Arc::new(self.make(definition)));
        if !atomic {
            return shape.clone();
        }
        let as_one = definition.as_one.get_or_init(|| {
            let mut shape = Shape::clone(shape);
            if let Some(map) = &mut shape.map {
                map.atomic = true;
            }
            Arc::new(shape)
        });
        as_one.clone()
    }

    fn make(&self, definition: &Definition) -> Shape {
        match (definition.name, definition.alias) {
            ("api.resource.Quantity", _) => scalar(Scalar::Any),
            ("runtime.RawExtension", _) => Shape::clone(&Ref::Untyped.resolve()),
            (_, Some(alias)) => Shape::clone(&self.typed(alias, &[]).resolve()),
            (_, None) => Shape {
                map: Some(MapShape {
                    fields: definition.lines.iter().map(|line| self.field(line)).collect(),
                    others: None,
                    atomic: definition.atomic,
                }),
                ..Shape::default()
            },
        }
    }

    fn field(&self, line: &str) -> (String, FieldShape) {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let kind = words.next().unwrap_or_default();
        let options: Vec<&str> = words.collect();
        let option = |prefix: &str| options.iter().find_map(|o| o.strip_prefix(prefix));
        let field = FieldShape {
            shape: self.typed(kind, &options),
            default: option("default=").and_then(|json| serde_json::from_str(json).ok()),
            strategy: Strategy {
                merge: options.contains(&"merge") || option("merge=").is_some(),
                key: option("merge=").map(ToOwned::to_owned),
                retain_keys: options.contains(&"retain"),
            },
        };
        (name.trim_end_matches('!').to_owned(), field)
    }

    fn typed(&self, kind: &str, options: &[&str]) -> Ref {
        let atomic = options.contains(&"atomic");
        if let Some(element) = kind.strip_prefix("[]") {
            let list = ListShape { element: self.typed(element, &[]), kind: list_kind(options) };
            return Ref::inline(Shape { list: Some(list), ..Shape::default() });
        }
        if let Some(values) = kind.strip_prefix("{}") {
            let others = Some(self.typed(values, &[]));
            let map = MapShape { fields: BTreeMap::new(), others, atomic };
            return Ref::inline(Shape { map: Some(map), ..Shape::default() });
        }
        if let Some(name) = kind.strip_prefix('&') {
            let index = self.names[name];
            return if atomic { Ref::NamedAtomic(index) } else { Ref::Named(index) };
        }
        match kind {
            "s" | "s:byte" => text(Scalar::Text),
            "b" => text(Scalar::Boolean),
            "o" => {
                let map = MapShape { fields: BTreeMap::new(), others: Some(Ref::Deduced), atomic };
                Ref::inline(Shape { map: Some(map), ..Shape::default() })
            }
            _ if kind.starts_with(['i', 'n']) => text(Scalar::Numeric),
            _ if kind.starts_with('s') => text(Scalar::Any),
            _ => Ref::Deduced,
        }
    }

    /// The names of required fields of a type; those of unknown types are none.
    pub(super) fn required(&self, index: usize) -> impl Iterator<Item = &'static str> {
        let lines = self.definitions[index].lines.iter();
        lines.filter_map(|line| line.split(' ').next()?.strip_suffix('!'))
    }

    /// The type word of a field, such as `i:int32`.
    pub(super) fn word(&self, index: usize, field: &str) -> Option<&'static str> {
        self.definitions[index].lines.iter().find_map(|line| {
            let mut words = line.split(' ');
            (words.next()?.trim_end_matches('!') == field).then(|| words.next())?
        })
    }

    /// The name of a type, such as `core.v1.Pod`.
    pub(super) fn name(&self, index: usize) -> &'static str {
        self.definitions[index].name
    }

    /// The name of a type as Kubernetes' Go code has it, such as `Deployment`.
    pub(super) fn go_name(&self, index: usize) -> &'static str {
        self.definitions[index].name.rsplit('.').next().unwrap_or_default()
    }

    /// The index of the type a word such as `&core.v1.PodSpec` refers to.
    pub(super) fn referred(&self, word: &str) -> Option<usize> {
        self.names.get(word.strip_prefix('&')?).copied()
    }

    /// What a type that is no struct stands for.
    pub(super) fn alias(&self, index: usize) -> Option<&'static str> {
        self.definitions[index].alias
    }

    /// Resolves everything.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for index in 0..self.definitions.len() {
            let shape = self.shape(index, false);
            assert!(shape.map.is_some() || shape.scalar.is_some(), "{}", self.go_name(index));
        }
        assert!(self.kinds.len() > 60);
    }
}

fn scalar(scalar: Scalar) -> Shape {
    Shape { scalar: Some(scalar), ..Shape::default() }
}

fn list_kind(options: &[&str]) -> ListKind {
    let keys = options.iter().find_map(|o| o.strip_prefix("map="));
    let merge_key = options.iter().find_map(|o| o.strip_prefix("merge="));
    let names = |list: &str| list.split(',').map(ToOwned::to_owned).collect();
    match (keys, merge_key) {
        (Some(keys), _) => ListKind::Map(names(keys)),
        _ if options.contains(&"set") => ListKind::Set,
        _ if options.contains(&"atomic") => ListKind::Atomic,
        // Types that say only how to patch them mean the same for ownership.
        (None, Some(key)) => ListKind::Map(names(key)),
        _ if options.contains(&"merge") => ListKind::Set,
        _ => ListKind::Atomic,
    }
}
