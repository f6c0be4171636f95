//! Trees to values, as sigs.k8s.io/yaml v1.6.0 does it with go-yaml v2.

mod key;
mod scalar;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::node::{Content, Node};
use crate::value::Value;
use crate::{Error, MAX_DEPTH};
use key::{Any, Key};

/// Bytes of scalars that may be copied because of aliases. go-yaml shares such texts in memory.
const MAX_ALIAS_BYTES: usize = 16 << 20;

/// The tag `!!merge`.
const MERGE_TAG: &str = "tag:yaml.org,2002:merge";

/// Turns a document into a value. `strict`: a name given twice is an error.
pub(crate) fn decode(root: &Node, strict: bool) -> Result<Value, Error> {
    let mut targets = Targets::default();
    targets.collect(root);
    let mut decoder = Decoder { targets, strict, ..Decoder::default() };
    // go-yaml counts the document, too.
    decoder.count(root)?;
    let any = decoder.any(root)?;
    if !decoder.duplicates.is_empty() {
        return Err(Error::Unmarshal(decoder.duplicates));
    }
    any.into_value()
}

/// What each alias of a document stands for.
#[derive(Default)]
struct Targets<'n> {
    /// The last node of each name so far.
    names: HashMap<&'n str, &'n Node>,
    /// By the address of the alias node.
    of_alias: HashMap<*const Node, &'n Node>,
}

impl<'n> Targets<'n> {
    fn collect(&mut self, node: &'n Node) {
        if let Some(name) = &node.anchor {
            self.names.insert(name, node);
        }
        match &node.content {
            Content::Scalar { .. } => {}
            Content::Sequence { items, .. } => items.iter().for_each(|item| self.collect(item)),
            Content::Mapping { pairs, .. } => pairs.iter().for_each(|(key, value)| {
                self.collect(key);
                self.collect(value);
            }),
            Content::Alias(name) => {
                if let Some(target) = self.names.get(name.as_str()) {
                    self.of_alias.insert(std::ptr::from_ref(node), target);
                }
            }
        }
    }
}

#[derive(Default)]
struct Decoder<'n> {
    targets: Targets<'n>,
    strict: bool,
    duplicates: Vec<String>,
    /// Aliases being followed, by address: one that is met again contains itself.
    following: HashSet<*const Node>,
    depth: usize,
    steps: usize,
    alias_steps: usize,
    alias_bytes: usize,
}

type Entries = IndexMap<Key, Any>;

impl<'n> Decoder<'n> {
    fn any(&mut self, node: &'n Node) -> Result<Any, Error> {
        self.count(node)?;
        match &node.content {
            Content::Scalar { value, .. } => scalar::decode(node, value),
            Content::Sequence { items, .. } => {
                let mut decoded = Vec::with_capacity(items.len());
                self.deeper()?;
                for item in items {
                    decoded.push(self.any(item)?);
                }
                self.depth -= 1;
                Ok(Any::Sequence(decoded))
            }
            Content::Mapping { pairs, .. } => {
                let mut entries = Entries::new();
                self.mapping(pairs, &mut entries)?;
                Ok(Any::Mapping(entries))
            }
            Content::Alias(name) => {
                let target = self.follow(node, name)?;
                let any = self.any(target)?;
                self.following.remove(&std::ptr::from_ref(node));
                Ok(any)
            }
        }
    }

    /// One step of work. Fails when too many of them come from aliases: up to 99 % may in small
    /// documents, 10 % in large ones.
    fn count(&mut self, node: &Node) -> Result<(), Error> {
        self.steps += 1;
        if !self.following.is_empty() {
            self.alias_steps += 1;
            if let Content::Scalar { value, .. } = &node.content {
                self.alias_bytes += value.len();
            }
        }
        let too_many = self.alias_steps > 100
            && self.steps > 1000
            && ratio(self.alias_steps, self.steps) > allowed_ratio(self.steps);
        if too_many || self.alias_bytes > MAX_ALIAS_BYTES {
            return Err(Error::Decode("document contains excessive aliasing".to_owned()));
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::Decode(format!("exceeded max depth of {MAX_DEPTH}")));
        }
        Ok(())
    }

    /// The node an alias stands for; the caller tells when it is done with it.
    fn follow(&mut self, alias: &'n Node, name: &str) -> Result<&'n Node, Error> {
        let address = std::ptr::from_ref(alias);
        let Some(target) = self.targets.of_alias.get(&address).copied() else {
            return Err(Error::Decode(format!("unknown anchor '{name}' referenced")));
        };
        if !self.following.insert(address) {
            return Err(Error::Decode(format!("anchor '{name}' value contains itself")));
        }
        Ok(target)
    }

    fn mapping(&mut self, pairs: &'n [(Node, Node)], into: &mut Entries) -> Result<(), Error> {
        self.deeper()?;
        for (key, value) in pairs {
            if is_merge(key) {
                self.merge(value, into)?;
                continue;
            }
            let key = Key::new(self.any(key)?)?;
            let any = self.any(value)?;
            if self.strict && into.contains_key(&key) {
                let line = value.line;
                let name = match key {
                    Key::Null => "<nil>".to_owned(),
                    key => key.to_string(),
                };
                self.duplicates.push(format!("line {line}: key {name} already set in map"));
            } else {
                into.insert(key, any);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Copies the entries of one or several mappings. As in go-yaml, they replace what stands
    /// before the `<<`; of several mappings, the first one wins.
    fn merge(&mut self, node: &'n Node, into: &mut Entries) -> Result<(), Error> {
        match &node.content {
            Content::Sequence { items, .. } => {
                for item in items.iter().rev() {
                    self.merge_one(item, into)?;
                }
                Ok(())
            }
            _ => self.merge_one(node, into),
        }
    }

    fn merge_one(&mut self, node: &'n Node, into: &mut Entries) -> Result<(), Error> {
        match &node.content {
            Content::Mapping { pairs, .. } => {
                self.count(node)?;
                self.mapping(pairs, into)
            }
            Content::Alias(name) => {
                self.count(node)?;
                let target = self.follow(node, name)?;
                if !matches!(target.content, Content::Mapping { .. }) {
                    return Err(not_mergeable());
                }
                self.merge_one(target, into)?;
                self.following.remove(&std::ptr::from_ref(node));
                Ok(())
            }
            Content::Scalar { .. } | Content::Sequence { .. } => Err(not_mergeable()),
        }
    }
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.content, Content::Scalar { value, .. } if value == "<<")
        && (key.is_implicit() || key.tag.as_deref() == Some(MERGE_TAG))
}

fn not_mergeable() -> Error {
    Error::Decode("map merge requires map or sequence of maps as the value".to_owned())
}

/// Steps up to which the share of aliases may be highest, and from which on lowest.
const RATIO_RANGE: (usize, usize) = (400_000, 4_000_000);

fn allowed_ratio(steps: usize) -> f64 {
    let (low, high) = RATIO_RANGE;
    match steps {
        _ if steps <= low => 0.99,
        _ if steps >= high => 0.10,
        _ => 0.99 - 0.89 * ratio(steps - low, high - low),
    }
}

#[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
