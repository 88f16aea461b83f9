//! Tests real kubectl against a cluster: it prints what it prints against Kubernetes.
//!
//! The transcripts in `tests/kubectl` are run as they are; `UPDATE_TRANSCRIPTS=1` rewrites them.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends where it fails, and says what it skips")]

use std::path::{Path, PathBuf};

use squall_tests::kubectl::Kubectl;
use squall_tests::transcript::Transcript;
use squall_tests::{Lab, Scratch};

/// The kubectl version of the transcripts.
const WRITTEN_WITH: &str = "1.36";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns a folder with the chapter's manifests.
fn folder_with_manifests() -> Scratch {
    let (scratch, _) = Scratch::new().unwrap();
    for entry in std::fs::read_dir(root().join("examples/chapter")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, scratch.path().join(path.file_name().unwrap())).unwrap();
    }
    scratch
}

/// Logs that a test is skipped. The gate installs kubectl: there, nothing may be skipped.
pub fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("skipped: {why}");
}

async fn follows_its_transcript(name: &str) {
    let Some(kubectl) = Kubectl::installed().into_iter().find(|kubectl| kubectl.version == WRITTEN_WITH) else {
        return skipped(&format!("kubectl {WRITTEN_WITH} is not installed here"));
    };
    let (lab, scratch) = (Lab::start().await.unwrap(), folder_with_manifests());
    let file = root().join("tests/kubectl").join(name);
    let expected = std::fs::read_to_string(&file).unwrap();
    let transcript = Transcript::parse(&expected);
    let printed = transcript.play(&kubectl.shell(scratch.path(), &lab.cluster.kubeconfig())).await.unwrap();
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    let first = expected.lines().zip(printed.lines()).find(|(expected, printed)| expected != printed);
    assert!(expected == printed, "{name} differs, first in {first:#?}\nprinted was:\n{printed}");
}

#[tokio::test]
async fn kubectl_applies_replaces_and_edits() {
    follows_its_transcript("apply.txt").await;
}

#[tokio::test]
async fn kubectl_is_told_what_is_wrong() {
    follows_its_transcript("errors.txt").await;
}

#[tokio::test]
async fn kubectl_does_everything_else() {
    follows_its_transcript("verbs.txt").await;
}

#[tokio::test]
async fn every_installed_kubectl_works() {
    let installed = Kubectl::installed();
    if installed.is_empty() {
        return skipped("kubectl is not installed here");
    }
    let (lab, scratch) = (Lab::start().await.unwrap(), folder_with_manifests());
    let kubeconfig = lab.cluster.kubeconfig();
    for kubectl in installed {
        for command in [
            "kubectl create -f kubia-deployment-v1.yaml",
            "kubectl rollout status deployment kubia --timeout=60s",
            "kubectl apply -f kubia-deployment-v2.yaml",
            "kubectl apply --server-side --force-conflicts -f kubia-deployment-v2.yaml",
            "kubectl get deployments,replicasets,pods -o wide",
            "kubectl get deployment kubia -o json && kubectl get deployment kubia -o yaml",
            "kubectl describe deployment kubia && kubectl describe nodes",
            "kubectl explain deployment.spec.strategy | grep -q rollingUpdate",
            "kubectl scale deployment kubia --replicas=2 && kubectl label deployment kubia a=b",
            "kubectl patch deployment kubia -p '{\"spec\":{\"minReadySeconds\":0}}'",
            "kubectl rollout history deployment kubia && kubectl rollout undo deployment kubia",
            "kubectl wait --for=condition=available deployment/kubia --timeout=60s",
            "kubectl rollout status deployment kubia --timeout=60s",
            "kubectl logs deployment/kubia && kubectl events && kubectl api-resources",
            "kubectl diff -f kubia-deployment-v1.yaml; test $? -le 1",
            "kubectl auth can-i create pods",
            "kubectl delete -f kubia-deployment-v1.yaml",
            "kubectl wait --for=delete pods -l app=kubia --timeout=60s",
        ] {
            let output = kubectl.shell(scratch.path(), &kubeconfig).run(command).await.unwrap();
            assert_eq!(output.code, 0, "kubectl {}: {command}: {output:#?}", kubectl.version);
        }
    }
}
