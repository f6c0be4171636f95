//! The references of a remote repository.

use gix::bstr::ByteSlice as _;
use gix_protocol::{
    LsRefsCommand,
    ls_refs::RefPrefixes,
    transport::{Service, client::blocking_io::Transport},
};

use crate::{Error, Id, connection, network::Network, remote::Remote, task::Task};

/// How long a list of references may be, in bytes.
const LISTING: u64 = 256 << 20;

/// One reference of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// The full name, such as `refs/heads/main`.
    pub name: String,
    /// What it points at: a commit, or the tag object of an annotated tag.
    pub id: Id,
    /// The commit an annotated tag points at.
    pub peeled: Option<Id>,
}

impl RemoteRef {
    /// The commit: the target of an annotated tag, else what the reference points at.
    pub fn commit(&self) -> Id {
        self.peeled.unwrap_or(self.id)
    }

    pub(crate) fn from_wire(reference: &gix_protocol::handshake::Ref) -> Option<Self> {
        let (name, id, peeled) = reference.unpack();
        Some(Self {
            name: name.to_str().ok()?.to_owned(),
            id: Id::new(id?.to_owned()),
            peeled: peeled.map(|id| Id::new(id.to_owned())),
        })
    }
}

/// Lists the references that start with one of `prefixes`; all when there are none.
pub(crate) fn list(
    task: &Task,
    network: &Network,
    remote: &Remote,
    prefixes: &[String],
) -> Result<Vec<RemoteRef>, Error> {
    let connection = connection::open(task, network, remote, Service::UploadPack, LISTING)?;
    let mut transport = connection.transport;
    let mut handshake = handshake(&mut transport, Service::UploadPack)?;
    let refs = if let Some(refs) = handshake.refs.take() {
        refs
    } else {
        let mut wanted = RefPrefixes::new();
        wanted.extend(prefixes.iter().map(|prefix| prefix.as_str().into()));
        let wanted = (!prefixes.is_empty()).then_some(wanted);
        let agent = gix_protocol::agent(network.options().user_agent.clone());
        LsRefsCommand::new(wanted, &handshake.capabilities, ("agent", Some(agent)))
            .invoke_blocking(&mut transport, &mut gix::progress::Discard, false)
            .map_err(|why| broken(&why))?
    };
    // Over SSH the server waits for another command until it is told that there is none.
    let _ = gix_protocol::indicate_end_of_interaction(&mut transport, false);
    let starts = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
    let found = refs.iter().filter_map(RemoteRef::from_wire);
    Ok(found.filter(|found| prefixes.is_empty() || starts(&found.name)).collect())
}

/// Says hello to `service`. Credentials are the transport's business and never asked for here.
pub(crate) fn handshake(
    transport: &mut impl Transport,
    service: Service,
) -> Result<gix_protocol::Handshake, Error> {
    gix_protocol::handshake(
        transport,
        service,
        |_| Ok(None),
        Vec::new(),
        &mut gix::progress::Discard,
    )
    .map_err(|why| broken(&why))
}

/// What the library says when the talk with a server breaks off.
pub(crate) fn broken(why: &dyn std::fmt::Display) -> Error {
    let text = why.to_string();
    let line = text.lines().next().unwrap_or_default();
    Error::Protocol(format!("the answer of the server is not understood: {line}"))
}
