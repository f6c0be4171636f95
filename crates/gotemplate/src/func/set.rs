//! Sets of functions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Function, sprig};
use crate::host::{Host, NoHost};

/// The functions a template may call besides Go's own, and the host they use.
///
/// A clone is cheap. A function of the set hides a function of Go with the same name.
#[derive(Clone)]
pub struct FuncSet {
    functions: Arc<BTreeMap<String, Function>>,
    host: Arc<dyn Host>,
}

impl FuncSet {
    /// No functions but Go's own.
    pub fn builtin() -> Self {
        Self { functions: Arc::default(), host: Arc::new(NoHost) }
    }

    /// Sprig's functions without those whose result depends on time, randomness, environment or
    /// network: the set of `sprig.HermeticTxtFuncMap`.
    ///
    /// As upstream, the set still has some functions that need a host (`genPrivateKey`, `shuffle`,
    /// `bcrypt` …); without one they fail when they are called.
    pub fn hermetic() -> Self {
        let mut functions = sprig::functions();
        functions.retain(|name, _| !sprig::NOT_HERMETIC.contains(&&name[..]));
        Self { functions: Arc::new(functions), host: Arc::new(NoHost) }
    }

    /// All functions of sprig: `sprig.TxtFuncMap`.
    pub fn text(host: Arc<dyn Host>) -> Self {
        Self { functions: Arc::new(sprig::functions()), host }
    }

    /// The set with another host.
    #[must_use]
    pub fn with_host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = host;
        self
    }

    /// The set with one more function, which replaces one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, function: Function) -> Self {
        Arc::make_mut(&mut self.functions).insert(name.to_owned(), function);
        self
    }

    /// The set without the function `name`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.functions).remove(name);
        self
    }

    /// The function `name`.
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// The names of all functions of the set, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }
}

impl fmt::Debug for FuncSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}
