//! Leader election with a Lease: one of several processes acts, and its writes are rejected once another is elected.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use squall_api::coordination::v1::{Lease, LeaseSpec};
use squall_api::meta::parse_resource_version;
use squall_api::metav1::v1::MicroTime;
use squall_proto::squall::api::v1::Fence;
use tokio::time::Instant;

use crate::api::Api;
use crate::cache::Cache;
use crate::client::Client;
use crate::error::Error;

/// The configuration of an election.
#[derive(Debug, Clone)]
pub struct ElectorConfig {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// The unique identity of the candidate.
    pub identity: String,
    /// How long a Lease lasts without renewal, by the observer's own clock.
    pub duration: Duration,
    /// How often the holder renews the Lease, and a candidate checks it.
    pub retry: Duration,
    /// The clock for the times in the Lease. Each observer decides by its own clock when the Lease has expired.
    pub clock: fn() -> Timestamp,
}

/// A term of an elected leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The number of the election: the `leaseTransitions` of the Lease.
    pub transitions: i32,
    /// The revision at which the election was won. Writes of earlier leaders are older.
    pub revision: u64,
}

/// A candidate for leadership.
pub struct Elector {
    config: ElectorConfig,
    api: Api<Lease>,
    leases: Cache<Lease>,
    /// The Lease as last seen, and the time since which it has not changed.
    observed: Option<(Arc<Lease>, Instant)>,
}

impl Elector {
    /// Creates a candidate that reads the Lease from a cache. The caller keeps the cache up to date.
    #[must_use]
    pub fn new(config: ElectorConfig, client: Client, leases: Cache<Lease>) -> Self {
        // A write that takes longer than a lease is of no use.
        let client = client.with_deadline(config.duration);
        let api = Api::new(client, &config.namespace);
        Self { config, api, leases, observed: None }
    }

    /// Returns the fence that the holder's writes carry.
    #[must_use]
    pub fn fence(&self, term: &Term) -> Fence {
        Fence {
            lease_namespace: self.config.namespace.clone(),
            lease_name: self.config.name.clone(),
            holder: self.config.identity.clone(),
            transitions: term.transitions,
        }
    }

    /// Waits until this candidate is elected.
    pub async fn win(&mut self) -> Term {
        loop {
            let current = self.leases.get(&self.config.namespace, &self.config.name);
            if self.may_take(current.as_deref()) {
                match self.take(current.as_deref()).await {
                    Ok(term) => return term,
                    Err(error) => tracing::debug!(%error, "not elected"),
                }
            }
            tokio::time::sleep(self.config.retry.mul_f64(1.0 + fastrand::f64() * 0.2)).await;
        }
    }

    /// Kubernetes: a candidate may take a Lease that has no holder, or that has not changed for its duration by the
    /// candidate's own clock.
    fn may_take(&mut self, current: Option<&Lease>) -> bool {
        let Some(lease) = current else { return true };
        let same = |seen: &Lease| seen.metadata.resource_version == lease.metadata.resource_version;
        let since = match &self.observed {
            Some((seen, since)) if same(seen) => *since,
            _ => {
                let now = Instant::now();
                self.observed = Some((Arc::new(lease.clone()), now));
                now
            }
        };
        let holder = lease.spec.holder_identity.as_deref().unwrap_or_default();
        holder.is_empty() || holder == self.config.identity || since.elapsed() >= self.config.duration
    }

    async fn take(&self, current: Option<&Lease>) -> Result<Term, Error> {
        let transitions = current.map_or(0, |lease| lease.spec.lease_transitions.unwrap_or(0).saturating_add(1));
        let now = MicroTime::from_timestamp((self.config.clock)());
        let mut lease = current.cloned().unwrap_or_default();
        lease.metadata.name.clone_from(&self.config.name);
        lease.metadata.namespace.clone_from(&self.config.namespace);
        lease.spec = LeaseSpec {
            holder_identity: Some(self.config.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.config.duration.as_secs()).unwrap_or(i32::MAX).max(1)),
            acquire_time: Some(now),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
        let won = match current {
            Some(_) => self.api.update(lease).await?,
            None => self.api.create(lease).await?,
        };
        Ok(Term { transitions, revision: parse_resource_version(&won.metadata.resource_version)? })
    }

    /// Renews the Lease as long as this candidate holds it. Returns when the Lease is lost.
    pub async fn hold(&mut self, term: &Term) {
        let mut renewed = Instant::now();
        let mut last = None;
        loop {
            tokio::time::sleep(self.config.retry).await;
            match self.renew(term, last.take()).await {
                Ok(Some(lease)) => {
                    last = Some(lease);
                    renewed = Instant::now();
                }
                Ok(None) => return,
                Err(error) => tracing::debug!(%error, "could not renew the lease"),
            }
            // Kubernetes: renewDeadline is two thirds of the lease.
            if renewed.elapsed().saturating_mul(3) >= self.config.duration.saturating_mul(2) {
                return;
            }
        }
    }

    /// Renews the Lease, based on the last write or else on its current state; `None` if another process holds it.
    async fn renew(&self, term: &Term, last: Option<Lease>) -> Result<Option<Lease>, Error> {
        let mut lease = match last {
            Some(lease) => lease,
            None => self.api.get(&self.config.name).await?,
        };
        if !self.is_mine(&lease, term) {
            return Ok(None);
        }
        lease.spec.renew_time = Some(MicroTime::from_timestamp((self.config.clock)()));
        self.api.update(lease).await.map(Some)
    }

    fn is_mine(&self, lease: &Lease, term: &Term) -> bool {
        lease.spec.holder_identity.as_deref() == Some(&self.config.identity)
            && lease.spec.lease_transitions == Some(term.transitions)
    }

    /// Releases the Lease, so that another candidate need not wait until it expires.
    pub async fn resign(&self, term: &Term) -> Result<(), Error> {
        let mut lease = self.api.get(&self.config.name).await?;
        if self.is_mine(&lease, term) {
            lease.spec.holder_identity = Some(String::new());
            self.api.update(lease).await?;
        }
        Ok(())
    }
}
