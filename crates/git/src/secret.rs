//! The keys of a Git Secret, read as fluxcd/pkg/git reads them.

use std::{collections::BTreeMap, time::Duration};

use http_client::{
    Options, Proxy,
    secret::{Secret, tls_if_any},
};

use crate::{
    Error,
    remote::{Address, Auth, Remote, Scheme, SshAuth},
};

/// How long one operation takes at most if nobody says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The user of an SSH address that names none.
const SSH_USER: &str = "git";

type Data = BTreeMap<String, Vec<u8>>;

impl Remote {
    /// The repository at `url` with the credentials of a Flux Secret: `username` and `password`,
    /// `bearerToken`, `identity` (with `password`) and `known_hosts`, `ca.crt` or `caFile`,
    /// `tls.crt` and `tls.key`. User and password in the address fill in for missing ones.
    ///
    /// `identity.pub` is not looked at, and a bearer token wins over user and password of the same
    /// Secret (fluxcd/pkg/git `NewAuthOptions`).
    ///
    /// # Errors
    /// The address is malformed, a needed key is missing or two ways to log in are given.
    pub fn from_secret(url: &str, secret: Option<Secret<'_>>) -> Result<Self, Error> {
        let (address, user, password) = Address::parse(url)?;
        let empty = Data::new();
        let secret = secret.unwrap_or(Secret { name: "", data: &empty });
        let data = secret.data;
        let (auth, scheme) = match address.scheme() {
            Scheme::Ssh => (ssh(data, user)?, None),
            Scheme::Http => (http(data, user, password, "http")?, Some(secret)),
            Scheme::Https => (http(data, user, password, "https")?, Some(secret)),
        };
        let tls = match scheme {
            Some(secret) => tls_if_any(secret).map_err(|why| Error::Config(why.to_string()))?,
            None => None,
        };
        let http = Options::of(tls, Proxy::default());
        Ok(Self { address, auth, http, timeout: TIMEOUT, identity: None })
    }
}

fn http(
    data: &Data,
    user: Option<String>,
    password: Option<String>,
    scheme: &str,
) -> Result<Auth, Error> {
    let bearer = data.get("bearerToken").map(|token| text(token));
    let own = |key: &str| {
        let value = data.get(key).filter(|_| bearer.is_none());
        value.map(|value| text(value)).filter(|value| !value.is_empty())
    };
    let username = own("username").or(user).unwrap_or_default();
    let password = own("password").or(password).unwrap_or_default();
    if username.is_empty() && !password.is_empty() {
        let why =
            format!("invalid '{scheme}' auth option: 'password' requires 'username' to be set");
        return Err(Error::Config(why));
    }
    match bearer.filter(|token| !token.is_empty()) {
        Some(_) if !username.is_empty() => Err(Error::Config(
            "basic auth and bearer token cannot be set at the same time".to_owned(),
        )),
        Some(token) => Ok(Auth::Bearer(token)),
        None if username.is_empty() => Ok(Auth::None),
        None => Ok(Auth::Basic { username, password }),
    }
}

fn ssh(data: &Data, user: Option<String>) -> Result<Auth, Error> {
    let needed = |key: &str| {
        let why = || Error::Config(format!("invalid 'ssh' auth option: '{key}' is required"));
        data.get(key).filter(|value| !value.is_empty()).cloned().ok_or_else(why)
    };
    Ok(Auth::Ssh(SshAuth {
        user: user.unwrap_or_else(|| SSH_USER.to_owned()),
        identity: needed("identity")?,
        known_hosts: needed("known_hosts")?,
        passphrase: data.get("password").map(|value| text(value)).filter(|it| !it.is_empty()),
    }))
}

/// A value as text; a newline at the end is what `echo` leaves behind and never part of a secret.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches(['\r', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Auth, Data, Remote, Secret};

    fn read(url: &str, pairs: &[(&str, &str)]) -> Result<Remote, String> {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
        let secret = Secret { name: "ns/s", data: &pairs.collect::<Data>() };
        Remote::from_secret(url, Some(secret)).map_err(|why| why.to_string())
    }

    #[test]
    fn http_credentials() {
        let basic = |username: &str, password: &str| Auth::Basic {
            username: username.into(),
            password: password.into(),
        };
        let both = [("username", "u"), ("password", "p")];
        assert_eq!(read("https://h/r", &both).unwrap().auth, basic("u", "p"));
        assert_eq!(read("https://a:b%40c@h/r", &[]).unwrap().auth, basic("a", "b@c"));
        assert_eq!(read("https://a:b@h/r", &both).unwrap().auth, basic("u", "p"));
        assert_eq!(read("https://h/r", &[]).unwrap().auth, Auth::None);
        let bearer = [("bearerToken", "t\n"), ("username", "u"), ("password", "p")];
        assert_eq!(read("https://h/r", &bearer).unwrap().auth, Auth::Bearer("t".into()));
        assert_eq!(
            read("https://a@h/r", &bearer).unwrap_err(),
            "basic auth and bearer token cannot be set at the same time"
        );
        assert_eq!(
            read("http://h/r", &[("password", "p")]).unwrap_err(),
            "invalid 'http' auth option: 'password' requires 'username' to be set"
        );
        assert!(read("https://h/r", &[("tls.crt", "x")]).unwrap_err().contains("tls.key"));
        assert_eq!(read("ftp://h/r", &[]).unwrap_err(), "unknown transport 'ftp'");
    }

    #[test]
    fn ssh_credentials() {
        let missing = |key: &str| format!("invalid 'ssh' auth option: '{key}' is required");
        assert_eq!(read("ssh://h/r", &[]).unwrap_err(), missing("identity"));
        let identity = ("identity", "key");
        assert_eq!(read("ssh://h/r", &[identity]).unwrap_err(), missing("known_hosts"));
        let remote = read("ssh://me@h/r", &[identity, ("known_hosts", "h k")]).unwrap();
        let Auth::Ssh(auth) = &remote.auth else { panic!("{remote:?}") };
        assert_eq!((auth.user.as_str(), auth.passphrase.as_deref()), ("me", None));
        let remote = read("ssh://h/r", &[identity, ("known_hosts", "h k")]).unwrap();
        let Auth::Ssh(auth) = &remote.auth else { panic!("{remote:?}") };
        assert_eq!(auth.user, "git");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let remote = read("https://user:hidden@h/r", &[]).unwrap();
        assert!(!format!("{remote:?}").contains("hidden"));
        assert_eq!(remote.address.to_string(), "https://h/r");
        let wrong = Remote::anonymous("https://user:hidden@:x/").unwrap_err();
        assert!(!wrong.to_string().contains("hidden"));
    }
}
