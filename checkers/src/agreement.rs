//! Checks whether all apiservers have the same state.

use std::collections::BTreeMap;

use squall_client::{Client, MemberStatus};

/// Returns the status of all apiservers if they have the same state at the same revision.
pub async fn agreed(client: &Client) -> Result<Vec<MemberStatus>, String> {
    let mut statuses = Vec::new();
    for endpoint in client.endpoints() {
        statuses.push(client.member_status(&endpoint).await.map_err(|error| format!("{endpoint}: {error}"))?);
    }
    let states: Vec<(u64, u64)> = statuses.iter().map(|status| (status.revision, status.state_hash)).collect();
    if states.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(statuses);
    }
    Err(format!("the members differ in (revision, hash): {states:x?}"))
}

/// The result of comparing all apiservers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// They have the same state.
    Same {
        /// The compared revision, which all of them have passed.
        revision: u64,
        /// The checksum of the state.
        hash: u64,
        /// The number of compared apiservers.
        members: usize,
    },
    /// They have different states.
    Different {
        /// The compared revision.
        revision: u64,
        /// The checksum of each apiserver at that revision.
        hashes: Vec<(String, u64)>,
    },
}

/// Compares all apiservers at the newest revision that each of them has passed, while they keep running. The error
/// names an apiserver that did not answer or lags too far behind.
pub async fn compare(client: &Client) -> Result<Comparison, String> {
    let mut statuses = Vec::new();
    for endpoint in client.endpoints() {
        statuses.push(client.member_status(&endpoint).await.map_err(|error| format!("{endpoint}: {error}"))?);
    }
    compare_at_common_revision(&statuses)
}

fn compare_at_common_revision(statuses: &[MemberStatus]) -> Result<Comparison, String> {
    let recent: Vec<BTreeMap<u64, u64>> = statuses
        .iter()
        .map(|status| status.recent.iter().map(|state| (state.revision, state.state_hash)).collect())
        .collect();
    let Some((first, others)) = recent.split_first() else { return Err("there is no apiserver".to_owned()) };
    let common = first.keys().rev().find(|revision| others.iter().all(|other| other.contains_key(revision)));
    let Some(revision) = common.copied() else {
        let revisions: Vec<String> =
            statuses.iter().map(|status| format!("{} is at {}", status.name, status.revision)).collect();
        return Err(format!("the apiservers are too far apart to be compared: {}", revisions.join(", ")));
    };
    let hashes: Vec<(String, u64)> =
        statuses.iter().zip(&recent).map(|(status, recent)| (status.name.clone(), recent[&revision])).collect();
    match hashes.iter().all(|(_, hash)| *hash == hashes[0].1) {
        true => Ok(Comparison::Same { revision, hash: hashes[0].1, members: hashes.len() }),
        false => Ok(Comparison::Different { revision, hashes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_client::StateAt;

    fn member(name: &str, recent: &[(u64, u64)]) -> MemberStatus {
        let recent =
            recent.iter().map(|(revision, state_hash)| StateAt { revision: *revision, state_hash: *state_hash });
        MemberStatus { name: name.to_owned(), recent: recent.collect(), ..MemberStatus::default() }
    }

    #[test]
    fn members_are_compared_where_all_of_them_have_been() {
        let same = [member("a", &[(1, 10), (2, 20), (4, 40)]), member("b", &[(1, 10), (2, 20)])];
        let expected = Comparison::Same { revision: 2, hash: 20, members: 2 };
        assert_eq!(compare_at_common_revision(&same), Ok(expected));
        let different = [member("a", &[(1, 10), (2, 20)]), member("b", &[(2, 21)])];
        let hashes = vec![("a".to_owned(), 20), ("b".to_owned(), 21)];
        assert_eq!(compare_at_common_revision(&different), Ok(Comparison::Different { revision: 2, hashes }));
        assert!(compare_at_common_revision(&[member("a", &[(1, 10)]), member("b", &[(2, 20)])]).is_err());
        assert!(compare_at_common_revision(&[]).is_err());
    }
}
