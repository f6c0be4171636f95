//! Who asks.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

/// A bearer token and the user it stands for.
#[derive(Clone)]
pub struct Token {
    /// The secret text.
    pub token: String,
    /// The user name.
    pub user: String,
    /// What tells the user from others who had the name before; may be empty.
    pub uid: String,
    /// The groups, without `system:authenticated`, which everybody who is known has.
    pub groups: Vec<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("token", &"<redacted>")
            .field("user", &self.user)
            .field("uid", &self.uid)
            .field("groups", &self.groups)
            .finish()
    }
}

/// Who makes a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

/// The group of all who are known.
pub(crate) const KNOWN: &str = "system:authenticated";
/// The group of all who are not.
pub(crate) const UNKNOWN: &str = "system:unauthenticated";
/// Who is not known.
pub(crate) const ANONYMOUS: &str = "system:anonymous";
/// The group that may do everything, whatever the roles say.
const PRIVILEGED: &str = "system:masters";

impl User {
    /// Somebody who does not say who it is.
    pub(crate) fn anonymous() -> Self {
        let groups = vec![UNKNOWN.to_owned()];
        Self { name: ANONYMOUS.to_owned(), groups, ..Self::default() }
    }

    /// Whether no roles are asked.
    pub(crate) fn is_privileged(&self) -> bool {
        self.groups.iter().any(|group| group == PRIVILEGED)
    }

    /// The one who may do everything.
    pub(crate) fn administrator() -> Self {
        Self::new("system:admin", &[PRIVILEGED])
    }

    /// A ServiceAccount.
    pub(crate) fn service_account(namespace: &str, name: &str) -> Self {
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let [all, own] = Self::service_account_groups(namespace);
        Self::new(&user, &[&all, &own])
    }

    /// The groups of all `ServiceAccounts` and of those in `namespace`.
    pub(crate) fn service_account_groups(namespace: &str) -> [String; 2] {
        ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
    }

    /// Namespace and name of the ServiceAccount that the user name stands for, if any.
    pub(crate) fn service_account_name(&self) -> Option<(&str, &str)> {
        let (namespace, name) =
            self.name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        let valid = |text: &str, dots: bool| {
            let inner = |c: char| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (dots && c == '.')
            };
            !text.is_empty() && text.chars().all(inner)
        };
        (valid(namespace, false) && valid(name, true)).then_some((namespace, name))
    }

    /// The user as reviews show it.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!({"username": self.name});
        if !self.uid.is_empty() {
            shown["uid"] = json!(self.uid);
        }
        if !self.groups.is_empty() {
            shown["groups"] = json!(self.groups);
        }
        if !self.extra.is_empty() {
            shown["extra"] = json!(self.extra);
        }
        shown
    }

    /// A user with groups, and that of all who are known.
    pub(crate) fn new(name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().chain(&[KNOWN]).map(|g| (*g).to_owned()).collect();
        Self { name: name.to_owned(), groups, ..Self::default() }
    }
}

/// Users by token. Tokens are kept hashed, so that looking one up tells nothing by its timing.
#[derive(Default)]
pub(crate) struct Logins {
    users: HashMap<[u8; 32], User>,
}

impl Logins {
    /// The users of `tokens`.
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        let users = tokens.into_iter().filter(|t| !t.token.is_empty()).map(|token| {
            let groups: Vec<_> = token.groups.iter().map(String::as_str).collect();
            (digest(&token.token), User { uid: token.uid, ..User::new(&token.user, &groups) })
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
