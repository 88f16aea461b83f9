//! openraft's types with our parameters.

use std::fmt::{self, Display};

use bytes::Bytes;
use openraft::impls::BasicNode;
use serde::{Deserialize, Serialize};

use crate::store::Outcome;

openraft::declare_raft_types!(
    /// The type parameters of our Raft group.
    pub TypeConfig:
        D = Command,
        R = Outcomes,
        NodeId = u64,
        Node = BasicNode,
        AsyncRuntime = openraft_rt_tokio::TokioRuntime,
);

pub type Raft = openraft::Raft<TypeConfig, super::machine::StateMachine>;
/// The current leader, with a signal when it changes.
pub type Leadership = openraft::alias::WatchReceiverOf<TypeConfig, openraft::metrics::RaftServerMetrics<TypeConfig>>;
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
pub type Payload = openraft::EntryPayload<Command, u64, BasicNode>;
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
pub type LeaderId = openraft::alias::LeaderIdOf<TypeConfig>;
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;

/// A batch of transactions, encoded once for disk and network alike.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command(pub Bytes);

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.0.len())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The outcomes of a command's transactions, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcomes(pub Vec<Outcome>);
