//! Names and values.

use std::collections::BTreeMap;
use std::fmt;

use crate::Error;

/// Variables by name. Values may come from Secrets, so they are not shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, Vec<u8>>);

impl Variables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable, over an earlier one. Line feeds in `value` are dropped, as upstream does so
    /// that no value can break out of its line.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        let mut value = value.into();
        value.retain(|&byte| byte != b'\n');
        self.0.insert(name.into(), value);
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Whether there are none, in which case Flux substitutes nothing, not even defaults.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Refuses names that are not `^[_[:alpha:]][_[:alpha:][:digit:]]*$` in ASCII. Flux checks all
    /// of them, also those that no text uses.
    ///
    /// # Errors
    /// [`Error::Name`] with the first such name.
    pub fn check_names(&self) -> Result<(), Error> {
        match self.names().find(|name| !is_legal(name)) {
            Some(name) => Err(Error::Name(name.to_owned())),
            None => Ok(()),
        }
    }
}

fn is_legal(name: &str) -> bool {
    let letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    let mut bytes = name.bytes();
    bytes.next().is_some_and(letter) && bytes.all(|byte| letter(byte) || byte.is_ascii_digit())
}

impl<N: Into<String>, V: Into<Vec<u8>>> Extend<(N, V)> for Variables {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, variables: I) {
        for (name, value) in variables {
            self.insert(name, value);
        }
    }
}

impl<N: Into<String>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut collected = Self::new();
        collected.extend(variables);
        collected
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
