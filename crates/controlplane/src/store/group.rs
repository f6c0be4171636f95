//! Group commit: one thread decides what many callers ask for and logs it as one transaction.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Batch, Change, Event, Refusal, Reply, Shared};
use crate::Error;
use crate::log::Log;

/// The most changes of one transaction; bounds what one caller waits for.
const MOST: usize = 1024;

pub(super) struct Group {
    requests: Mutex<Option<mpsc::Sender<(Change, Reply)>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Group {
    pub(super) fn start(shared: Arc<Shared>, mut log: Box<dyn Log>) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel::<(Change, Reply)>();
        let thread = std::thread::Builder::new()
            .name("controlplane-log".to_owned())
            .spawn(move || {
                while let Ok(first) = receiver.recv() {
                    let mut requests = vec![first];
                    requests.extend(receiver.try_iter().take(MOST - 1));
                    write(&shared, log.as_mut(), requests);
                }
            })
            .map_err(|e| Error::Start(format!("log thread: {e}")))?;
        Ok(Self { requests: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Hands a change in; the answer comes when it is durable. A closed group drops the reply.
    pub(super) fn submit(&self, change: Change) -> oneshot::Receiver<Result<Arc<Event>, Refusal>> {
        let (reply, answer) = oneshot::channel();
        if let Some(requests) = &*self.requests.lock() {
            // A send can only fail after a stop; the dropped reply then says so.
            let _ = requests.send((change, reply));
        }
        answer
    }

    /// Writes what was handed in and ends the thread.
    pub(super) fn stop(&self) {
        self.requests.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            // A panic in the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop();
    }
}

fn write(shared: &Shared, log: &mut dyn Log, requests: Vec<(Change, Reply)>) {
    let mut batch = Batch::default();
    let mut answers = Vec::with_capacity(requests.len());
    let state = shared.state.read();
    for (change, reply) in requests {
        answers.push((state.decide(&mut batch, change), reply));
    }
    drop(state);
    if !batch.events.is_empty() {
        let trim = shared.state.write().take_trim();
        match log.append(&batch.events, trim) {
            Ok(()) => shared.publish(&batch.events),
            Err(error) => {
                tracing::error!(%error, "changes could not be written");
                for (answer, _) in &mut answers {
                    if answer.is_ok() {
                        *answer = Err(Refusal::Unkept(error.to_string()));
                    }
                }
            }
        }
    }
    for (answer, reply) in answers {
        // The caller may have gone away; the change stands.
        let _ = reply.send(answer);
    }
}
