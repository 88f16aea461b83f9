//! Faults that a user injected by hand. Asks every member for them, since they are recorded nowhere else.

use std::time::Duration;

use serde::Serialize;
use squall_cluster::{Cluster, MemberName, ProcessState, Role};
use squall_faults::InForce;

use super::inside::in_words;
use super::recognise;

/// The timeout for each member.
const LIMIT: Duration = Duration::from_secs(1);

/// A fault in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Injected {
    /// The name for healing it; the member's name for a stopped or frozen process.
    pub name: String,
    /// The member that has the fault.
    pub member: MemberName,
    /// A description of the fault.
    pub text: String,
    /// Its effect so far.
    pub receipt: String,
    /// The unit of its receipt.
    #[serde(skip)]
    unit: Option<&'static str>,
}

/// Returns all faults in force, in the order of the members.
pub async fn in_force(cluster: &Cluster) -> Vec<Injected> {
    let mut found = Vec::new();
    for member in cluster.members() {
        match cluster.state(member).0 {
            ProcessState::Paused => found.push(of_process(member, "frozen")),
            ProcessState::Stopped => found.push(of_process(member, "not running")),
            ProcessState::Running if member.role == Role::Runtime => {}
            ProcessState::Running => found.extend(listed(cluster, member).await),
        }
    }
    found
}

fn of_process(member: MemberName, text: &str) -> Injected {
    Injected { name: member.to_string(), member, text: text.to_owned(), receipt: String::new(), unit: None }
}

async fn listed(cluster: &Cluster, member: MemberName) -> Vec<Injected> {
    let silent = |text: String| vec![of_process(member, &format!("cannot report its faults: {text}"))];
    let switch = match cluster.switch(member) {
        Ok(switch) => switch,
        Err(error) => return silent(format!("{error:#}")),
    };
    match tokio::time::timeout(LIMIT, switch.list()).await {
        Ok(Ok(faults)) => faults.into_iter().filter_map(|fault| read(member, fault)).collect(),
        Ok(Err(error)) => silent(format!("{error:#}")),
        Err(_) => silent(format!("no answer within {LIMIT:?}")),
    }
}

fn read(member: MemberName, in_force: InForce) -> Option<Injected> {
    let fault = in_force.fault?;
    let effect = recognise(fault.what.as_ref()?)?;
    let receipt = in_force.receipt.map(|receipt| in_words(&receipt, effect.unit)).unwrap_or_default();
    Some(Injected { name: fault.name, member, text: effect.text, receipt, unit: effect.unit })
}

/// The result of healing one fault.
pub struct Healed {
    /// The fault before healing.
    pub fault: Injected,
    /// Its effect; an error if the fault could not be healed.
    pub receipt: anyhow::Result<String>,
}

/// Heals the faults of this name on all members, or every fault without a name. An error with one fault does not
/// prevent the others.
pub async fn heal(cluster: &mut Cluster, name: Option<&str>) -> Vec<Healed> {
    let meant = |fault: &Injected| name.is_none_or(|name| fault.name == name || is_part_of(&fault.name, name));
    let (mut healed, mut started) = (Vec::new(), Vec::new());
    // Stopped and frozen members first: only a running member can report its faults.
    for fault in in_force(cluster).await.into_iter().filter(meant) {
        let done = match cluster.state(fault.member).0 {
            ProcessState::Paused => cluster.resume(fault.member),
            ProcessState::Stopped => {
                started.push(fault.member);
                cluster.start(fault.member)
            }
            ProcessState::Running => continue,
        };
        healed.push(Healed { fault, receipt: done.map(|()| String::new()) });
    }
    // A member that was just started has no faults, and cannot answer yet.
    let may_be_broken = |fault: &Injected| meant(fault) && !started.contains(&fault.member);
    for fault in in_force(cluster).await.into_iter().filter(may_be_broken) {
        if cluster.state(fault.member).0 == ProcessState::Running {
            let receipt = receipt(cluster, &fault).await;
            healed.push(Healed { fault, receipt });
        }
    }
    healed
}

async fn receipt(cluster: &Cluster, fault: &Injected) -> anyhow::Result<String> {
    let receipt = cluster.switch(fault.member)?.heal(&fault.name).await?;
    Ok(in_words(&receipt, fault.unit))
}

/// A fault on several links has a name for each: `cut/0`, `cut/1`.
fn is_part_of(part: &str, name: &str) -> bool {
    part.rsplit_once('/').is_some_and(|(whole, number)| whole == name && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_belong_to_their_whole() {
        assert!(is_part_of("cut/0", "cut") && is_part_of("a/b/12", "a/b"));
        assert!(!is_part_of("cut/x", "cut") && !is_part_of("cut", "cut") && !is_part_of("other/0", "cut"));
    }
}
