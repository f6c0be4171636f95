//! Who asks.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use parking_lot::RwLock;

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

const KNOWN: &str = "system:authenticated";

impl User {
    /// The one who may do everything.
    pub(crate) fn administrator() -> Self {
        Self::new("system:admin", &["system:masters"])
    }

    /// A ServiceAccount.
    pub(crate) fn service_account(namespace: &str, name: &str) -> Self {
        let group = format!("system:serviceaccounts:{namespace}");
        let user = format!("system:serviceaccount:{namespace}:{name}");
        Self::new(&user, &["system:serviceaccounts", &group])
    }

    /// A user with groups, and that of all who are known.
    pub(crate) fn new(name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().chain(&[KNOWN]).map(|g| (*g).to_owned()).collect();
        Self { name: name.to_owned(), groups }
    }
}

/// Users by token. Tokens are kept hashed, so that looking one up tells nothing by its timing.
#[derive(Default)]
pub(crate) struct Logins {
    users: HashMap<[u8; 32], User>,
    issued: RwLock<HashMap<[u8; 32], (User, Timestamp)>>,
}

impl Logins {
    /// The users of `tokens`.
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        let users = tokens.into_iter().filter(|t| !t.token.is_empty()).map(|token| {
            let groups: Vec<_> = token.groups.iter().map(String::as_str).collect();
            (digest(&token.token), User::new(&token.user, &groups))
        });
        Self { users: users.collect(), issued: RwLock::default() }
    }

    /// The user of a token.
    pub(crate) fn find(&self, token: &str) -> Option<User> {
        let digest = digest(token);
        if let Some(user) = self.users.get(&digest) {
            return Some(user.clone());
        }
        let issued = self.issued.read();
        let (user, ends) = issued.get(&digest)?;
        (*ends > Timestamp::now()).then(|| user.clone())
    }

    /// A new token for `user` until `ends`. Those that have ended are forgotten.
    pub(crate) fn issue(&self, user: User, ends: Timestamp) -> String {
        let secret: [u8; 32] = rand::random();
        let token = URL_SAFE_NO_PAD.encode(secret);
        let mut issued = self.issued.write();
        let now = Timestamp::now();
        issued.retain(|_, (_, ends)| *ends > now);
        issued.insert(digest(&token), (user, ends));
        token
    }
}

fn digest(token: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(token.as_bytes()).into()
}
