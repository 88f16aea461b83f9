//! What is tested with `kube`, a client that is not ours: a crate of its own, since `kube` turns on features of crates
//! that the programs use, and they are to be tested as they are built.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use squall_tests::Lab;

/// A client that asks one member, which is all that `kube` knows.
pub async fn client_of(lab: &Lab, index: usize) -> Client {
    let kubeconfig = Kubeconfig::read_from(lab.cluster.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.cluster_url = lab.cluster.apiserver_url(index).parse().unwrap();
    Client::try_from(config).unwrap()
}
