//! The contract between the kit and one kind's reconciler.

use std::time::Duration;

use api::meta::Object;

use crate::{Conditions, Event, Reference, Report, Stop, Turn, Watch, host::Placed};

/// Brings objects of one kind to what their spec says, one short turn at a time.
///
/// The kit calls [`turn`](Self::turn) when the object is new, when its generation or its
/// `reconcile.fluxcd.io/requestedAt` changed, when something it refers to changed in a way a
/// [`Watch`] lets through, when [`Next`](crate::Next) said so, and once after a start. It never
/// runs two turns of one object at the same time.
///
/// Before a turn the kit has added the finalizer; suspended and deleted objects do not get one.
/// After a turn it alone writes the conditions Ready, Reconciling and Stalled, `observedGeneration`
/// and `lastHandledReconcileAt`, sends the events, counts, and schedules what is next.
pub trait Reconcile: Send + Sync + Sized + 'static {
    /// The kind this is about.
    type Resource: Object + kube::Resource<Scope: Placed>;

    /// Name of the controller as upstream calls it, such as `image-reflector-controller`:
    /// component of the events and field manager of the patches.
    const CONTROLLER: &'static str;

    /// The finalizer of the kind.
    const FINALIZER: &'static str = api::meta::FINALIZER;

    /// Whether a suspended object still copies `requestedAt` to `lastHandledReconcileAt`, as
    /// ImageRepository and ImagePolicy do and ImageUpdateAutomation does not.
    const ACKNOWLEDGES_SUSPENDED: bool = true;

    /// Whether a suspended object's generation counts as observed, as HelmRelease's does.
    const OBSERVES_SUSPENDED: bool = false;

    /// How long an object waits for further changes of its references after one woke it, so that
    /// many changes at once make one run. At most a hundred times as long; zero runs at once.
    const SETTLE: Duration = Duration::ZERO;

    /// One turn. It never waits for other objects or for time: what is left to wait for is in the
    /// report.
    ///
    /// # Errors
    /// [`Stop`] means that nothing was changed, neither outside nor in the status. A turn that
    /// did something before it had to stop returns a [`Report`] with a failing verdict.
    fn turn(
        &self,
        it: &Self::Resource,
        turn: &mut Turn,
    ) -> impl Future<Output = Result<Report<Self>, Stop>> + Send;

    /// Undoes what must not outlive the object; the finalizer is removed when it succeeds.
    ///
    /// # Errors
    /// Any [`Stop`] keeps the finalizer; [`Stop::Fail`] and [`Stop::Wait`] are tried again.
    fn finalize(
        &self,
        it: &Self::Resource,
        turn: &mut Turn,
    ) -> impl Future<Output = Result<(), Stop>> + Send {
        let _ = (it, turn);
        std::future::ready(Ok(()))
    }

    /// Whether `it` is only data that others read: it gets neither finalizer nor status, and no
    /// turn. One that had them before is [finalized](Self::finalize), and both are taken away.
    fn is_data(&self, it: &Self::Resource) -> bool {
        let _ = it;
        false
    }

    /// What is said of a suspended object instead of a turn: its conditions may change, and there may
    /// be an event.
    fn suspended(&self, it: &Self::Resource, conditions: &mut Conditions) -> Option<Event> {
        let _ = (it, conditions);
        None
    }

    /// What `it` refers to: a pure function of the object. Changes of those objects that a
    /// [`Watch`] lets through wake it.
    fn references(&self, it: &Self::Resource) -> Vec<Reference> {
        let _ = it;
        Vec::new()
    }

    /// The other kinds whose changes can wake objects of this kind, one entry a kind.
    fn watches(&self) -> Vec<Watch> {
        Vec::new()
    }
}
