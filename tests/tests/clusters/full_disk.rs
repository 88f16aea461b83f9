//! Tests that an apiserver that can no longer write stops, the others continue, and it comes back when it can write
//! again.

use std::collections::BTreeSet;
use std::fs;

use squall_api::Kind;
use squall_api::core::v1::ConfigMap;
use squall_client::Api;
use squall_cluster::{MemberName, ProcessState};
use squall_tests::processes::limit_files;
use squall_tests::{Lab, wait_for};

/// More than the log of the first second, and far less than everything that is written.
const LIMIT: u64 = 256 << 10;

/// Creates objects in sequence until the member has stopped; returns those that were acknowledged.
async fn write_until_stopped(lab: &Lab, member: MemberName, round: usize) -> anyhow::Result<BTreeSet<String>> {
    let api: Api<ConfigMap> = Api::new(lab.client.clone(), "default");
    let mut acknowledged = BTreeSet::new();
    for number in 0..1_000 {
        let mut object = ConfigMap::default();
        object.metadata.name = format!("written-{round}-{number}");
        object.data.insert("value".to_owned(), "x".repeat(4_000));
        acknowledged.insert(api.create(object).await?.metadata.name);
        if lab.cluster.state(member).0 == ProcessState::Stopped {
            return Ok(acknowledged);
        }
    }
    anyhow::bail!("{member} runs on after {} writes", acknowledged.len())
}

#[tokio::test]
async fn a_member_that_cannot_write_stops_and_comes_back() {
    let mut lab = Lab::of(3, 1, 0).await.unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..2 {
        let leader = lab.raft_leader().await.unwrap();
        let members = lab.cluster.members().into_iter().take(3);
        // First a follower, then the leader.
        let victim = members.into_iter().find(|member| (*member == leader) == (round == 1)).unwrap();
        limit_files(lab.cluster.state(victim).1.unwrap(), LIMIT * (round as u64 + 1)).unwrap();
        let written = write_until_stopped(&lab, victim, round).await;
        acknowledged.extend(written.unwrap_or_else(|error| panic!("while {victim} could not write: {error:#}")));
        let log = fs::read_to_string(lab.cluster.log(victim)).unwrap();
        assert!(log.contains("raft stopped") && log.contains("File too large"), "{log}");
        lab.cluster.start(victim).unwrap();
        wait_for("the member to come back", || async { lab.members_agree().await }).await.unwrap();
    }
    let stored = lab.list(Kind::ConfigMap).await.unwrap();
    let stored: BTreeSet<String> = stored.iter().map(|object| object.meta().name.clone()).collect();
    assert_eq!(acknowledged.difference(&stored).collect::<Vec<_>>(), Vec::<&String>::new());
}
