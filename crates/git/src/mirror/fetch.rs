//! One fetch into one generation.

use std::{collections::BTreeMap, num::NonZeroU32};

use gix::{
    bstr::BString,
    objs::Exists as _,
    remote::{
        Direction,
        fetch::{Shallow, Tags},
    },
};
use gix_protocol::transport::Service;

use super::{Generation, Limits, Want};
use crate::{
    Error, Id, connection,
    listing::{self, RemoteRef},
    network::Network,
    remote::Remote,
    task::Task,
};

pub(super) struct Plan<'a> {
    pub(super) network: &'a Network,
    pub(super) remote: &'a Remote,
    pub(super) want: &'a Want,
    pub(super) limits: &'a Limits,
}

type References = BTreeMap<String, RemoteRef>;

impl Plan<'_> {
    /// Lists the wanted references and fetches what the generation lacks of them.
    pub(super) fn run(&self, task: &Task, generation: &Generation) -> Result<References, Error> {
        let depth = (self.limits.shallow && !self.want.history).then_some(NonZeroU32::MIN);
        match self.with_depth(task, generation, depth) {
            // Some servers cannot cut history off.
            Err(Error::Protocol(why)) if depth.is_some() && why.contains("shallow") => {
                task.forgive();
                self.with_depth(task, generation, None)
            }
            other => other,
        }
    }

    fn with_depth(
        &self,
        task: &Task,
        generation: &Generation,
        depth: Option<NonZeroU32>,
    ) -> Result<References, Error> {
        let left = self.limits.repository_bytes.saturating_sub(generation.size());
        let open = connection::open(task, self.network, self.remote, Service::UploadPack, left)?;
        let repository = generation.repository();
        let url = self.remote.address.to_string();
        let remote = repository
            .remote_at(url.as_str())
            .and_then(|remote| remote.with_refspecs(self.refspecs(), Direction::Fetch))
            .map_err(|why| Error::Config(format!("the reference cannot be fetched: {why}")))?
            .with_fetch_tags(Tags::None);
        let prepared = remote
            .to_connection_with_transport(open.transport)
            .with_credentials(|_| Ok(None))
            .prepare_fetch(gix::progress::Discard, gix::remote::ref_map::Options::default())
            .map_err(|why| listing::broken(&why))?;
        let listed = prepared.ref_map().remote_refs.iter().filter_map(RemoteRef::from_wire);
        let found = self.select(task, listed)?;
        let known = |id: Id| repository.objects.exists(&id.raw());
        let cut_off = self.want.history && repository.is_shallow().unwrap_or(true);
        if !cut_off
            && found.values().all(|it| known(it.id) && known(it.commit()))
            && self.want.commits.iter().all(|id| known(*id))
        {
            return Ok(found);
        }
        let shallow = match depth {
            Some(depth) => Shallow::DepthAtRemote(depth),
            None if cut_off => Shallow::undo(),
            None => Shallow::NoChange,
        };
        prepared
            .with_shallow(shallow)
            .with_write_packed_refs_only(true)
            .receive(gix::progress::Discard, task.interrupt())
            .map_err(|why| self.trouble(task, &why))?;
        Ok(found)
    }

    /// What an error of the library means: the transport's own reason, a refusal, or a mirror that
    /// cannot take what was sent.
    fn trouble(&self, task: &Task, why: &gix::Error) -> Error {
        if let Some(known) = task.failure() {
            return known;
        }
        let chain: Vec<String> = why.iter_errors().map(ToString::to_string).collect();
        let says = |what: &str| chain.iter().any(|text| text.contains(what));
        if says("shallow") {
            return Error::Protocol(chain.join(": "));
        }
        if says("not our ref") || says("unadvertised") {
            let commit = self.want.commits.first().map(ToString::to_string).unwrap_or_default();
            return Error::RefNotFound(commit);
        }
        if says("too large to fit in memory") {
            return Error::ObjectTooLarge { limit: self.limits.object_bytes };
        }
        Error::Local(format!("the fetch failed: {}", chain.join(": ")))
    }

    fn refspecs(&self) -> Vec<BString> {
        let names = self.want.references.iter().chain(&self.want.optional);
        let by_name = names.map(|name| format!("+{name}:{name}"));
        let by_id = self.want.commits.iter().map(|id| format!("+{id}:refs/sluice/{id}"));
        by_name.chain(by_id).map(BString::from).collect()
    }

    fn select(
        &self,
        task: &Task,
        listed: impl Iterator<Item = RemoteRef>,
    ) -> Result<References, Error> {
        let wanted = |name: &String| {
            self.want.references.contains(name) || self.want.optional.contains(name)
        };
        let found: References =
            listed.filter(|it| wanted(&it.name)).map(|it| (it.name.clone(), it)).collect();
        let missing = self.want.references.iter().find(|name| !found.contains_key(*name));
        match missing {
            None => Ok(found),
            Some(_) if self.is_empty(task)? => Err(Error::Empty),
            Some(name) => Err(Error::RefNotFound(name.clone())),
        }
    }

    fn is_empty(&self, task: &Task) -> Result<bool, Error> {
        Ok(listing::list(task, self.network, self.remote, &[])?.is_empty())
    }
}
