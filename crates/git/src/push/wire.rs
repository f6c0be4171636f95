//! One push on the wire.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    ops::ControlFlow,
    sync::Arc,
};

use gix_protocol::transport::{
    Service,
    client::{MessageKind, WriteMode, blocking_io::Transport},
};
use parking_lot::Mutex;

use super::{Expected, Outcome, Push, Pushed, Update, pack, report::Report};
use crate::{
    Error, Id, connection,
    listing::{self, RemoteRef, broken},
    network::Network,
    remote::Remote,
    task::Task,
};

/// How much a server may say about a push, in bytes.
const REPORT: u64 = 64 << 20;
/// Capabilities that change the form of what is said.
const SIDEBAND: &str = "side-band-64k";
const OPTIONS: &str = "push-options";
/// How many lines of progress are kept.
const MESSAGES: usize = 256;

pub(super) struct Wire<'a> {
    pub(super) task: &'a Task,
    pub(super) network: &'a Network,
    pub(super) remote: &'a Remote,
}

/// Why there is no report.
pub(super) enum Failure {
    /// Nothing was sent.
    Unsent(Error),
    /// The commits were sent, and then the conversation ended.
    Unknown(Error),
}

impl From<Error> for Failure {
    fn from(why: Error) -> Self {
        Self::Unsent(why)
    }
}

/// The updates that are to be sent, with what the server has for each.
struct Plan {
    outcomes: Vec<Option<Outcome>>,
    commands: Vec<(usize, Option<Id>)>,
}

impl Wire<'_> {
    pub(super) fn send(&self, push: &Push) -> Result<Pushed, Failure> {
        let service = Service::ReceivePack;
        let open = connection::open(self.task, self.network, self.remote, service, REPORT)?;
        let mut transport = open.transport;
        let mut handshake = listing::handshake(&mut transport, service)?;
        let listed = handshake.refs.take().unwrap_or_default();
        let heads: BTreeMap<String, Id> = listed
            .iter()
            .filter_map(RemoteRef::from_wire)
            .map(|found| (found.name, found.id))
            .collect();
        let plan = plan(push, &heads)?;
        let can = |name: &str| handshake.capabilities.contains(name);
        if plan.commands.is_empty() {
            // The server waits for commands; a flush says that there are none.
            let _ = transport
                .request(WriteMode::Binary, MessageKind::Flush, false)
                .map(|writer| writer.into_read().map(drop));
            let outcomes = plan.outcomes.into_iter().flatten().collect();
            return Ok(Pushed { outcomes, messages: Vec::new() });
        }
        if !push.options.is_empty() && !can(OPTIONS) {
            let why = "the server does not support push options".to_owned();
            return Err(Error::Config(why).into());
        }
        let deletes = |(at, _): &(usize, Option<Id>)| push.updates[*at].target.is_none();
        if plan.commands.iter().any(deletes) && !can("delete-refs") {
            return Err(Error::Config("server does not support delete-refs".to_owned()).into());
        }
        let capabilities: Vec<&'static str> = [
            ("report-status", true),
            (SIDEBAND, true),
            (OPTIONS, !push.options.is_empty()),
            ("atomic", plan.commands.len() > 1),
        ]
        .into_iter()
        .filter(|(name, wanted)| *wanted && can(name))
        .map(|(name, _)| name)
        .collect();
        let (bytes, messages) = talk(&mut transport, push, &plan.commands, &capabilities)?;
        let report = Report::parse(&bytes).map_err(Failure::Unknown)?;
        let name = |at: usize| push.updates[at].reference.as_str();
        let outcomes = plan.outcomes.into_iter().enumerate();
        let outcomes =
            outcomes.map(|(at, known)| known.unwrap_or_else(|| report.outcome(name(at)))).collect();
        Ok(Pushed { outcomes, messages })
    }
}

/// Compares every update with what the server has. One that is stale or refused keeps all from being
/// sent, so that the caller starts over from one state.
fn plan(push: &Push, heads: &BTreeMap<String, Id>) -> Result<Plan, Error> {
    let mut plan = Plan { outcomes: Vec::new(), commands: Vec::new() };
    let mut stop = false;
    for (at, update) in push.updates.iter().enumerate() {
        let actual = heads.get(&update.reference).copied();
        let twin = push.updates[..at].iter().find(|before| before.reference == update.reference);
        let outcome = match twin {
            None => judge(push, update, actual)?,
            Some(twin) if twin.target == update.target => Some(Outcome::UpToDate),
            Some(_) => {
                let why = format!("{} cannot be pushed to twice at once", update.reference);
                return Err(Error::Config(why));
            }
        };
        stop |= matches!(outcome, Some(Outcome::Stale { .. } | Outcome::Rejected { .. }));
        if outcome.is_none() {
            plan.commands.push((at, actual));
        }
        plan.outcomes.push(outcome);
    }
    if stop {
        for (at, _) in plan.commands.drain(..) {
            let reason = "not sent because another reference of this push was refused".to_owned();
            plan.outcomes[at] = Some(Outcome::Rejected { reason });
        }
    }
    Ok(plan)
}

/// The outcome that is known before anything is sent.
fn judge(push: &Push, update: &Update, actual: Option<Id>) -> Result<Option<Outcome>, Error> {
    if actual == update.target {
        return Ok(Some(Outcome::UpToDate));
    }
    let stale = match update.expected {
        Expected::Commit(id) => actual != Some(id),
        Expected::Absent => actual.is_some(),
        Expected::Any => false,
    };
    if stale {
        return Ok(Some(Outcome::Stale { actual }));
    }
    let (Some(actual), Some(target), false) = (actual, update.target, update.force) else {
        return Ok(None);
    };
    let forward = target == push.commit.id() && push.commit.snapshot().has_ancestor(actual)?;
    if forward {
        return Ok(None);
    }
    let reason = format!("non-fast-forward update: {}", update.reference);
    Ok(Some(Outcome::Rejected { reason }))
}

type Answer = (Vec<u8>, Vec<String>);

fn talk(
    transport: &mut impl Transport,
    push: &Push,
    commands: &[(usize, Option<Id>)],
    capabilities: &[&str],
) -> Result<Answer, Failure> {
    let unsent = |why: &dyn std::fmt::Display| Failure::Unsent(broken(why));
    let unknown = |why: &dyn std::fmt::Display| Failure::Unknown(broken(why));
    let objects = &push.commit.snapshot().unpushed;
    let adds = commands.iter().any(|(at, _)| push.updates[*at].target.is_some());
    let pack = if adds { pack(objects)? } else { Vec::new() };
    let mut writer = transport
        .request(WriteMode::Binary, MessageKind::Flush, false)
        .map_err(|why| unsent(&why))?;
    let null = Id::new(gix::ObjectId::null(gix::hash::Kind::Sha1));
    let mut line = format!("\0 {}", capabilities.join(" "));
    for (at, actual) in commands {
        let update = &push.updates[*at];
        let (old, new) = (actual.unwrap_or(null), update.target.unwrap_or(null));
        let command = format!("{old} {new} {}{line}", update.reference);
        line.clear();
        writer.write_all(command.as_bytes()).map_err(|why| unsent(&why))?;
    }
    writer.write_message(MessageKind::Flush).map_err(|why| unsent(&why))?;
    if capabilities.contains(&OPTIONS) {
        for option in &push.options {
            writer.write_all(option.as_bytes()).map_err(|why| unsent(&why))?;
        }
        writer.write_message(MessageKind::Flush).map_err(|why| unsent(&why))?;
    }
    let (mut raw, mut reader) = writer.into_parts();
    raw.write_all(&pack).map_err(|why| unknown(&why))?;
    raw.flush().map_err(|why| unknown(&why))?;
    drop(raw);
    let messages: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut report = Vec::new();
    if capabilities.contains(&SIDEBAND) {
        let sink = Arc::clone(&messages);
        reader.set_progress_handler(Some(Box::new(move |_, text| {
            collect(&mut sink.lock(), text);
            ControlFlow::Continue(())
        })));
        reader.read_to_end(&mut report).map_err(|why| unknown(&why))?;
    } else {
        while let Some(line) = reader.readline() {
            let line = line.map_err(|why| unknown(&why))?.map_err(|why| unknown(&why))?;
            let Some(text) = line.as_slice() else { break };
            report.extend_from_slice(format!("{:04x}", text.len() + 4).as_bytes());
            report.extend_from_slice(text);
        }
    }
    drop(reader);
    let messages = std::mem::take(&mut *messages.lock());
    Ok((report, messages))
}

fn collect(messages: &mut Vec<String>, text: &[u8]) {
    for line in String::from_utf8_lossy(text).split(['\n', '\r']) {
        if !line.trim().is_empty() && messages.len() < MESSAGES {
            messages.push(line.trim_end().to_owned());
        }
    }
}
