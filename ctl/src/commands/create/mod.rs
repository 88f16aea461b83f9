//! `ctl create`: creates objects from files or by name.

mod access;
mod token;

use serde_json::{Map, Value, json};
use squall_api::{Kind, Object};
use squall_client::{Encoding, Manifest, ResourceRef};

use super::apply::keep_applied;
use super::record::{Cause, note_in_manifest, warn_of_record};
use crate::cli::{ChangeArgs, CreateArgs, CreateCommand, CreateServiceArgs, CreateServiceCommand, DryRun};
use crate::context::Context;
use crate::failure::Failure;
use crate::modify::write_options;
use crate::output::{Changes, warnings};
use crate::{files, manifests};

/// Creates each object; continues after a failure.
pub async fn run(context: &Context, args: CreateArgs) -> Result<(), Failure> {
    match args.what {
        Some(CreateCommand::Token(args)) => return token::run(context, args).await,
        Some(command) => return by_name(context, command).await,
        None => {}
    }
    warn_of_record(Cause::of(args.change.record));
    let changes = Changes::of(&args.change)?;
    let validation = manifests::validation(&args.manifests.validate)?;
    let mut failures = Vec::new();
    for mut document in manifests::read_some(context, &args.manifests, "create", &mut failures).await? {
        if args.save_config {
            keep_applied(&mut document);
        }
        if changes.dry_run != DryRun::Client {
            note_in_manifest(document.kind, &mut document.json, Cause::of(args.change.record));
        }
        let create = Creation { context, changes: &changes, args: &args.change, validation };
        match create.send(&document.collection(), document.json.clone()).await {
            Ok(object) => changes.tell(&object, "created")?,
            Err(error) => failures.push(Failure::api_with_file(&error, "creating", &document.file)),
        }
    }
    Failure::all(failures)
}

/// How objects are created.
struct Creation<'a> {
    context: &'a Context,
    changes: &'a Changes,
    args: &'a ChangeArgs,
    validation: &'a str,
}

impl Creation<'_> {
    async fn send(&self, collection: &ResourceRef, json: Value) -> Result<Object, squall_client::Error> {
        if self.changes.dry_run == DryRun::Client {
            return manifests::local(collection.kind, json);
        }
        let manifest = Manifest { encoding: Some(Encoding::Json(json.to_string().into())) };
        let mut options = write_options(self.changes.dry_run, self.args.field_manager.as_deref());
        self.validation.clone_into(&mut options.field_validation);
        let reply = self.context.client.create(collection, manifest, options).await?;
        warnings(&reply.warnings);
        reply.object()
    }
}

async fn by_name(context: &Context, command: CreateCommand) -> Result<(), Failure> {
    let (kind, json, args) = made(command)?;
    let changes = Changes::of(&args)?;
    let namespace = if kind.info().is_namespaced() { context.namespace.as_str() } else { "" };
    let mut json = json;
    // The output of a client dry run is often saved as a manifest.
    if changes.dry_run != DryRun::Client {
        note_in_manifest(kind, &mut json, Cause::of(args.record));
    }
    let create = Creation { context, changes: &changes, args: &args, validation: "Strict" };
    let object =
        create.send(&ResourceRef::collection(kind, namespace), json).await.map_err(|error| failed(&error, kind))?;
    changes.tell(&object, "created")
}

/// As in kubectl, the message for a deployment names the failed operation.
fn failed(error: &squall_client::Error, kind: Kind) -> Failure {
    match error {
        squall_client::Error::Api(api) if kind == Kind::Deployment && api.is(squall_client::Reason::AlreadyExists) => {
            Failure::error(format!("failed to create deployment: {}", api.status.message))
        }
        other => other.clone().into(),
    }
}

/// Builds the object that a command describes.
fn made(command: CreateCommand) -> Result<(Kind, Value, ChangeArgs), Failure> {
    Ok(match command {
        CreateCommand::Namespace { name, change } => {
            (Kind::Namespace, object("v1", "Namespace", &name, json!({})), change)
        }
        CreateCommand::Serviceaccount { name, change } => {
            (Kind::ServiceAccount, object("v1", "ServiceAccount", &name, json!({})), change)
        }
        CreateCommand::Deployment { name, image, replicas, port, change } => {
            (Kind::Deployment, deployment(&name, &image, replicas, port), change)
        }
        CreateCommand::Configmap { name, from_literal, from_file, change } => {
            let data = data(&from_literal, &from_file)?;
            (Kind::ConfigMap, object("v1", "ConfigMap", &name, json!({"data": data})), change)
        }
        CreateCommand::Token(_) => return Err(Failure::error("a token is no object")),
        CreateCommand::Role(args) => (Kind::Role, access::role(&args)?, args.change),
        CreateCommand::Clusterrole(args) => (Kind::ClusterRole, access::cluster_role(&args)?, args.change),
        CreateCommand::Rolebinding(args) => {
            (Kind::RoleBinding, access::binding(Kind::RoleBinding, &args)?, args.change)
        }
        CreateCommand::Clusterrolebinding(args) => {
            (Kind::ClusterRoleBinding, access::binding(Kind::ClusterRoleBinding, &args)?, args.change)
        }
        CreateCommand::Service(command) => {
            let (kind, args) = match command {
                CreateServiceCommand::Clusterip(args) => ("ClusterIP", args),
                CreateServiceCommand::Nodeport(args) => ("NodePort", args),
                CreateServiceCommand::Loadbalancer(args) => ("LoadBalancer", args),
            };
            (Kind::Service, service(kind, &args)?, args.change)
        }
    })
}

fn object(api_version: &str, kind: &str, name: &str, fields: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

/// kubectl names containers after their images.
fn deployment(name: &str, images: &[String], replicas: i32, port: Option<i32>) -> Value {
    let containers: Vec<Value> = images
        .iter()
        .map(|image| {
            let last = image.rsplit('/').next().unwrap_or(image);
            let mut container = json!({"name": last.split([':', '@']).next().unwrap_or(last), "image": image});
            if let (Some(port), Some(container)) = (port, container.as_object_mut()) {
                container.insert("ports".to_owned(), json!([{"containerPort": port}]));
            }
            container
        })
        .collect();
    let labels = json!({"app": name});
    let spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    });
    let mut deployment = object("apps/v1", "Deployment", name, json!({"spec": spec}));
    deployment["metadata"]["labels"] = labels;
    deployment
}

fn service(kind: &str, args: &CreateServiceArgs) -> Result<Value, Failure> {
    let number = |text: &str| text.parse::<u16>().map_err(|_| Failure::error(format!("invalid port {text:?}")));
    let ports: Result<Vec<Value>, Failure> = args
        .tcp
        .iter()
        .map(|port| {
            let (port, target) = port.split_once(':').unwrap_or((port, port));
            Ok(json!({"name": format!("{port}-{target}"), "protocol": "TCP", "port": number(port)?, "targetPort": number(target)?}))
        })
        .collect();
    let labels = json!({"app": args.name});
    let mut service =
        object("v1", "Service", &args.name, json!({"spec": {"type": kind, "selector": labels, "ports": ports?}}));
    service["metadata"]["labels"] = labels;
    Ok(service)
}

fn data(literals: &[String], files: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut data = Map::new();
    for literal in literals {
        let (key, value) = literal
            .split_once('=')
            .ok_or_else(|| Failure::error(format!("invalid literal source {literal}, expected key=value")))?;
        data.insert(key.to_owned(), value.into());
    }
    for file in files {
        let (key, path) = file.split_once('=').unwrap_or_else(|| (file.rsplit('/').next().unwrap_or(file), file));
        let text = files::text(path).map_err(|error| Failure::error(format!("error reading {path}: {error}")))?;
        data.insert(key.to_owned(), text.into());
    }
    Ok(data)
}
