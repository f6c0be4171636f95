//! Whole trees: every value once, in order, with its path and the comments above it.

use sha2::{Digest as _, Sha512};

use crate::tree::{Branches, Item, Value};
use crate::{DataKey, Rule, cipher};

/// What the hash starts with if it covers encrypted values only, so that it differs then.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Makes one value of another; gets the path as context.
type Convert<'a> = dyn FnMut(&Value, &str) -> Result<Value, String> + 'a;

/// Decrypts all values in place. The result is their hash, which tells whether they are those that
/// were encrypted.
pub(crate) fn decrypt(
    branches: &mut Branches,
    key: &DataKey,
    (rule, only_encrypted): (&Rule, bool),
) -> Result<String, String> {
    let mut convert = |value: &Value, context: &str| match value {
        // Comments of old versions are not encrypted.
        Value::Comment(text) => {
            Ok(cipher::decrypt(text, key, context).unwrap_or_else(|_| value.clone()))
        }
        Value::Text(text) => {
            let text = std::str::from_utf8(text).unwrap_or("?");
            cipher::decrypt(text, key, context)
                .map_err(|why| format!("Could not decrypt value: {why}"))
        }
        _ => Err("Could not decrypt value: it is no text".to_owned()),
    };
    let mut walk = Walk::new(rule, only_encrypted, false, &mut convert);
    walk.branches(branches).map_err(|why| format!("Error walking tree: {why}"))?;
    Ok(walk.digest())
}

/// Encrypts all values in place. The result is their hash.
pub(crate) fn encrypt(
    branches: &mut Branches,
    key: &DataKey,
    (rule, only_encrypted): (&Rule, bool),
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<String, String> {
    let mut convert = |value: &Value, context: &str| {
        let mut nonce = [0; cipher::NONCE];
        random(&mut nonce);
        let text = cipher::encrypt(value, key, context, &nonce)?;
        Ok(match value {
            Value::Comment(_) => Value::Comment(text),
            _ => Value::text(text),
        })
    };
    let mut walk = Walk::new(rule, only_encrypted, true, &mut convert);
    walk.branches(branches)?;
    Ok(walk.digest())
}

struct Walk<'a> {
    rule: &'a Rule,
    only_encrypted: bool,
    /// Whether the hash is of the values before they are converted.
    hash_before: bool,
    hash: Sha512,
    convert: &'a mut Convert<'a>,
    path: Vec<String>,
    /// The comments above, by level.
    comments: Vec<Vec<String>>,
}

impl<'a> Walk<'a> {
    fn new(
        rule: &'a Rule,
        only_encrypted: bool,
        hash_before: bool,
        convert: &'a mut Convert<'a>,
    ) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        let (path, comments) = (Vec::new(), Vec::new());
        Self { rule, only_encrypted, hash_before, hash, convert, path, comments }
    }

    fn digest(self) -> String {
        let digits = self.hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect::<String>()
            .to_uppercase()
    }

    fn branches(&mut self, branches: &mut Branches) -> Result<(), String> {
        branches.iter_mut().try_for_each(|branch| self.branch(branch))
    }

    /// Depth is bounded when a document is read.
    fn branch(&mut self, branch: &mut [Item]) -> Result<(), String> {
        self.comments.push(Vec::new());
        for item in branch {
            match item {
                Item::Comment(text) => *text = self.comment(text)?,
                Item::Named(name, value) => {
                    self.path.push(name.clone());
                    self.value(value)?;
                    self.path.pop();
                    self.forget();
                }
            }
        }
        self.comments.pop();
        Ok(())
    }

    fn list(&mut self, items: &mut [Value]) -> Result<(), String> {
        self.comments.push(Vec::new());
        for item in items {
            if let Value::Comment(text) = item {
                *text = self.comment(text)?;
            } else {
                self.value(item)?;
                self.forget();
            }
        }
        self.comments.pop();
        Ok(())
    }

    fn forget(&mut self) {
        if let Some(level) = self.comments.last_mut() {
            level.clear();
        }
    }

    fn comment(&mut self, text: &str) -> Result<String, String> {
        if let Some(level) = self.comments.last_mut() {
            level.push(text.to_owned());
        }
        match self.leaf(&Value::Comment(text.to_owned()))? {
            Value::Comment(text) => Ok(text),
            other => String::from_utf8(other.bytes()).map_err(|_| "a broken comment".to_owned()),
        }
    }

    fn value(&mut self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::Null => Ok(()),
            Value::List(items) => self.list(items),
            Value::Branch(branch) => self.branch(branch),
            leaf => {
                *leaf = self.leaf(leaf)?;
                Ok(())
            }
        }
    }

    fn leaf(&mut self, value: &Value) -> Result<Value, String> {
        let is_comment = matches!(value, Value::Comment(_));
        let encrypted = self.rule.encrypts(&self.path, &self.comments, is_comment);
        let converted = if encrypted {
            let context = self.path.iter().fold(String::new(), |path, name| path + name + ":");
            let context = if context.is_empty() { ":".to_owned() } else { context };
            (self.convert)(value, &context)?
        } else {
            value.clone()
        };
        let hashed = if self.hash_before { value } else { &converted };
        if (encrypted || !self.only_encrypted) && !matches!(hashed, Value::Comment(_)) {
            self.hash.update(hashed.bytes());
        }
        Ok(converted)
    }
}
