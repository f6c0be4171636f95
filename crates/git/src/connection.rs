//! An open conversation with one service of a repository.

use gix_protocol::transport::{Protocol, Service, client::blocking_io::Transport};

use crate::{
    Error, http,
    network::Network,
    remote::{Auth, Remote, Scheme},
    ssh,
    task::Task,
};

pub(crate) struct Connection {
    pub(crate) transport: Box<dyn Transport + Send>,
}

/// Connects to `service`; the server may send `limit` bytes before the conversation is ended.
pub(crate) fn open(
    task: &Task,
    network: &Network,
    remote: &Remote,
    service: Service,
    limit: u64,
) -> Result<Connection, Error> {
    // Pushing is defined for the old protocol only.
    let version = if service == Service::ReceivePack { Protocol::V1 } else { Protocol::V2 };
    let transport: Box<dyn Transport + Send> = match (remote.address.scheme(), &remote.auth) {
        (Scheme::Ssh, Auth::Ssh(auth)) => Box::new(ssh::connect(
            task,
            network,
            remote,
            auth,
            &ssh::Session { service, version, limit },
        )?),
        (Scheme::Ssh, _) => {
            return Err(Error::Config("invalid 'ssh' auth option: 'identity' is required".into()));
        }
        (_, Auth::Ssh(_)) => return Err(Error::Config("invalid auth method".to_owned())),
        (Scheme::Http | Scheme::Https, _) => {
            Box::new(http::connect(task, network, remote, version, limit)?)
        }
    };
    Ok(Connection { transport })
}
