//! Promotions that write to one branch: they take turns, and Flux is asked to look once for many commits.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

/// How many commits are made at most before Flux is asked, while others wait to write.
const COMMITS: usize = 16;

/// Namespace and name of a GitRepository.
pub(crate) type Name = (String, String);
type Place = (String, String);

/// The queues, by repository and branch. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Queues(Arc<Mutex<HashMap<Place, Queue>>>);

#[derive(Default)]
struct Queue {
    /// Those who wait or write.
    present: usize,
    /// Commits since Flux was asked.
    commits: usize,
    /// Whose `GitRepository` is to be asked to look.
    owed: BTreeSet<Name>,
}

/// The turn of one promotion.
pub(crate) struct Writing {
    queues: Queues,
    place: Place,
    writer: Option<OwnedMutexGuard<()>>,
}

impl Queues {
    /// Waits for the turn of the branch among all who write to it.
    pub(crate) async fn turn(
        &self,
        writers: &repository::Writers,
        (address, branch): (String, &str),
    ) -> Writing {
        let place = (address.clone(), branch.to_owned());
        self.0.lock().entry(place.clone()).or_default().present += 1;
        // Counted before it waits, and no more if it waits no more.
        let mut turn = Writing { queues: self.clone(), place, writer: None };
        turn.writer = Some(writers.turn(address, branch).await);
        turn
    }
}

impl Writing {
    /// Ends the turn in which a commit was made if there is one: whom to ask to look, unless
    /// one that waits will see to it.
    pub(crate) fn end(self, committed: Option<Name>) -> BTreeSet<Name> {
        let mut all = self.queues.0.lock();
        let Some(queue) = all.get_mut(&self.place) else { return BTreeSet::new() };
        queue.commits += usize::from(committed.is_some());
        queue.owed.extend(committed);
        if queue.present > 1 && queue.commits < COMMITS {
            return BTreeSet::new();
        }
        queue.commits = 0;
        std::mem::take(&mut queue.owed)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.writer.take();
        let mut all = self.queues.0.lock();
        if let Some(queue) = all.get_mut(&self.place) {
            queue.present -= 1;
            if queue.present == 0 {
                all.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        ("ns".to_owned(), text.to_owned())
    }

    #[tokio::test]
    async fn the_last_of_a_queue_asks_for_all() {
        let (queues, writers) = (Queues::default(), repository::Writers::default());
        let turn = || queues.turn(&writers, ("http://host/fleet".to_owned(), "main"));
        let first = turn().await;
        let (same, all) = (queues.clone(), writers.clone());
        let second =
            tokio::spawn(
                async move { same.turn(&all, ("http://host/fleet".to_owned(), "main")).await },
            );
        while queues.0.lock().values().any(|it| it.present < 2) {
            tokio::task::yield_now().await;
        }
        assert_eq!(first.end(Some(name("a"))), BTreeSet::new());
        let second = second.await.unwrap();
        assert_eq!(second.end(None), BTreeSet::from([name("a")]));
        assert!(queues.0.lock().is_empty());
        assert_eq!(turn().await.end(Some(name("b"))), BTreeSet::from([name("b")]));
    }

    #[tokio::test]
    async fn a_queue_without_end_asks_now_and_then() {
        let (queues, writers) = (Queues::default(), repository::Writers::default());
        let place = ("http://host/fleet".to_owned(), "main".to_owned());
        // Somebody who waits all the time.
        queues.0.lock().entry(place).or_default().present = 1;
        let mut asked = 0;
        for _ in 0..COMMITS * 2 {
            let turn = queues.turn(&writers, ("http://host/fleet".to_owned(), "main")).await;
            asked += turn.end(Some(name("a"))).len();
        }
        assert_eq!(asked, 2);
    }
}
