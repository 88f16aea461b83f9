//! `kube` as the client of a test's cluster.

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
