//! The faults in force in a cluster that somebody breaks by hand: found by asking every member, since nobody else keeps them.

use std::time::Duration;

use serde::Serialize;
use squall_cluster::{Cluster, MemberName, ProcessState, Role};
use squall_faults::{InForce, LinkFault, Passage, Switch, What};

/// A member that is asked has so long to answer.
const LIMIT: Duration = Duration::from_secs(1);

/// A fault in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// By which it is healed; the member's, if it is of its process.
    pub name: String,
    /// Where it is.
    pub member: MemberName,
    /// What it is.
    pub text: String,
    /// What it has done so far.
    pub receipt: String,
}

/// All of them, in the order of the members.
pub async fn in_force(cluster: &Cluster) -> Vec<Found> {
    let mut found = Vec::new();
    for member in cluster.members() {
        match cluster.state(member).0 {
            ProcessState::Paused => found.push(of_process(member, "frozen")),
            ProcessState::Stopped => found.push(of_process(member, "does not run")),
            ProcessState::Running if member.role == Role::Runtime => {}
            ProcessState::Running => found.extend(listed(cluster, member).await),
        }
    }
    found
}

fn of_process(member: MemberName, text: &str) -> Found {
    Found { name: member.to_string(), member, text: text.to_owned(), receipt: String::new() }
}

async fn listed(cluster: &Cluster, member: MemberName) -> Vec<Found> {
    let silent = |text: String| vec![of_process(member, &format!("does not say what is broken in it: {text}"))];
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

fn read(member: MemberName, in_force: InForce) -> Option<Found> {
    let fault = in_force.fault?;
    let text = text(fault.what.as_ref()?);
    let receipt = in_force.receipt.map(|receipt| receipt.text).unwrap_or_default();
    Some(Found { name: fault.name, member, text, receipt })
}

fn text(what: &What) -> String {
    let any = |text: &str| if text.is_empty() { "any".to_owned() } else { text.to_owned() };
    match what {
        What::Link(link) => link_text(link),
        What::Disk(disk) if disk.full => "the disk is full".to_owned(),
        What::Disk(disk) => format!("each fsync takes {} ms longer", disk.sync_delay_ms),
        What::Clock(clock) => format!("the clock is wrong by {} ms", clock.skew_ms),
        What::Watch(watch) => {
            let late = if watch.delay_ms == 0 { "held back".to_owned() } else { format!("{} ms late", watch.delay_ms) };
            format!("changes of {} {} are {late}", any(&watch.kind), any(&watch.object))
        }
    }
}

fn link_text(link: &LinkFault) -> String {
    let end = |text: &str| if text.is_empty() { "any".to_owned() } else { text.to_owned() };
    let arrow = if link.one_way { "→" } else { "↔" };
    let how = match link.passage() {
        Passage::Held => "cut".to_owned(),
        Passage::Reset => "broken off".to_owned(),
        Passage::Open => {
            let mut parts = Vec::new();
            if link.delay_ms > 0 {
                parts.push(format!("{} ms late", link.delay_ms));
            }
            if link.jitter_ms > 0 {
                parts.push(format!("up to {} ms late at random", link.jitter_ms));
            }
            if link.bytes_per_second > 0 {
                parts.push(format!("{} bytes a second", link.bytes_per_second));
            }
            parts.join(", ")
        }
    };
    format!("{} {arrow} {}: {how}", end(&link.from), end(&link.to))
}

/// A fault that was to be healed.
pub struct Healed {
    /// As it was found.
    pub fault: Found,
    /// What it had done; an error if it is still there.
    pub receipt: anyhow::Result<String>,
}

/// Heals the faults of this name, wherever they are; all of them without a name. One that cannot be healed does not spare the others.
pub async fn heal(cluster: &mut Cluster, name: Option<&str>) -> Vec<Healed> {
    let meant = |fault: &Found| name.is_none_or(|name| fault.name == name || is_part_of(&fault.name, name));
    let (mut healed, mut started) = (Vec::new(), Vec::new());
    // Those that run not first: what is broken inside of them can be told only then.
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
    // Who has just been started is whole, and cannot be asked yet.
    let may_be_broken = |fault: &Found| meant(fault) && !started.contains(&fault.member);
    for fault in in_force(cluster).await.into_iter().filter(may_be_broken) {
        if cluster.state(fault.member).0 == ProcessState::Running {
            let receipt = receipt(cluster, &fault).await;
            healed.push(Healed { fault, receipt });
        }
    }
    healed
}

async fn receipt(cluster: &Cluster, fault: &Found) -> anyhow::Result<String> {
    let switch: Switch = cluster.switch(fault.member)?;
    Ok(switch.heal(&fault.name).await?.text)
}

/// A fault of several links has a name for each: `cut/0`, `cut/1`.
fn is_part_of(part: &str, name: &str) -> bool {
    part.rsplit_once('/').is_some_and(|(whole, number)| whole == name && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_words() {
        let link = LinkFault { from: "client-0".to_owned(), delay_ms: 20, jitter_ms: 5, ..LinkFault::default() };
        assert_eq!(text(&What::Link(link.clone())), "client-0 ↔ any: 20 ms late, up to 5 ms late at random");
        let cut = LinkFault { passage: Passage::Held.into(), one_way: true, ..link };
        assert_eq!(text(&What::Link(cut)), "client-0 → any: cut");
    }

    #[test]
    fn parts_belong_to_their_whole() {
        assert!(is_part_of("cut/0", "cut") && is_part_of("a/b/12", "a/b"));
        assert!(!is_part_of("cut/x", "cut") && !is_part_of("cut", "cut") && !is_part_of("other/0", "cut"));
    }
}
