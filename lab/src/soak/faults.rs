//! What is done to the apiservers, one fault after the other.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use squall_client::Client;
use squall_cluster::{Cluster, MemberName, Role};
use squall_faults::{LinkFault, Passage, What};

use super::{Plan, random_pause};
use squall_checkers::ledger::Ledger;
use squall_client::wait_for;
use squall_cluster::leaders;

/// The name of what is cut: one fault comes after the other.
const CUT: &str = "soak";

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
    /// Nothing comes through between some member and the others for a while; clients reach all of them.
    CutOff,
    /// What some member sends to another does not come through; the other way it does.
    CutOneWay,
    /// All connections between some member and the others are broken off, and new ones, for a while.
    Reset,
}

impl Fault {
    const ALL: [Self; 9] = [
        Self::KillLeader,
        Self::KillOne,
        Self::Freeze,
        Self::Restart,
        Self::KillTwo,
        Self::PowerCut,
        Self::CutOff,
        Self::CutOneWay,
        Self::Reset,
    ];
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
    let count = match fault {
        Fault::PowerCut => members.len(),
        Fault::KillTwo | Fault::CutOneWay => 2,
        Fault::KillLeader | Fault::KillOne | Fault::Freeze | Fault::Restart | Fault::CutOff | Fault::Reset => 1,
    };
    members.truncate(count);
    if fault == Fault::KillLeader {
        members = vec![wait_for("a Raft leader", || leaders::raft_leader(client)).await?.0];
    }
    break_them(fault, cluster, &members).await?;
    if !matches!(fault, Fault::KillLeader | Fault::PowerCut) {
        tokio::time::sleep(random_pause(random, 100..2_000)).await;
    }
    mend(fault, cluster, &members).await?;
    let (leader, term) = wait_for("a Raft leader", || leaders::raft_leader(client)).await?;
    let victims: Vec<String> = members.iter().map(MemberName::to_string).collect();
    Ok(format!("{}; {leader} leads term {term}", victims.join(" ")))
}

async fn break_them(fault: Fault, cluster: &mut Cluster, members: &[MemberName]) -> anyhow::Result<()> {
    match fault {
        Fault::Freeze => members.iter().try_for_each(|member| cluster.pause(*member)),
        Fault::Restart => members.iter().try_for_each(|member| cluster.stop(*member)),
        Fault::KillLeader | Fault::KillOne | Fault::KillTwo | Fault::PowerCut => cluster.kill_all(members),
        Fault::CutOff | Fault::CutOneWay => cut(fault, cluster, members, Passage::Held).await,
        Fault::Reset => cut(fault, cluster, members, Passage::Reset).await,
    }
}

async fn mend(fault: Fault, cluster: &mut Cluster, members: &[MemberName]) -> anyhow::Result<()> {
    match fault {
        Fault::Freeze => members.iter().try_for_each(|member| cluster.resume(*member)),
        Fault::CutOff | Fault::CutOneWay | Fault::Reset => Ok(cluster.links()?.heal(CUT).await.map(drop)?),
        Fault::KillLeader | Fault::KillOne | Fault::Restart | Fault::KillTwo | Fault::PowerCut => {
            members.iter().try_for_each(|member| cluster.start(*member))
        }
    }
}

async fn cut(fault: Fault, cluster: &Cluster, members: &[MemberName], passage: Passage) -> anyhow::Result<()> {
    let name = |place: usize| members.get(place).map(MemberName::to_string).unwrap_or_default();
    let (to, one_way) = if fault == Fault::CutOneWay { (name(1), true) } else { (String::new(), false) };
    let link = LinkFault { from: name(0), to, passage: passage.into(), one_way, ..LinkFault::default() };
    let fault = squall_faults::Fault { name: CUT.to_owned(), what: Some(What::Link(link)) };
    Ok(cluster.links()?.inject(fault).await?)
}
