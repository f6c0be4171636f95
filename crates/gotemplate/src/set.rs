//! Templates that know each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Error;
use crate::exec::{Context, Exec, MissingKey, Options};
use crate::func::{FuncSet, is_builtin};
use crate::limit::Budget;
use crate::parse::{Syntax, Tree, is_name, parse};
use crate::strconv::quote;
use crate::text::{Str, lossy};
use crate::value::Value;

/// A set of templates that can call each other by name, with their functions.
///
/// A clone is cheap and independent: what is parsed into it is not seen by the original.
#[derive(Debug, Clone)]
pub struct Set {
    name: String,
    functions: FuncSet,
    left: Arc<str>,
    right: Arc<str>,
    /// Templates that many sets share, and those that came since.
    frozen: Arc<BTreeMap<String, Arc<Tree>>>,
    trees: BTreeMap<String, Arc<Tree>>,
}

impl Set {
    /// A set without templates.
    pub fn new(functions: &FuncSet) -> Self {
        Self {
            name: String::new(),
            functions: functions.clone(),
            left: "{{".into(),
            right: "}}".into(),
            frozen: Arc::default(),
            trees: BTreeMap::new(),
        }
    }

    /// The set under a name of its own: Go names it in the error for a template that is not there.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The set with other delimiters for what is parsed from now on; an empty one is the default.
    #[must_use]
    pub fn delims(mut self, left: &str, right: &str) -> Self {
        self.left = if left.is_empty() { "{{" } else { left }.into();
        self.right = if right.is_empty() { "}}" } else { right }.into();
        self
    }

    /// Parses `text` as the template `name` and adds it and the templates it defines. They replace
    /// those of the same name, unless they are empty.
    ///
    /// # Errors
    /// [`Error::Parse`]; the set is then as before.
    pub fn parse(&mut self, name: &str, text: impl Into<Str>) -> Result<(), Error> {
        let is_function =
            |name: &str| is_name(name) && (self.functions.get(name).is_some() || is_builtin(name));
        let syntax = Syntax { left: &self.left, right: &self.right, is_function: &is_function };
        for tree in parse(name, text.into(), &syntax)? {
            if tree.empty && self.tree(&tree.name).is_some() {
                continue;
            }
            self.trees.insert(tree.name.clone(), Arc::new(tree));
        }
        Ok(())
    }

    /// Makes clones of the set cheap, however many templates it has: what is parsed so far is shared
    /// from now on.
    pub fn freeze(&mut self) {
        let mut all = (*self.frozen).clone();
        all.append(&mut self.trees);
        self.frozen = Arc::new(all);
    }

    /// Forgets the template `name`, if it came after the last [`Set::freeze`].
    pub fn remove(&mut self, name: &str) {
        self.trees.remove(name);
    }

    /// Executes the template `name` on `data` and returns its output; bytes that are not UTF-8
    /// become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such template, [`Error::Exec`] if an action fails,
    /// [`Error::Limit`] if it takes too much.
    pub fn execute(&self, name: &str, data: &Value, options: &Options) -> Result<String, Error> {
        self.execute_within(name, data, options.missing_key, &Budget::new(&options.limits))
    }

    /// As [`Set::execute`], but the limits are those of a budget that several executions share.
    ///
    /// # Errors
    /// Those of [`Set::execute`].
    pub fn execute_within(
        &self,
        name: &str,
        data: &Value,
        missing_key: MissingKey,
        budget: &Budget,
    ) -> Result<String, Error> {
        let context = Context { set: self, missing_key, budget };
        let output = Exec::run(&context, name, data)?;
        Ok(String::from_utf8(output).unwrap_or_else(|bad| lossy(bad.as_bytes()).into_owned()))
    }

    /// The names of the templates, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> =
            self.frozen.keys().chain(self.trees.keys()).map(String::as_str).collect();
        names.into_iter()
    }

    /// The functions of the set.
    pub fn functions(&self) -> &FuncSet {
        &self.functions
    }

    /// Replaces the functions; templates that are parsed already use the new ones as well.
    pub fn set_functions(&mut self, functions: FuncSet) {
        self.functions = functions;
    }

    pub(crate) fn tree(&self, name: &str) -> Option<&Tree> {
        self.trees.get(name).or_else(|| self.frozen.get(name)).map(|tree| &**tree)
    }

    /// Go's error for a template that is not there.
    pub(crate) fn missing(&self, name: &str) -> Error {
        Error::Missing(quote(name.as_bytes(), false), quote(self.name.as_bytes(), false))
    }
}

/// One template with those it was parsed with.
///
/// ```
/// use gotemplate::{FuncSet, Options, Template, Value};
///
/// let template = Template::parse("greeting", "Hello {{ .name | upper }}!", &FuncSet::hermetic())?;
/// let data = Value::map([("name", Value::from("sluice"))]);
/// assert_eq!(template.execute(&data, &Options::default())?, "Hello SLUICE!");
/// # Ok::<(), gotemplate::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    set: Set,
}

impl Template {
    /// Parses `text` as the template `name`.
    ///
    /// # Errors
    /// [`Error::Parse`].
    pub fn parse(name: &str, text: &str, functions: &FuncSet) -> Result<Self, Error> {
        let mut set = Set::new(functions).named(name);
        set.parse(name, text)?;
        Ok(Self { name: name.to_owned(), set })
    }

    /// Executes the template on `data`.
    ///
    /// # Errors
    /// Those of [`Set::execute`].
    pub fn execute(&self, data: &Value, options: &Options) -> Result<String, Error> {
        self.set.execute(&self.name, data, options)
    }

    /// The templates parsed with this one.
    pub fn set(&self) -> &Set {
        &self.set
    }
}
