//! Tests an operator that brings a kind of its own, written with `kube` as its users write it: a derived definition, a
//! finalizer, a Deployment of its own by server-side apply, and a status. It runs by the token of a service account,
//! with the rights of its manifest alone, through the death of the leader.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher;
use kube::{Client, Config, CustomResource, CustomResourceExt, Resource, ResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use squall_client_tests::client_of;
use squall_tests::{Ctl, Lab, wait_for};

const NAME: &str = "website-operator";

/// The last failure of the operator.
type Failure = Arc<Mutex<String>>;

const RIGHTS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: website-operator}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: website-operator}
rules:
- apiGroups: [example.com]
  resources: [websites]
  verbs: [get, list, watch, patch, update]
- apiGroups: [example.com]
  resources: [websites/status, websites/finalizers]
  verbs: [get, patch, update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: website-operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: website-operator}
subjects: [{kind: ServiceAccount, name: website-operator, namespace: default}]
"#;

/// A website, which is served by a Deployment.
#[derive(CustomResource, Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Website", namespaced, status = "WebsiteStatus")]
struct WebsiteSpec {
    image: String,
    #[schemars(range(min = 1, max = 9))]
    replicas: i32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
struct WebsiteStatus {
    /// The generation that the Deployment is made from.
    observed_generation: i64,
}

async fn reconcile(
    website: Arc<Website>,
    client: Arc<Client>,
) -> Result<Action, Arc<kube::runtime::finalizer::Error<kube::Error>>> {
    let websites: Api<Website> = Api::default_namespaced((*client).clone());
    let step = |event| async {
        match event {
            Event::Apply(website) => apply(&website, &client).await,
            // The collector takes what it owns.
            Event::Cleanup(_) => Ok(Action::await_change()),
        }
    };
    finalizer(&websites, "example.com/website", website, step).await.map_err(Arc::new)
}

async fn apply(website: &Website, client: &Client) -> Result<Action, kube::Error> {
    let labels = json!({"website": website.name_any()});
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": website.name_any(), "ownerReferences": [website.controller_owner_ref(&())]},
        "spec": {"replicas": website.spec.replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "web", "image": website.spec.image}]}}},
    });
    let ours = PatchParams::apply(NAME).force();
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    deployments.patch(&website.name_any(), &ours, &Patch::Apply(deployment)).await?;
    let websites: Api<Website> = Api::default_namespaced(client.clone());
    let status = json!({"apiVersion": Website::api_version(&()), "kind": Website::kind(&()),
        "status": {"observed_generation": website.metadata.generation}});
    websites.patch_status(&website.name_any(), &ours, &Patch::Apply(status)).await?;
    Ok(Action::requeue(Duration::from_secs(60)))
}

/// Returns a client of the operator's own account, of one member.
async fn own_client(lab: &Lab, ctl: &Ctl, index: usize) -> Client {
    let text = ctl.succeed(&format!("create token {NAME} -o kubeconfig")).await.unwrap().stdout;
    let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.cluster_url = lab.cluster.apiserver_url(index).parse().unwrap();
    Client::try_from(config).unwrap()
}

/// Runs the operator. A failure is retried; if the test fails, it shows the last one.
async fn run(client: Client, failure: Failure) {
    let websites: Api<Website> = Api::default_namespaced(client.clone());
    let deployments: Api<Deployment> = Api::default_namespaced(client.clone());
    Controller::new(websites, watcher::Config::default())
        .owns(deployments, watcher::Config::default())
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_millis(200)), Arc::new(client))
        .for_each(|done| {
            if let Err(error) = done {
                *failure.lock().unwrap() = format!("{error}: {:?}", std::error::Error::source(&error));
            }
            std::future::ready(())
        })
        .await;
}

/// Waits until the Deployment and the status say this number of replicas.
async fn serves(admin: &Client, failure: &Failure, replicas: i32) {
    let deployments: Api<Deployment> = Api::default_namespaced(admin.clone());
    let websites: Api<Website> = Api::default_namespaced(admin.clone());
    let reached = wait_for("the operator to do its work", || async {
        let deployment = deployments.get_opt("shop").await.map_err(|error| error.to_string())?;
        let website = websites.get("shop").await.map_err(|error| error.to_string())?;
        let has = deployment.as_ref().and_then(|deployment| deployment.spec.as_ref()?.replicas);
        let seen = website.status.as_ref().map(|status| status.observed_generation);
        match has == Some(replicas) && seen == website.metadata.generation {
            true => Ok(()),
            false => Err(format!(
                "{has:?} replicas, generation {seen:?}; the operator's last failure: {}",
                failure.lock().unwrap()
            )),
        }
    });
    reached.await.unwrap();
}

#[tokio::test]
async fn an_operator_brings_its_kind_and_works_with_its_own_rights_alone() {
    let mut lab = Lab::of(3, 2, 0).await.unwrap();
    let leader = lab.raft_leader().await.unwrap();
    let survivor = (leader.index + 1) % 3;
    let admin = client_of(&lab, survivor).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(admin.clone());
    definitions.create(&PostParams::default(), &Website::crd()).await.unwrap();
    await_condition(definitions, "websites.example.com", conditions::is_crd_established()).await.unwrap();
    let ctl = lab.ctl().unwrap();
    std::fs::write(lab.cluster.folder().parent().unwrap().join("rights.yaml"), RIGHTS).unwrap();
    ctl.succeed("apply -f rights.yaml").await.unwrap();

    let own = own_client(&lab, &ctl, survivor).await;
    let secrets: Api<Secret> = Api::default_namespaced(own.clone());
    let refused = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.is_forbidden()));
    let failure = Failure::default();
    let operator = tokio::spawn(run(own, failure.clone()));

    let websites: Api<Website> = Api::default_namespaced(admin.clone());
    let wrong = Website::new("shop", WebsiteSpec { image: "nginx:1".to_owned(), replicas: 10 });
    let refused = websites.create(&PostParams::default(), &wrong).await.unwrap_err().to_string();
    assert!(refused.contains("spec.replicas in body should be less than or equal to 9"), "{refused}");
    let website = Website::new("shop", WebsiteSpec { image: "nginx:1".to_owned(), replicas: 2 });
    websites.create(&PostParams::default(), &website).await.unwrap();
    serves(&admin, &failure, 2).await;

    lab.cluster.kill(leader).unwrap();
    let more = json!({"spec": {"replicas": 3}});
    let grown = wait_for("a new leader", || async {
        let patched = websites.patch("shop", &PatchParams::default(), &Patch::Merge(&more)).await;
        patched.map(drop).map_err(|error| error.to_string())
    });
    grown.await.unwrap();
    serves(&admin, &failure, 3).await;

    websites.delete("shop", &DeleteParams::default()).await.unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(admin.clone());
    let gone = wait_for("the website and its Deployment to go", || async {
        let left = (websites.get_opt("shop").await, deployments.get_opt("shop").await);
        match left {
            (Ok(None), Ok(None)) => Ok(()),
            left => Err(format!("{left:?}")),
        }
    });
    gone.await.unwrap();
    operator.abort();
}
