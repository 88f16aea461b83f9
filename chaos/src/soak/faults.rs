//! What is done to the apiservers, one fault after the other.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use squall_client::Client;
use squall_cluster::{Cluster, MemberName, Role};

use super::ledger::Ledger;
use super::{Plan, random_pause};
use crate::{leaders, wait_for};

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The leader is killed (SIGKILL) and started again at once.
    KillLeader,
    /// Some member is killed and comes back a while later.
    KillOne,
    /// Some member is frozen (SIGSTOP) for a while: it answers nothing, and nobody closes its connections.
    Freeze,
    /// Some member is asked to end (SIGTERM) and started again.
    Restart,
    /// Two members are killed: there is no quorum for a while.
    KillTwo,
    /// All members are killed at the same moment.
    PowerCut,
}

impl Fault {
    const ALL: [Self; 6] =
        [Self::KillLeader, Self::KillOne, Self::Freeze, Self::Restart, Self::KillTwo, Self::PowerCut];
}

/// Makes faults until there were enough of them and of writes. Returns how many of each.
pub async fn run(
    plan: &Plan,
    cluster: &mut Cluster,
    client: &Client,
    ledger: &RefCell<Ledger>,
    told: &mut impl FnMut(String),
) -> anyhow::Result<Vec<(Fault, u64)>> {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut counts: BTreeMap<Fault, u64> = BTreeMap::new();
    loop {
        let (made, written) = (counts.values().sum::<u64>(), ledger.borrow().acknowledged);
        if made >= plan.faults && written >= plan.writes {
            return Ok(counts.into_iter().collect());
        }
        tokio::time::sleep(random_pause(&mut random, 100..1_000)).await;
        let fault = Fault::ALL[random.usize(..Fault::ALL.len())];
        let start = ledger.borrow().start();
        let broken = make(fault, cluster, client, &mut random).await?;
        told(format!(
            "{:.3} s: fault {} of {}: {fault:?} {broken}; {written} of {} writes",
            start.elapsed().as_secs_f64(),
            made + 1,
            plan.faults,
            plan.writes
        ));
        *counts.entry(fault).or_default() += 1;
    }
}

async fn make(
    fault: Fault,
    cluster: &mut Cluster,
    client: &Client,
    random: &mut fastrand::Rng,
) -> anyhow::Result<String> {
    let mut members: Vec<MemberName> =
        cluster.members().into_iter().filter(|member| member.role == Role::Apiserver).collect();
    random.shuffle(&mut members);
    let victims = match fault {
        Fault::KillLeader => vec![wait_for("a Raft leader", || leaders::raft_leader(client)).await?.0],
        Fault::KillOne | Fault::Freeze | Fault::Restart => members[..1].to_vec(),
        Fault::KillTwo => members[..2.min(members.len())].to_vec(),
        Fault::PowerCut => members,
    };
    match fault {
        Fault::Freeze => victims.iter().try_for_each(|victim| cluster.pause(*victim))?,
        Fault::Restart => victims.iter().try_for_each(|victim| cluster.stop(*victim))?,
        Fault::KillLeader | Fault::KillOne | Fault::KillTwo | Fault::PowerCut => cluster.kill_all(&victims)?,
    }
    match fault {
        Fault::KillLeader | Fault::PowerCut => {}
        Fault::KillOne | Fault::Freeze | Fault::Restart | Fault::KillTwo => {
            tokio::time::sleep(random_pause(random, 100..2_000)).await;
        }
    }
    match fault {
        Fault::Freeze => victims.iter().try_for_each(|victim| cluster.resume(*victim))?,
        _ => victims.iter().try_for_each(|victim| cluster.start(*victim))?,
    }
    let (leader, term) = wait_for("a Raft leader", || leaders::raft_leader(client)).await?;
    let victims: Vec<String> = victims.iter().map(MemberName::to_string).collect();
    Ok(format!("{}; {leader} leads term {term}", victims.join(" ")))
}
