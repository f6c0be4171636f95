//! Leader election: of several processes, the one that holds the Lease runs the controllers.
//!
//! Source: `tools/leaderelection` of client-go. Times of other processes are never compared with
//! ours: a lease has expired when we have not seen it change for its duration. Every write replaces
//! the version that was read, so that of two candidates one loses.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, after, between};
use crate::{Metrics, patch};

/// Which Lease, as whom, how fast; the times are upstream's flags.
#[derive(Debug, Clone)]
pub struct Election {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease, such as `image-reflector-controller-leader-election`.
    pub name: String,
    /// Name of this process; must be unique.
    pub identity: String,
    /// `--leader-election-lease-duration`: how long others wait after the last sign of life.
    pub lease_duration: Duration,
    /// `--leader-election-renew-deadline`: how long the leader tries to renew before it gives up.
    pub renew_deadline: Duration,
    /// `--leader-election-retry-period`: pause between tries.
    pub retry_period: Duration,
    /// `--leader-election-release-on-cancel`: give the lease back at the end.
    pub release_on_cancel: bool,
}

impl Election {
    /// An election with upstream's times.
    pub fn new(
        namespace: impl Into<String>,
        name: impl Into<String>,
        identity: impl Into<String>,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            lease_duration: Duration::from_secs(35),
            renew_deadline: Duration::from_secs(30),
            retry_period: Duration::from_secs(5),
            release_on_cancel: true,
        }
    }
}

/// What a candidate needs.
#[derive(Clone)]
pub struct Seat {
    /// The API client. One of its own, made on the thread the candidate runs on, keeps renewing
    /// however busy the others are.
    pub client: Client,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Shows who leads.
    pub metrics: Metrics,
}

/// The end of a candidacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// The lease could not be renewed: another process may lead, and this one must end at once.
    Lost,
}

/// A process that wants to lead.
pub struct Candidate {
    election: Election,
    seat: Seat,
    api: Api<Lease>,
    /// The lease as seen last, and when it was first seen like that.
    observed: Option<(Lease, Timestamp)>,
}

impl Candidate {
    /// A candidate that has not tried yet.
    pub fn new(election: Election, seat: Seat) -> Self {
        let api = Api::namespaced(seat.client.clone(), &election.namespace);
        seat.metrics.lead(&election.name, false);
        Self { election, seat, api, observed: None }
    }

    /// Tries until it leads, then cancels `elected` and renews until `stop` or until the lease is
    /// lost. `stop` is to be cancelled when the controllers have ended: the lease is released then.
    pub async fn run(mut self, elected: &CancellationToken, stop: &CancellationToken) -> Ended {
        while !self.attempt().await {
            let pause = self.election.retry_period.mul_f64(1.0 + 1.2 * rand::random::<f64>());
            if self.pause(pause, stop).await {
                return Ended::Stopped;
            }
        }
        tracing::info!(lease = self.election.name, "leading");
        self.seat.metrics.lead(&self.election.name, true);
        elected.cancel();
        let ended = self.renew(stop).await;
        self.seat.metrics.lead(&self.election.name, false);
        if ended == Ended::Stopped && self.election.release_on_cancel {
            self.release().await;
        }
        ended
    }

    async fn renew(&mut self, stop: &CancellationToken) -> Ended {
        let clock = Arc::clone(&self.seat.clock);
        let mut renewed = clock.now();
        loop {
            if self.pause(self.election.retry_period, stop).await {
                return Ended::Stopped;
            }
            let deadline = after(renewed, self.election.renew_deadline);
            let attempted = tokio::select! {
                biased;
                attempted = self.attempt() => attempted,
                () = clock.sleep_until(deadline) => false,
            };
            if attempted {
                renewed = clock.now();
            } else if clock.now() >= deadline || !self.is_ours() {
                tracing::error!(lease = self.election.name, "leader election lost");
                return Ended::Lost;
            }
        }
    }

    /// Tries to get or keep the lease. Says whether it is ours now.
    async fn attempt(&mut self) -> bool {
        match self.try_once().await {
            Ok(ours) => ours,
            Err(error) => {
                let lease = &self.election.name;
                tracing::warn!(lease, error = patch::describe(&error), "lease not updated");
                false
            }
        }
    }

    async fn try_once(&mut self) -> kube::Result<bool> {
        let now = self.seat.clock.now();
        let Some(lease) = self.api.get_opt(&self.election.name).await? else {
            let lease = self.api.create(&PostParams::default(), &self.fresh(now)).await?;
            self.observed = Some((lease, now));
            return Ok(true);
        };
        self.observe(lease, now);
        if !self.is_ours() && !self.has_expired(now) {
            return Ok(false);
        }
        let Some(lease) = self.observed.as_ref().map(|(lease, _)| lease.clone()) else {
            return Ok(false);
        };
        let next = self.taken(lease, now);
        let written = self.api.replace(&self.election.name, &PostParams::default(), &next).await?;
        self.observed = Some((written, now));
        Ok(true)
    }

    fn observe(&mut self, lease: Lease, now: Timestamp) {
        let known = self.observed.as_ref().is_some_and(|(known, _)| known.spec == lease.spec);
        match &mut self.observed {
            Some((old, _)) if known => *old = lease,
            other => *other = Some((lease, now)),
        }
    }

    fn is_ours(&self) -> bool {
        self.holder() == Some(self.election.identity.as_str())
    }

    fn holder(&self) -> Option<&str> {
        let (lease, _) = self.observed.as_ref()?;
        lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        let seen = self.observed.as_ref().map(|(_, since)| between(*since, now));
        self.holder().is_none() || seen.is_none_or(|age| age >= self.election.lease_duration)
    }

    fn fresh(&self, now: Timestamp) -> Lease {
        let metadata = ObjectMeta {
            name: Some(self.election.name.clone()),
            namespace: Some(self.election.namespace.clone()),
            ..ObjectMeta::default()
        };
        Lease { metadata, spec: Some(self.claim(now, now, 0)) }
    }

    /// The lease with us as its holder; who renews keeps time of acquisition and transitions.
    fn taken(&self, mut lease: Lease, now: Timestamp) -> Lease {
        let old = lease.spec.unwrap_or_default();
        let transitions = old.lease_transitions.unwrap_or_default();
        let spec = if self.is_ours() {
            self.claim(now, old.acquire_time.map_or(now, |time| time.0), transitions)
        } else {
            self.claim(now, now, transitions + 1)
        };
        lease.spec = Some(spec);
        lease
    }

    fn claim(&self, now: Timestamp, acquired: Timestamp, transitions: i32) -> LeaseSpec {
        let seconds = i32::try_from(self.election.lease_duration.as_secs()).unwrap_or(i32::MAX);
        LeaseSpec {
            holder_identity: Some(self.election.identity.clone()),
            lease_duration_seconds: Some(seconds),
            acquire_time: Some(MicroTime(acquired)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    async fn release(&mut self) {
        let Some((mut lease, _)) = self.observed.take() else { return };
        let now = self.seat.clock.now();
        let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
        let spec = self.claim(now, now, transitions.unwrap_or_default());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            ..spec
        });
        let written = self.api.replace(&self.election.name, &PostParams::default(), &lease).await;
        if let Err(error) = written {
            let lease = &self.election.name;
            tracing::warn!(lease, error = patch::describe(&error), "lease not released");
        }
    }

    /// Waits; says whether to stop.
    async fn pause(&self, time: Duration, stop: &CancellationToken) -> bool {
        let due = after(self.seat.clock.now(), time);
        tokio::select! {
            biased;
            () = stop.cancelled() => true,
            () = self.seat.clock.sleep_until(due) => false,
        }
    }
}
