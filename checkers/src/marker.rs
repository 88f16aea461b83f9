//! A mark in the store: a write that makes every watch report its progress at once, instead of with its next bookmark.

use squall_api::coordination::v1::Lease;
use squall_api::meta::parse_resource_version;
use squall_client::{Api, Client, Error, Reason};

const NAMESPACE: &str = "default";
const NAME: &str = "squall-marker";
/// A write that another has overtaken is tried again so often.
const ATTEMPTS: usize = 5;

/// Writes a mark, and returns its revision. It looks like a won election, and elections make watches report.
pub async fn mark(client: &Client) -> Result<u64, Error> {
    let leases: Api<Lease> = Api::new(client.clone(), NAMESPACE);
    let mut last = Error::Config("a mark was never tried".to_owned());
    for _ in 0..ATTEMPTS {
        match write(&leases).await {
            Ok(lease) => return Ok(parse_resource_version(&lease.metadata.resource_version)?),
            Err(error) if error.is(Reason::Conflict) || error.is(Reason::AlreadyExists) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

async fn write(leases: &Api<Lease>) -> Result<Lease, Error> {
    match leases.get(NAME).await {
        Ok(mut lease) => {
            let transitions = lease.spec.lease_transitions.unwrap_or(0);
            lease.spec.lease_transitions = Some(transitions.saturating_add(1));
            leases.update(lease).await
        }
        Err(error) if error.is_not_found() => {
            let mut lease = Lease::default();
            lease.metadata.name = NAME.to_owned();
            lease.spec.holder_identity = Some(NAME.to_owned());
            lease.spec.lease_transitions = Some(0);
            leases.create(lease).await
        }
        Err(error) => Err(error),
    }
}
