//! Who is meant, at the moment at which it is asked.

use anyhow::{Context, bail};
use squall_client::Client;
use squall_cluster::{Cluster, End, MemberName, Role};
use tokio::sync::Mutex;

use crate::scenario::{Place, Victim};
use crate::stage::Commands;
use squall_client::wait_for;
use squall_cluster::leaders;

/// What can be broken.
pub struct Scene<'a> {
    /// The cluster.
    pub cluster: &'a Mutex<Cluster>,
    /// A client of it that no fault concerns.
    pub client: &'a Client,
    /// The commands that run beside.
    pub commands: &'a Commands,
    /// The number of the arm's own client.
    pub slot: usize,
}

fn of_role(members: &[MemberName], role: Role) -> Vec<MemberName> {
    members.iter().copied().filter(|member| member.role == role).collect()
}

impl Scene<'_> {
    /// The members that a victim means now.
    pub async fn members(&self, victim: &Victim) -> anyhow::Result<Vec<MemberName>> {
        let all = self.cluster.lock().await.members();
        let found = match victim {
            Victim::Member(member) => vec![*member],
            Victim::Node(index) => {
                [Role::Runtime, Role::Kubelet].map(|role| MemberName { role, index: *index }).to_vec()
            }
            Victim::All(role) => of_role(&all, *role),
            Victim::RaftLeader => vec![self.raft_leader().await?],
            Victim::RaftFollower => {
                let leader = self.raft_leader().await?;
                of_role(&all, Role::Apiserver).into_iter().find(|member| *member != leader).into_iter().collect()
            }
            Victim::Quorum => {
                let leader = self.raft_leader().await?;
                let apiservers = of_role(&all, Role::Apiserver);
                let enough = apiservers.len() / 2;
                let others = apiservers.into_iter().filter(|member| *member != leader);
                std::iter::once(leader).chain(others.take(enough)).collect()
            }
            Victim::ControllerLeader => vec![self.elected().await?],
            Victim::ControllerStandby => {
                let leader = self.elected().await?;
                of_role(&all, Role::ControllerManager)
                    .into_iter()
                    .find(|member| *member != leader)
                    .into_iter()
                    .collect()
            }
            Victim::Client(name) => bail!("{name} is a command, and no member"),
        };
        match found.iter().find(|member| !all.contains(member)) {
            Some(missing) => bail!("the cluster has no member {missing}"),
            None if found.is_empty() => bail!("the cluster has no {victim}"),
            None => Ok(found),
        }
    }

    async fn raft_leader(&self) -> anyhow::Result<MemberName> {
        Ok(wait_for("a Raft leader", || leaders::raft_leader(self.client)).await?.0)
    }

    async fn elected(&self) -> anyhow::Result<MemberName> {
        Ok(wait_for("an elected controller-manager", || leaders::elected(self.client)).await?.0)
    }

    /// The ends of links that a place means now; none: any.
    pub async fn ends(&self, place: &Place) -> anyhow::Result<Vec<Option<End>>> {
        Ok(match place {
            Place::Any => vec![None],
            Place::Client => vec![Some(End::Client(self.slot))],
            Place::Victim(Victim::Node(index)) => {
                vec![Some(End::Member(MemberName { role: Role::Kubelet, index: *index }))]
            }
            Place::Victim(victim) => {
                let members = self.members(victim).await.context("one end of a link")?;
                members.into_iter().map(|member| Some(End::Member(member))).collect()
            }
        })
    }
}
