//! Git over SSH: a session with an in-memory key and in-memory `known_hosts`.

mod known_hosts;
mod session;
mod tunnel;

use std::{borrow::Cow, str::FromStr as _, sync::Arc};

use gix_protocol::transport::{
    Protocol, Service,
    client::git::{ConnectMode, blocking_io::Connection},
};
use known_hosts::{Known, KnownHosts};
use parking_lot::Mutex;
use russh::{
    Preferred,
    client::{self, Handle},
    kex,
    keys::{
        Algorithm, EcdsaCurve, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate,
        decode_secret_key,
    },
};

use crate::{
    Error,
    http::Limited,
    network::{Network, Options},
    remote::{Remote, SshAuth},
    task::Task,
};

/// What is wanted of the server.
pub(crate) struct Session {
    pub(crate) service: Service,
    pub(crate) version: Protocol,
    pub(crate) limit: u64,
}

/// The transport for a repository over SSH.
pub(crate) fn connect(
    task: &Task,
    network: &Network,
    remote: &Remote,
    auth: &SshAuth,
    session: &Session,
) -> Result<Connection<Limited<session::Output>, session::Input>, Error> {
    let key = Arc::new(private_key(auth)?);
    let known = Arc::new(KnownHosts::parse(&auth.known_hosts)?);
    let host = host_pattern(remote);
    let config = Arc::new(client::Config {
        preferred: preferred(network.options(), &known.algorithms(&host))?,
        nodelay: true,
        ..client::Config::default()
    });
    let path = remote.address.path();
    let start = async {
        let stream = tunnel::dial(remote).await?;
        let verdict = Verdict { known, host };
        let mut handle = client::connect_stream(config, stream, verdict).await.map_err(refused)?;
        authenticate(&mut handle, &auth.user, key).await?;
        session::start(handle, session, &path).await
    };
    let (output, input) = task.wait(start)??;
    let output = output.with(task);
    let output = Limited {
        inner: output,
        left: Arc::new(Mutex::new((session.limit, session.limit))),
        task: task.clone(),
    };
    let none = None::<(&str, Option<u16>)>;
    let input = input.with(task);
    let mode = ConnectMode::Process;
    Ok(Connection::new(output, input, session.version, path, none, mode, false))
}

async fn authenticate(
    handle: &mut Handle<Verdict>,
    user: &str,
    key: Arc<PrivateKey>,
) -> Result<(), Error> {
    let hash = match key.algorithm() {
        Algorithm::Rsa { .. } => handle.best_supported_rsa_hash().await.map_err(broken)?.flatten(),
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(key, hash);
    let result = handle.authenticate_publickey(user, key).await.map_err(broken)?;
    if result.success() {
        return Ok(());
    }
    Err(Error::Denied(
        "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], \
         no supported methods remain"
            .to_owned(),
    ))
}

fn private_key(auth: &SshAuth) -> Result<PrivateKey, Error> {
    let wrong =
        |why: &str| Error::Config(format!("unable to construct auth method with options: {why}"));
    let text = std::str::from_utf8(&auth.identity).map_err(|_| wrong("ssh: no key found"))?;
    match decode_secret_key(text, auth.passphrase.as_deref()) {
        Ok(key) => Ok(key),
        Err(russh::keys::Error::KeyIsEncrypted) => {
            Err(wrong("ssh: this private key is passphrase protected"))
        }
        Err(_) if auth.passphrase.is_some() => {
            Err(wrong("the private key cannot be read with this passphrase"))
        }
        Err(_) => Err(wrong("ssh: no key found")),
    }
}

/// The host as `known_hosts` names it.
fn host_pattern(remote: &Remote) -> String {
    let host = remote.address.host().trim_matches(['[', ']']).to_lowercase();
    match remote.address.port() {
        22 => host,
        port => format!("[{host}]:{port}"),
    }
}

fn preferred(options: &Options, known: &[String]) -> Result<Preferred, Error> {
    let mut preferred = Preferred::default();
    // A host with several keys must be asked for one that is known, else it shows another.
    let named =
        if options.host_key_algorithms.is_empty() { known } else { &options.host_key_algorithms };
    if !named.is_empty() {
        let mut keys = Vec::new();
        for name in named {
            let wrong = |_| Error::Config(format!("unknown SSH host key algorithm '{name}'"));
            match name.as_str() {
                "ssh-rsa" if options.host_key_algorithms.is_empty() => {
                    keys.extend(
                        [Some(HashAlg::Sha512), Some(HashAlg::Sha256), None]
                            .map(|hash| Algorithm::Rsa { hash }),
                    );
                }
                name => keys.push(Algorithm::from_str(name).map_err(wrong)?),
            }
        }
        keys.sort_by_key(rank);
        preferred.key = Cow::Owned(keys);
    }
    if !options.kex_algorithms.is_empty() {
        let wrong = |name| Error::Config(format!("unknown SSH key exchange algorithm '{name}'"));
        let mut exchanges = Vec::new();
        for name in &options.kex_algorithms {
            exchanges.push(kex::Name::try_from(name.as_str()).map_err(|()| wrong(name))?);
        }
        exchanges.push(kex::EXTENSION_SUPPORT_AS_CLIENT);
        exchanges.push(kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT);
        preferred.kex = Cow::Owned(exchanges);
    }
    Ok(preferred)
}

/// Ed25519 before ECDSA before RSA, as OpenSSH orders them.
fn rank(algorithm: &Algorithm) -> u8 {
    match algorithm {
        Algorithm::Ed25519 => 0,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => 1,
        Algorithm::Ecdsa { .. } => 2,
        Algorithm::Rsa { hash: Some(_) } => 3,
        _ => 4,
    }
}

/// Decides whether a host is who it should be.
pub(crate) struct Verdict {
    known: Arc<KnownHosts>,
    host: String,
}

/// Why a connection did not come to be.
#[derive(Debug)]
pub(crate) enum Refusal {
    Host(&'static str),
    Library(russh::Error),
}

impl From<russh::Error> for Refusal {
    fn from(why: russh::Error) -> Self {
        Self::Library(why)
    }
}

impl client::Handler for Verdict {
    type Error = Refusal;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Err(Refusal::Host("knownhosts: key is unknown"));
        };
        let bytes = key.to_bytes().map_err(|_| Refusal::Host("knownhosts: key is unknown"))?;
        match self.known.check(&self.host, &bytes) {
            Known::Yes => Ok(true),
            Known::Other => Err(Refusal::Host("knownhosts: key mismatch")),
            Known::Revoked => Err(Refusal::Host("knownhosts: key is revoked")),
            Known::No => Err(Refusal::Host("knownhosts: key is unknown")),
        }
    }
}

fn refused(why: Refusal) -> Error {
    match why {
        Refusal::Host(text) => Error::Denied(format!("ssh: handshake failed: {text}")),
        Refusal::Library(why @ russh::Error::NoCommonAlgo { .. }) => {
            Error::Denied(format!("ssh: handshake failed: {why}"))
        }
        Refusal::Library(why) => broken(why),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
pub(crate) fn broken(why: russh::Error) -> Error {
    Error::Unreachable(format!("ssh: handshake failed: {why}"))
}
