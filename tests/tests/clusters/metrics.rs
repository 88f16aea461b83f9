//! Tests the metrics of apiservers, as `ctl cluster metrics` prints them.

use squall_tests::{Ctl, Lab};

async fn value(ctl: &Ctl, name: &str) -> Option<f64> {
    let text = ctl.run("cluster metrics apiserver-0").await.ok()?.stdout;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn what_an_apiserver_does_is_counted() {
    let lab = Lab::of(1, 1, 1).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let counted = [
        "squall_log_fsync_duration_seconds_count",
        "squall_apply_duration_seconds_count",
        "squall_commit_duration_seconds_count",
        "squall_proposals_total{outcome=\"Applied\"}",
        "squall_store_revision",
        "squall_store_objects",
        "squall_log_size_bytes",
    ];
    let mut before = Vec::new();
    for name in counted {
        before.push(value(&ctl, name).await.unwrap_or_else(|| panic!("{name} is not there")));
    }
    let output =
        ctl.run_with("create -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: counted}\n").await.unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    for (name, before) in counted.into_iter().zip(before) {
        let after = value(&ctl, name).await.unwrap();
        assert!(after > before, "{name} was {before} and is {after}");
    }
    // The controllers and the kubelet watch.
    assert!(value(&ctl, "squall_watchers").await.unwrap() > 5.0);
    assert_eq!(value(&ctl, "squall_raft_is_leader").await, Some(1.0));
    assert_eq!(value(&ctl, "squall_raft_leader_changes_total").await, Some(1.0));
    assert_eq!(value(&ctl, "squall_dropped_watchers_total").await, Some(0.0));

    let output = ctl.run("cluster metrics apiserver-7").await.unwrap();
    assert_eq!((output.stderr.as_str(), output.code), ("error: this cluster has no apiserver apiserver-7\n", 1));
}
