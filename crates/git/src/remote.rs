//! Where a repository is and how to get in.

use std::{fmt, sync::Arc, time::Duration};

use url::Url;

use crate::Error;

/// The way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
    /// SSH.
    Ssh,
}

/// The address of a repository, free of credentials.
///
/// User and password in a URL are taken out when it is parsed, so the address may be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    url: Url,
}

impl Address {
    /// Parses `http://`, `https://` and `ssh://` addresses; returns it with the user and password
    /// that were part of it.
    ///
    /// # Errors
    /// The text is no URL, has another scheme or no host.
    pub fn parse(text: &str) -> Result<(Self, Option<String>, Option<String>), Error> {
        let wrong = |why: &str| Error::Address(why.to_owned());
        // The text itself may hold a password, so it is not repeated.
        let mut url = Url::parse(text).map_err(|why| wrong(&why.to_string()))?;
        if !matches!(url.scheme(), "http" | "https" | "ssh") {
            return Err(Error::Config(format!("unknown transport '{}'", url.scheme())));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("no host"));
        }
        let decode = |part: &str| percent_decode(part);
        let user = (!url.username().is_empty()).then(|| decode(url.username()));
        let password = url.password().map(decode);
        let cleared = url
            .set_password(None)
            .and_then(|()| if url.scheme() == "ssh" { Ok(()) } else { url.set_username("") });
        cleared.map_err(|()| wrong("the user cannot be taken out"))?;
        url.set_fragment(None);
        Ok((Self { url }, user, password))
    }

    /// The way to the server.
    pub fn scheme(&self) -> Scheme {
        match self.url.scheme() {
            "https" => Scheme::Https,
            "ssh" => Scheme::Ssh,
            _ => Scheme::Http,
        }
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port, given or usual.
    pub fn port(&self) -> u16 {
        let usual = match self.scheme() {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Ssh => 22,
        };
        self.url.port().unwrap_or(usual)
    }

    /// The path on the server, decoded.
    pub(crate) fn path(&self) -> String {
        percent_decode(self.url.path())
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The form that is equal for addresses of one repository: host in lower case, no slash or
    /// `.git` at the end.
    pub(crate) fn normal(&self) -> String {
        let text = self.url.as_str().trim_end_matches('/');
        text.strip_suffix(".git").unwrap_or(text).to_owned()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What proves to the server who we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// HTTP Basic.
    Basic {
        /// The user, `x-access-token` for tokens of a GitHub App.
        username: String,
        /// The password or token.
        password: String,
    },
    /// An HTTP bearer token.
    Bearer(String),
    /// An SSH key.
    Ssh(SshAuth),
}

/// An SSH key and what is known of the host.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SshAuth {
    /// The user to log in as.
    pub user: String,
    /// The private key, PEM.
    pub identity: Vec<u8>,
    /// What unlocks the private key.
    pub passphrase: Option<String>,
    /// The text of a `known_hosts` file.
    pub known_hosts: Vec<u8>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(redacted)",
            Self::Bearer(_) => "Bearer(redacted)",
            Self::Ssh(_) => "Ssh(redacted)",
        })
    }
}

impl fmt::Debug for SshAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SshAuth(redacted)")
    }
}

/// A repository on a server, with everything needed to reach it.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it is.
    pub address: Address,
    /// What proves who we are.
    pub auth: Auth,
    /// Certificates and proxy, for HTTP; SSH uses the proxy of them, if it is named.
    pub http: http_client::Options,
    /// How long one operation may take.
    pub timeout: Duration,
    /// Who the credentials stand for, when they change by themselves (an access token that is renewed
    /// every hour): the mirror is then found by this instead of by the credentials.
    pub identity: Option<String>,
}

impl Remote {
    /// A repository that everyone may read, with a minute for each operation.
    ///
    /// # Errors
    /// The address is malformed.
    pub fn anonymous(url: &str) -> Result<Self, Error> {
        Self::from_secret(url, None)
    }

    pub(crate) fn shared(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }
}
