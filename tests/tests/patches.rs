//! `ctl patch` with each kind of patch: the server's own code applies them.

use squall_tests::Lab;

const KUBIA: &str = include_str!("../../examples/chapter/kubia-deployment-v1.yaml");

#[tokio::test]
async fn each_kind_of_patch_does_what_it_says() {
    let lab = Lab::of(1, 1, 0).await.unwrap();
    lab.create(KUBIA).await.unwrap();
    let ctl = lab.ctl().unwrap();
    for (arguments, printed) in [
        ("--type merge -p {\"spec\":{\"minReadySeconds\":10}}", "deployment.apps/kubia patched\n"),
        ("--type merge -p {\"spec\":{\"minReadySeconds\":10}}", "deployment.apps/kubia patched (no change)\n"),
        (
            "-p {\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"more\",\"image\":\"x:1\"}]}}}}",
            "deployment.apps/kubia patched\n",
        ),
        ("--type json -p [{\"op\":\"remove\",\"path\":\"/spec/minReadySeconds\"}]", "deployment.apps/kubia patched\n"),
    ] {
        let output = ctl.run(&format!("patch deployment kubia {arguments}")).await.unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (0, printed), "{arguments}: {}", output.stderr);
    }
    let spec = lab.deployments().get("kubia").await.unwrap().spec;
    let names: Vec<&str> = spec.template.spec.containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!((names.as_slice(), spec.min_ready_seconds), (&["more", "nodejs"][..], 0), "lists merge by name");
    let refused = ctl
        .run("patch deployment kubia --type json -p [{\"op\":\"test\",\"path\":\"/spec/replicas\",\"value\":99}]")
        .await
        .unwrap();
    assert_eq!(refused.code, 1, "{}", refused.stdout);
}
