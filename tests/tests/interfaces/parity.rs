//! Tests that kubectl and `ctl` print the same about the same objects.

use squall_tests::kubectl::Kubectl;
use squall_tests::transcript::masked;
use squall_tests::{Lab, holds, wait_for};

const KUBIA: &str = include_str!("../../../examples/chapter/kubia-deployment-and-service-v1.yaml");
const RC: &str = include_str!("../../../examples/chapter/kubia-rc-and-service-v2.yaml");
/// The version that is compared with; `ctl` reproduces the output of 1.32, which differs where the test says so.
const VERSION: &str = "1.36";

const OTHERS: &str = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, labels: {a: b}}, data: {file.txt: \"a\\nb\\n\"}, binaryData: {bin: AAEC}}
---
{apiVersion: v1, kind: Secret, metadata: {name: keys}, data: {password: czNjcmV0}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: kubia}, spec: {minAvailable: 2, selector: {matchLabels: {app: kubia}}}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: few}, spec: {hard: {pods: '20', services: '7'}}}";

/// The compared commands. Their output must not change between two runs, except for ages.
const QUESTIONS: [&str; 42] = [
    "get deploy",
    "get deploy,rs,rc,svc,po -o wide",
    "get all --show-labels",
    "get nodes",
    "get ns",
    "get endpointslices",
    "get cm,secrets,sa,pdb,quota -A",
    "get po -l app=kubia --no-headers",
    "get po -L app,pod-template-hash",
    "get po -o name",
    "get po -A -o wide --field-selector=status.phase=Running",
    "get deploy kubia -o yaml",
    "get deploy kubia -o json",
    "get deploy kubia -o yaml --show-managed-fields",
    "get rs,po -o yaml",
    "get po -o json",
    "get svc kubia -o yaml",
    "get nodes -o jsonpath={.items[*].status.nodeInfo.kubeletVersion}",
    "get po -o jsonpath='{range .items[*]}{.metadata.name}{\"\\t\"}{.status.podIP}{\"\\n\"}{end}'",
    "get po -o jsonpath='{.items[*].status.conditions[?(@.type==\"Ready\")].status}'",
    "get po -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image,NONE:.spec.nosuch",
    "get po --sort-by=.metadata.name",
    "get rs --sort-by=.spec.replicas -o name",
    "describe deploy kubia",
    "describe rs",
    "describe po -l app=kubia",
    "describe rc kubia-v2",
    "describe svc kubia",
    "describe endpoints kubia",
    "describe endpointslices",
    "describe cm settings",
    "describe secret keys",
    "describe sa default",
    "describe pdb kubia",
    "describe quota few",
    "describe ns default",
    "describe ns kube-system",
    "describe lease node-0 -n kube-node-lease",
    "rollout history deployment kubia",
    "rollout history deployment kubia --revision=2",
    "get deploy nosuch",
    "get nosuch",
];

#[tokio::test]
async fn kubectl_and_ctl_say_the_same() {
    let Some(kubectl) = Kubectl::installed().into_iter().find(|kubectl| kubectl.version == VERSION) else {
        // The gate installs it.
        assert!(std::env::var_os("CI").is_none(), "kubectl {VERSION} is not installed here");
        eprintln!("skipped: kubectl {VERSION} is not installed here");
        return;
    };
    let lab = Lab::start().await.unwrap();
    lab.create(KUBIA).await.unwrap();
    lab.create(RC.split("---").next().unwrap()).await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    lab.set_image("kubia", "luksa/kubia:v2").await.unwrap();
    lab.rolled_out("kubia").await.unwrap();
    lab.create(OTHERS).await.unwrap();
    let ctl = lab.ctl().unwrap().shell(&lab.cluster.kubeconfig());
    wait_for("the old pods to be gone", || async {
        let pods = ctl.run("ctl get po --no-headers").await.unwrap().stdout;
        holds(pods.lines().count() == 6 && !pods.contains("0/1"), pods)
    })
    .await
    .unwrap();
    let real = kubectl.shell(&ctl.folder, &lab.cluster.kubeconfig());
    let mut different = Vec::new();
    for question in QUESTIONS {
        // By itself, kubectl 1.36 shows the events of a single object only; `ctl` follows 1.32, which always does.
        let question = question.replace("describe ", "describe --show-events=true ");
        // An age can change between the two commands.
        let (one, other) = (
            ctl.run(&format!("ctl {question}")).await.unwrap(),
            real.run(&format!("kubectl {question}")).await.unwrap(),
        );
        let text = |output: &squall_tests::Output| {
            let stdout = as_both_say(&masked(&output.stdout).unwrap());
            (output.code, stdout, output.stderr.replace("kubectl", "ctl"))
        };
        let (ours, theirs) = (text(&one), text(&other));
        if ours != theirs {
            let first = ours.1.lines().zip(theirs.1.lines()).find(|(one, other)| one != other);
            different.push(format!("{question}: first in {first:#?}\nctl: {ours:#?}\nkubectl: {theirs:#?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Leaves out what only one version prints: 1.36 names the container in the message of an event, 1.32 lists the secrets
/// of a service account.
fn as_both_say(text: &str) -> String {
    let text = text.replace("spec.containers{nodejs}: ", "");
    let of_one = |line: &&str| ["Mountable secrets:", "Tokens:"].iter().all(|start| !line.starts_with(start));
    text.lines().filter(of_one).collect::<Vec<_>>().join("\n")
}
