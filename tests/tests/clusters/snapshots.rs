//! Tests snapshots: saved from a running cluster, verified, and restored as a new cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use squall_tests::Scratch;

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");
const SHAPE: &str = "--apiservers 1 --controller-managers 1 --nodes 1";

#[tokio::test]
async fn a_cluster_begins_with_what_another_had() {
    let (folder, ctl) = Scratch::new().unwrap();
    ctl.succeed(&format!("cluster up --detach {SHAPE}")).await.unwrap();
    assert_eq!(ctl.run_with("create -f -", KUBIA).await.unwrap().code, 0);
    ctl.succeed("rollout status deployment kubia").await.unwrap();
    let service = ctl.run("get service kubia -o json").await.unwrap().stdout;
    let saved = ctl.run("snapshot save kept").await.unwrap();
    assert!(saved.stdout.starts_with("saved ") && saved.stdout.ends_with(" in kept\n"), "{saved:?}");
    ctl.succeed("delete deployment kubia").await.unwrap();

    let status = ctl.run("snapshot status kept -o json").await.unwrap();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    let metadata = fs::metadata(folder.path().join("kept")).unwrap();
    assert_eq!(status["bytes"], metadata.len());
    // Snapshots and logs have secrets in them.
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let data = folder.path().join(".squall/data/apiserver-0/log");
    for file in fs::read_dir(data).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(status["members"].as_object().unwrap().len(), 1);

    // Its addresses are in use as long as the first cluster runs.
    let output = ctl.run("snapshot restore kept --dir again").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("stop that cluster first: the addresses 127."), "{}", output.stderr);
    ctl.succeed("cluster down").await.unwrap();

    let output = ctl.run("snapshot restore kept --dir again --nodes 1").await.unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let revision = &status["revision"];
    assert!(output.stdout.contains(&format!("objects at revision {revision}\n")), "{}", output.stdout);
    let output = ctl.run("cluster up --detach --dir again").await.unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    let again = "--kubeconfig again/kubeconfig";
    let output = ctl.run(&format!("rollout status deployment kubia {again}")).await.unwrap();
    assert!(output.stdout.ends_with("deployment \"kubia\" successfully rolled out\n"), "{output:?}");
    assert_eq!(ctl.run(&format!("get service kubia -o json {again}")).await.unwrap().stdout, service);
    // Three apiservers continue from it together.
    let output = ctl.run(&format!("scale deployment kubia --replicas=2 {again}")).await.unwrap();
    assert_eq!(output.code, 0, "{output:?}");
    ctl.succeed(&format!("rollout status deployment kubia {again}")).await.unwrap();
    ctl.succeed("cluster down --dir again").await.unwrap();
}

#[tokio::test]
async fn bad_snapshots_are_refused_and_leave_nothing() {
    let (folder, ctl) = Scratch::new().unwrap();
    let output = ctl.run("snapshot status nosuch").await.unwrap();
    assert_eq!((output.stderr.as_str(), output.code), ("error: the path \"nosuch\" does not exist\n", 1));

    ctl.succeed(&format!("cluster up --detach {SHAPE}")).await.unwrap();
    ctl.succeed("snapshot save kept").await.unwrap();
    let output = ctl.run("snapshot save nosuch/kept").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("No such file or directory"), "{}", output.stderr);
    let output = ctl.run("snapshot restore kept").await.unwrap();
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("there is already a cluster in "), "{}", output.stderr);
    ctl.succeed("cluster down").await.unwrap();

    let whole = fs::read(folder.path().join("kept")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (damaged, problem) in [(&whole[..whole.len() / 2], "failed to fill whole buffer"), (&flipped, "checksum")] {
        fs::write(folder.path().join("damaged"), damaged).unwrap();
        for command in ["snapshot status damaged", "snapshot restore damaged --dir again"] {
            let output = ctl.run(command).await.unwrap();
            assert_eq!((output.stdout.as_str(), output.code), ("", 1), "{command}");
            assert!(output.stderr.starts_with("error: snapshot damaged: "), "{}", output.stderr);
            assert!(output.stderr.contains(problem), "{}", output.stderr);
        }
        assert!(!folder.path().join("again").exists());
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".tmp")), "{left:?}");
}
