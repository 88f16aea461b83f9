//! Performs the actions of a plan and returns the revisions written, so that the next plan uses no older state.

use std::collections::HashMap;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use squall_api::happening::{EventType, Happening};
use squall_api::meta::parse_resource_version;
use squall_api::{Kind, Object};
use squall_client::events::Recorder;
use squall_client::{Api, Client, DeleteRequest, Error, Reason, Reply, ResourceRef, manifest};

use super::action::Action;
use super::caches::CachedKind;

/// The highest revision written, by kind.
pub type Written = HashMap<CachedKind, u64>;

/// Performs the actions of a controller.
#[derive(Clone)]
pub struct Executor {
    client: Client,
    recorder: Recorder,
}

impl Executor {
    /// Creates an executor on a client whose writes are fenced.
    #[must_use]
    pub fn new(client: Client, recorder: Recorder) -> Self {
        Self { client, recorder }
    }

    /// Returns the current revision of the store: no earlier write is newer.
    pub async fn revision(&self) -> Result<u64, Error> {
        let namespaces = ResourceRef::collection(Kind::Namespace, "");
        let (revision, _) = self.client.list(&namespaces, "", "metadata.name=default", "").await?;
        Ok(parse_resource_version(&revision)?)
    }

    /// Performs the actions in order. Stops at the first error.
    pub async fn perform(&self, actions: Vec<Action>, written: &mut Written) -> Result<(), Error> {
        for action in actions {
            self.act(action, written).await?;
        }
        Ok(())
    }

    fn act<'a>(&'a self, action: Action, written: &'a mut Written) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            match action {
                Action::Tell(happening) => self.recorder.record(happening),
                Action::Together(actions) => self.slow_start(actions, written).await?,
                Action::AtOnce(actions) => self.at_once(actions, written).await?,
                Action::Telling { action, done, failed } => match self.act(*action, written).await {
                    Ok(()) => self.recorder.record(done),
                    Err(error) => {
                        if let Some(failed) = failed {
                            let message = format!("{}{error}", failed.message);
                            self.recorder.record(Happening { message, ..failed });
                        }
                        return Err(error);
                    }
                },
                Action::CreateNamed { object, told } => self.create_named(*object, told, written).await?,
                other => {
                    if let Some(reply) = self.write(other).await? {
                        note(&reply, written)?;
                    }
                }
            }
            Ok(())
        }
        .boxed()
    }

    /// Performs one, two, four, eight, … actions at a time, as long as all succeed.
    async fn slow_start(&self, actions: Vec<Action>, written: &mut Written) -> Result<(), Error> {
        let mut rest = actions.into_iter().peekable();
        let mut size = 1;
        while rest.peek().is_some() {
            let batch: Vec<Action> = rest.by_ref().take(size).collect();
            self.at_once(batch, written).await?;
            size = size.saturating_mul(2);
        }
        Ok(())
    }

    async fn at_once(&self, actions: Vec<Action>, written: &mut Written) -> Result<(), Error> {
        let results = join_all(actions.into_iter().map(|action| async move {
            let mut written = Written::new();
            let result = self.act(action, &mut written).await;
            (result, written)
        }))
        .await;
        let mut first_error = Ok(());
        for (result, each) in results {
            each.into_iter().for_each(|(kind, revision)| reached(written, kind, revision));
            first_error = first_error.and(result);
        }
        first_error
    }

    async fn create_named(&self, object: Object, mut told: Happening, written: &mut Written) -> Result<(), Error> {
        let collection = ResourceRef::collection(object.kind(), &object.meta().namespace);
        match self.client.create(&collection, manifest(&object), Default::default()).await {
            Ok(reply) => {
                told.message.push_str(&reply.object()?.meta().name);
                self.recorder.record(told);
                note(&reply, written)
            }
            Err(error) => {
                let message = format!("Error creating: {error}");
                self.recorder.record(Happening {
                    event_type: EventType::Warning,
                    reason: "FailedCreate",
                    message,
                    ..told
                });
                Err(error)
            }
        }
    }

    async fn write(&self, action: Action) -> Result<Option<Reply>, Error> {
        let place = |object: &Object| ResourceRef::object(object.kind(), &object.meta().namespace, &object.meta().name);
        let reply = match action {
            Action::Create(object) => {
                let collection = ResourceRef::collection(object.kind(), &object.meta().namespace);
                self.client.create(&collection, manifest(&object), Default::default()).await
            }
            Action::Update(object) => self.client.update(&place(&object), manifest(&object), Default::default()).await,
            Action::UpdateStatus(object) => {
                self.client.update(&place(&object).part("status"), manifest(&object), Default::default()).await
            }
            Action::Finalize(object) => {
                self.client.update(&place(&object).part("finalize"), manifest(&object), Default::default()).await
            }
            Action::SetOwners { mut object, owners } => {
                object.meta_mut().owner_references = owners;
                self.client.update(&place(&object), manifest(&object), Default::default()).await
            }
            Action::Delete { kind, namespace, name, uid, propagation } => {
                let how = DeleteRequest { propagation_policy: propagation.to_owned(), ..Default::default() };
                return self.delete(&ResourceRef::object(kind, &namespace, &name), uid, how).await;
            }
            Action::DeleteUnchanged { object, propagation } => {
                let how = DeleteRequest {
                    propagation_policy: propagation.to_owned(),
                    precondition_uid: object.meta().uid.clone(),
                    precondition_resource_version: object.meta().resource_version.clone(),
                    ..Default::default()
                };
                return match self.client.delete(&place(&object), how).await {
                    Err(error) if error.is_not_found() => Ok(None),
                    other => other.map(Some),
                };
            }
            Action::DeleteNow { namespace, name, uid } => {
                let how = DeleteRequest { grace_period_seconds: Some(0), ..Default::default() };
                return self.delete(&ResourceRef::object(Kind::Pod, &namespace, &name), uid, how).await;
            }
            Action::DeleteAll { kind, namespace } => {
                let collection = ResourceRef::collection(kind, &namespace);
                return self.delete_all(&collection).await.map(|()| None);
            }
            Action::Bind { namespace, name, node } => {
                let pods: Api<squall_api::core::v1::Pod> = Api::new(self.client.clone(), &namespace);
                let pod = pods.bind(&name, &node).await?;
                return Ok(Some(Reply { object: Object::from(pod).to_any(), warnings: Vec::new(), deleted: false }));
            }
            Action::Together(_)
            | Action::AtOnce(_)
            | Action::Telling { .. }
            | Action::Tell(_)
            | Action::CreateNamed { .. } => return Ok(None),
        };
        reply.map(Some)
    }

    async fn delete_all(&self, collection: &ResourceRef) -> Result<(), Error> {
        self.client.delete_collection(collection, Default::default()).await?;
        match self.client.list(collection, "", "", "").await?.1.len() {
            0 => Ok(()),
            left => {
                let detail = format!("{} has {left} resource instances", collection.kind.info().plural_group());
                Err(squall_api::Error::conflict(Kind::Namespace, &collection.namespace, &detail).into())
            }
        }
    }

    async fn delete(&self, resource: &ResourceRef, uid: String, how: DeleteRequest) -> Result<Option<Reply>, Error> {
        match self.client.delete(resource, DeleteRequest { precondition_uid: uid, ..how }).await {
            // No object, or another one, has this name: the object to delete is already gone.
            Err(error) if error.is(Reason::NotFound) || error.is(Reason::Conflict) => Ok(None),
            other => other.map(Some),
        }
    }
}

fn note(reply: &Reply, written: &mut Written) -> Result<(), Error> {
    let object = reply.object()?;
    let revision = parse_resource_version(&object.meta().resource_version)?;
    // No decision reads the other kinds: there is no cache to wait for.
    if let Some(kind) = CachedKind::of(object.kind()) {
        reached(written, kind, revision);
    }
    Ok(())
}

fn reached(written: &mut Written, kind: CachedKind, revision: u64) {
    let reached = written.entry(kind).or_default();
    *reached = revision.max(*reached);
}
