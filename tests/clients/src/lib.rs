//! Shared code of the tests with `kube`, an external client. This is a separate crate because `kube` enables features
//! of crates that the programs use, and the programs must be tested as they are built.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use squall_tests::Lab;

/// Returns a client of one member; `kube` supports only one address.
pub async fn client_of(lab: &Lab, index: usize) -> Client {
    let kubeconfig = Kubeconfig::read_from(lab.cluster.kubeconfig()).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.cluster_url = lab.cluster.apiserver_url(index).parse().unwrap();
    Client::try_from(config).unwrap()
}
