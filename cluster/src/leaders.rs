//! Finds the leaders: that of the apiservers by Raft, that of the controller-managers by their Lease.

use squall_api::coordination::v1::Lease;
use squall_client::{Api, Client, MemberStatus};

use crate::member::{MemberName, Role};

/// Returns the leading apiserver and its term. The error lists what was seen instead.
pub async fn raft_leader(client: &Client) -> Result<(MemberName, u64), String> {
    leading(client).await.map(|status| (apiserver(status.id), status.term))
}

/// Returns the status of the leading apiserver. The error lists what was seen instead.
pub async fn leading(client: &Client) -> Result<MemberStatus, String> {
    let mut seen = Vec::new();
    for endpoint in client.endpoints() {
        match client.member_status(&endpoint).await {
            Ok(status) if status.leader == status.id && status.ready => return Ok(status),
            Ok(status) => seen.push(format!("{} follows {} in term {}", status.name, status.leader, status.term)),
            Err(error) => seen.push(format!("{endpoint}: {error}")),
        }
    }
    Err(format!("no apiserver is leading: {}", seen.join("; ")))
}

/// Converts a Raft id, which starts at 1, to the name of the apiserver.
fn apiserver(raft_id: u64) -> MemberName {
    MemberName { role: Role::Apiserver, index: usize::try_from(raft_id.saturating_sub(1)).unwrap_or(usize::MAX) }
}

/// Returns the controller-manager that holds the Lease, and how often the Lease has changed hands.
pub async fn elected(client: &Client) -> Result<(MemberName, i32), String> {
    let leases: Api<Lease> = Api::new(client.clone(), "kube-system");
    let lease = leases.get("kube-controller-manager").await.map_err(|error| error.to_string())?;
    let holder = lease.spec.holder_identity.unwrap_or_default().parse()?;
    Ok((holder, lease.spec.lease_transitions.unwrap_or(0)))
}
