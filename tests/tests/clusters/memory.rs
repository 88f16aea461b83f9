//! Tests that the memory of apiservers is bounded by bytes, and not by the number of writes.

use serde_json::json;
use squall_api::core::v1::ConfigMap;
use squall_client::Api;
use squall_cluster::{MemberName, Role};
use squall_tests::Lab;

/// The length of the object, in bytes: nearly as long as it may be.
const BYTES: usize = 900_000;
/// Entries of the log that its window would keep by count: 2,000.
const WRITES: usize = 80;
/// Far below what so many versions take if they are kept, and far above what the store needs.
const MOST_MIB: f64 = 500.0;

/// While one member is frozen, its leader has to keep what that member lacks, or a snapshot.
#[tokio::test]
async fn large_objects_are_not_kept_once_for_each_write() {
    let lab = Lab::of(3, 1, 0).await.unwrap();
    let maps: Api<ConfigMap> = Api::new(lab.client.clone(), "default");
    let mut map = ConfigMap::default();
    "large".clone_into(&mut map.metadata.name);
    maps.create(map).await.unwrap();
    let leader = lab.raft_leader().await.unwrap();
    let apiservers = [0, 1, 2].map(|index| MemberName { role: Role::Apiserver, index });
    let frozen = *apiservers.iter().find(|member| **member != leader).unwrap();
    for write in 0..WRITES {
        if write == WRITES / 4 {
            lab.cluster.pause(frozen).unwrap();
        }
        let letter = char::from(b'a' + u8::try_from(write % 26).unwrap());
        maps.patch("large", &json!({"data": {"value": letter.to_string().repeat(BYTES)}})).await.unwrap();
    }
    lab.cluster.resume(frozen).unwrap();
    lab.members_agree().await.unwrap();
    for member in apiservers {
        let peak = lab.cluster.usage(member).unwrap().peak_mib();
        assert!(peak < MOST_MIB, "{member} had {peak:.0} MiB");
    }
}
