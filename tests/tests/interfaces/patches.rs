//! Tests `ctl patch` with each kind of patch, and the patch of `ctl apply`: the server's own code applies them.

use squall_tests::{Lab, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-v1.yaml");

#[tokio::test]
async fn each_kind_of_patch_does_what_it_says() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    let ctl = lab.ctl().unwrap();
    for (arguments, printed) in [
        ("--type merge -p {\"spec\":{\"minReadySeconds\":10}}", "deployment.apps/kubia patched\n"),
        (
            "-p {\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"more\",\"image\":\"x:1\"}]}}}}",
            "deployment.apps/kubia patched\n",
        ),
        ("--type json -p [{\"op\":\"remove\",\"path\":\"/spec/minReadySeconds\"}]", "deployment.apps/kubia patched\n"),
    ] {
        let output = ctl.run(&format!("patch deployment kubia {arguments}")).await.unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (0, printed), "{arguments}: {}", output.stderr);
    }
    // A controller may write between the read and the patch, which looks like a change.
    wait_for("a patch that changes nothing", || async {
        let output = ctl.run("patch deployment kubia -p {\"spec\":{\"paused\":false}}").await.unwrap();
        holds(output.stdout == "deployment.apps/kubia patched (no change)\n", output.stdout)
    })
    .await
    .unwrap();
    let spec = lab.deployments().get("kubia").await.unwrap().spec;
    let names: Vec<&str> = spec.template.spec.containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!((names.as_slice(), spec.min_ready_seconds), (&["more", "nodejs"][..], 0), "lists merge by name");
    let refused = ctl
        .run("patch deployment kubia --type json -p [{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":99}]")
        .await
        .unwrap();
    assert_eq!(refused.code, 1, "{}", refused.stdout);
}

#[tokio::test]
async fn apply_leaves_alone_what_others_added() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    let ctl = lab.ctl().unwrap();
    let file = lab.cluster.folder().join("kubia.yaml");
    let apply = async |manifest: &str| {
        std::fs::write(&file, manifest).unwrap();
        let output = ctl.run(&format!("apply -f {}", file.display())).await.unwrap();
        assert_eq!(output.stderr, "");
        output.stdout
    };
    assert_eq!(apply(KUBIA).await, "deployment.apps/kubia created\n");
    let sidecar =
        "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"sidecar\",\"image\":\"luksa/kubia:v1\"}]}}}}";
    ctl.run(&format!("patch deployment kubia -p {sidecar}")).await.unwrap();
    assert_eq!(apply(KUBIA).await, "deployment.apps/kubia unchanged\n");
    assert_eq!(apply(&KUBIA.replace("kubia:v1", "kubia:v2")).await, "deployment.apps/kubia configured\n");
    let kubia = lab.deployments().get("kubia").await.unwrap();
    let containers = &kubia.spec.template.spec.containers;
    let images: Vec<(&str, &str)> =
        containers.iter().map(|container| (container.name.as_str(), container.image.as_str())).collect();
    assert_eq!(images, [("sidecar", "luksa/kubia:v1"), ("nodejs", "luksa/kubia:v2")]);
    assert_eq!(
        kubia.metadata.managed_fields.first().map(|entry| entry.manager.as_str()),
        Some("ctl-client-side-apply")
    );
}
