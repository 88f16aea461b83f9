//! Reads and writes replication controllers and their pods.

use std::time::Duration;

use squall_api::core::v1::{Pod, ReplicationController};
use squall_api::error::Reason;
use squall_api::labels::Selector;
use squall_api::metav1::v1::ObjectMeta;
use squall_api::{Kind, Object};
use squall_client::{Api, Client, DeleteRequest, Error, ResourceRef};

use crate::context::Context;

/// kubectl's `retry.DefaultBackoff`: number of attempts, first wait and growth factor.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(10);
const GROWTH: u32 = 5;

/// The controllers of a namespace.
pub struct Controllers {
    client: Client,
    namespace: String,
    api: Api<ReplicationController>,
    pods: Api<Pod>,
}

impl Controllers {
    /// The controllers of the command's namespace.
    pub fn new(context: &Context) -> Self {
        let (client, namespace) = (context.client.clone(), context.namespace.clone());
        Self {
            api: Api::new(client.clone(), &namespace),
            pods: Api::new(client.clone(), &namespace),
            client,
            namespace,
        }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn resource(&self, name: &str) -> ResourceRef {
        ResourceRef::object(Kind::ReplicationController, &self.namespace, name)
    }

    pub async fn get(&self, name: &str) -> Result<ReplicationController, Error> {
        self.api.get(name).await
    }

    /// The controller, if there is one of this name.
    pub async fn find(&self, name: &str) -> Result<Option<ReplicationController>, Error> {
        match self.api.get(name).await {
            Ok(controller) => Ok(Some(controller)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn list(&self) -> Result<Vec<ReplicationController>, Error> {
        self.api.list("", "").await
    }

    pub async fn create(&self, controller: ReplicationController) -> Result<ReplicationController, Error> {
        self.api.create(controller).await
    }

    /// Deletes a controller. Its pods stay, as is kubectl's default for controllers.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let how = DeleteRequest { propagation_policy: "Orphan".to_owned(), ..DeleteRequest::default() };
        self.client.delete(&self.resource(name), how).await.map(drop)
    }

    /// Changes a controller and writes it. After a conflict, makes the change to the current controller instead; other
    /// changes in memory are lost, as in kubectl.
    pub async fn change(
        &self,
        controller: ReplicationController,
        change: impl Fn(&mut ReplicationController),
    ) -> Result<ReplicationController, Error> {
        let name = controller.metadata.name.clone();
        retried(controller, change, |controller| self.api.update(controller), || self.api.get(&name)).await
    }

    /// Like `change`, for a pod.
    pub async fn change_pod(&self, pod: Pod, change: impl Fn(&mut Pod)) -> Result<Pod, Error> {
        let name = pod.metadata.name.clone();
        retried(pod, change, |pod| self.pods.update(pod), || self.pods.get(&name)).await
    }

    /// The pods that a controller selects.
    pub async fn pods_of(&self, controller: &ReplicationController) -> Result<Vec<Pod>, Error> {
        self.pods.list(&Selector::from_map(&controller.spec.selector).to_string(), "").await
    }

    pub async fn delete_pod(&self, name: &str) -> Result<(), Error> {
        let resource = ResourceRef::object(Kind::Pod, &self.namespace, name);
        self.client.delete(&resource, DeleteRequest::default()).await.map(drop)
    }

    /// The requested and the actual replicas of a controller.
    pub async fn sizes(&self, name: &str) -> Result<(i32, i32), Error> {
        let scale = self.client.scale(&self.resource(name)).await?;
        Ok((scale.spec.replicas, scale.status.replicas))
    }

    /// Sets the requested replicas of a controller.
    pub async fn resize(&self, name: &str, replicas: i32) -> Result<(), Error> {
        let resource = self.resource(name);
        let mut scale = self.client.scale(&resource).await?;
        scale.spec.replicas = replicas;
        self.client.set_scale(&resource, &scale).await.map(drop)
    }
}

async fn retried<T: Clone>(
    object: T,
    change: impl Fn(&mut T),
    update: impl AsyncFn(T) -> Result<T, Error>,
    get: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    let (mut object, mut wait) = (object, FIRST_WAIT);
    change(&mut object);
    for _ in 1..ATTEMPTS {
        match update(object.clone()).await {
            Err(error) if error.is(Reason::Conflict) => {
                object = get().await?;
                change(&mut object);
                tokio::time::sleep(wait).await;
                wait *= GROWTH;
            }
            done => return done,
        }
    }
    update(object).await
}

/// Clears the fields that the server sets, to create another object from this one.
pub fn without_server_fields(meta: &mut ObjectMeta) {
    meta.resource_version.clear();
    meta.uid.clear();
    meta.managed_fields.clear();
    meta.generation = 0;
    meta.creation_timestamp = Default::default();
    meta.deletion_timestamp = None;
}

/// kubectl's hash: MD5 of the object as a line of JSON.
pub fn hash(controller: &ReplicationController) -> String {
    let json = Object::from(controller.clone()).to_json();
    format!("{:x}", md5::compute(format!("{json}\n")))
}
