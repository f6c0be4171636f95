//! The two ends of one command on the other side.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use bytes::{Buf as _, Bytes};
use gix_protocol::transport::{Protocol, Service};
use parking_lot::Mutex;
use russh::{
    ChannelMsg, ChannelReadHalf, ChannelWriteHalf,
    client::{Handle, Msg},
};
use tokio::sync::mpsc;

use super::{Session, Verdict, broken};
use crate::{Error, task::Task, wording};

/// Chunks of output that may wait to be read.
const WAITING: usize = 16;
/// How much of the error stream is kept, in bytes.
const ERRORS: usize = 16 * 1024;

/// Starts git on the other side.
pub(super) async fn start(
    handle: Handle<Verdict>,
    session: &Session,
    path: &str,
) -> Result<(Ready<Output>, Ready<Input>), Error> {
    let channel = handle.channel_open_session().await.map_err(broken)?;
    if session.version == Protocol::V2 {
        // Servers that do not take the variable answer in the old protocol, which is fine.
        channel.set_env(false, "GIT_PROTOCOL", "version=2").await.map_err(broken)?;
    }
    let program = match session.service {
        Service::UploadPack => "git-upload-pack",
        Service::ReceivePack => "git-receive-pack",
    };
    channel.exec(true, format!("{program} {}", quoted(path))).await.map_err(broken)?;
    let (read, write) = channel.split();
    let (sender, chunks) = mpsc::channel(WAITING);
    let errors = Arc::new(Mutex::new(String::new()));
    tokio::spawn(pump(read, sender, Arc::clone(&errors), handle));
    Ok((
        Ready(Output { chunks, rest: Bytes::new(), errors, any: false, task: None }),
        Ready(Input { write, task: None }),
    ))
}

/// Takes what the other side sends, for as long as somebody wants it.
async fn pump(
    mut read: ChannelReadHalf,
    sender: mpsc::Sender<Bytes>,
    errors: Arc<Mutex<String>>,
    handle: Handle<Verdict>,
) {
    loop {
        let message = tokio::select! {
            message = read.wait() => message,
            () = sender.closed() => None,
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                if sender.send(data).await.is_err() {
                    break;
                }
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                let mut errors = errors.lock();
                if errors.len() < ERRORS {
                    errors.push_str(&String::from_utf8_lossy(&data));
                }
            }
            Some(ChannelMsg::Failure) => errors.lock().push_str("the command was refused"),
            Some(ChannelMsg::Close) | None => break,
            Some(_) => {}
        }
    }
    drop(sender);
    let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
}

/// The path for a shell: in single quotes.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// An end that still has to learn on whose behalf it works.
pub(super) struct Ready<T>(T);

impl Ready<Output> {
    pub(super) fn with(mut self, task: &Task) -> Output {
        self.0.task = Some(task.clone());
        self.0
    }
}

impl Ready<Input> {
    pub(super) fn with(mut self, task: &Task) -> Input {
        self.0.task = Some(task.clone());
        self.0
    }
}

/// What the command prints.
pub(crate) struct Output {
    chunks: mpsc::Receiver<Bytes>,
    rest: Bytes,
    errors: Arc<Mutex<String>>,
    any: bool,
    task: Option<Task>,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let task = self.task.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        while !self.rest.has_remaining() {
            match task.wait(self.chunks.recv()).map_err(io::Error::other)? {
                Some(chunk) => {
                    self.rest = chunk;
                    self.any = true;
                }
                None if self.any => return Ok(0),
                None => return Err(task.fail(wording::remote_line(&self.errors.lock()))),
            }
        }
        let count = self.rest.remaining().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// What the command reads.
pub(crate) struct Input {
    write: ChannelWriteHalf<Msg>,
    task: Option<Task>,
}

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let task = self.task.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let sent = task.wait(self.write.data_bytes(Bytes::copy_from_slice(bytes)));
        sent.map_err(io::Error::other)?.map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_cannot_leave_its_quotes() {
        assert_eq!(quoted("/a b.git"), "'/a b.git'");
        assert_eq!(quoted("/a'; rm -rf /'"), r"'/a'\''; rm -rf /'\'''");
    }
}
