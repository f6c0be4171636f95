//! Who asks.

use std::collections::HashMap;

/// A bearer token and the user it stands for.
#[derive(Clone)]
pub struct Token {
    /// The secret text.
    pub token: String,
    /// The user name.
    pub user: String,
    /// The groups, without `system:authenticated`, which everybody who is known has.
    pub groups: Vec<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("token", &"<redacted>")
            .field("user", &self.user)
            .field("groups", &self.groups)
            .finish()
    }
}

/// A known user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

impl User {
    /// The one who may do everything.
    pub(crate) fn administrator() -> Self {
        Self {
            name: "system:admin".to_owned(),
            groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        }
    }
}

/// Users by token. Tokens are kept hashed, so that looking one up tells nothing by its timing.
#[derive(Default)]
pub(crate) struct Logins {
    users: HashMap<[u8; 32], User>,
}

impl Logins {
    /// The users of `tokens`.
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let users = tokens.iter().filter(|t| !t.token.is_empty()).map(|token| {
            let mut groups = token.groups.clone();
            groups.push("system:authenticated".to_owned());
            (digest(&token.token), User { name: token.user.clone(), groups })
        });
        Self { users: users.collect() }
    }

    /// The user of a token.
    pub(crate) fn find(&self, token: &str) -> Option<User> {
        self.users.get(&digest(token)).cloned()
    }
}

fn digest(token: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(token.as_bytes()).into()
}
