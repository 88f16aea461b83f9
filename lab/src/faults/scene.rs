//! Resolves victims to members at the moment of the fault.

use anyhow::{Context, bail};
use squall_client::{Client, wait_for};
use squall_cluster::{Cluster, End, MemberName, Role, leaders};
use tokio::sync::Mutex;

use super::{Commands, LinkEnd, Victim};

/// The targets that a fault can affect.
pub struct Scene<'a> {
    /// The cluster under test.
    pub cluster: &'a Mutex<Cluster>,
    /// A client that no fault affects.
    pub client: &'a Client,
    /// The background commands of the arm.
    pub commands: &'a Commands,
    /// The number of the arm's own client, for its links.
    pub slot: usize,
}

fn of_role(members: &[MemberName], role: Role) -> Vec<MemberName> {
    members.iter().copied().filter(|member| member.role == role).collect()
}

impl Scene<'_> {
    /// Returns the members that a victim stands for now.
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

    /// Returns the ends of links that a place stands for now; `None` means any end.
    pub async fn ends(&self, place: &LinkEnd) -> anyhow::Result<Vec<Option<End>>> {
        Ok(match place {
            LinkEnd::Any => vec![None],
            LinkEnd::Client => vec![Some(End::Client(self.slot))],
            LinkEnd::Victim(Victim::Node(index)) => {
                vec![Some(End::Member(MemberName { role: Role::Kubelet, index: *index }))]
            }
            LinkEnd::Victim(victim) => {
                let members = self.members(victim).await.context("resolving one end of a link")?;
                members.into_iter().map(|member| Some(End::Member(member))).collect()
            }
        })
    }
}
