//! `ctl describe`: shows objects with their related objects and events.

use jiff::Timestamp;
use squall_api::coordination::v1::Lease;
use squall_api::core::v1::Event;
use squall_api::describe::{Related, describe};
use squall_api::labels::Selector;
use squall_api::{Kind, Object};
use squall_client::{Api, Error};

use crate::cli::DescribeArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{escaped, line_error, text};
use crate::selection::{self, Namespaces, Target, Wanted};

/// The namespace of the Leases of nodes.
const NODE_LEASES: &str = "kube-node-lease";

/// Describes objects, separated by two empty lines.
pub async fn run(context: &Context, args: DescribeArgs) -> Result<(), Failure> {
    let mut failures = Vec::new();
    let mut objects = Vec::new();
    let mut targets = Vec::new();
    if args.filename.is_empty() {
        targets = selection::parse(context, &args.select.what).await?;
        for target in &targets {
            objects.extend(find(context, target, &args, &mut failures).await?);
        }
    } else {
        let (selector, what) = (args.select.selector.as_deref(), &args.select.what);
        let wanted = Wanted { what, filename: &args.filename, selector, ..Wanted::default() };
        let chosen = selection::choose(context, wanted, &mut failures).await?;
        objects = selection::fetch_chosen(context, chosen, &mut failures).await?;
    }
    for (index, object) in objects.iter().enumerate() {
        let mut related = related(context, object).await?;
        if args.show_events {
            related.events = events_of(context, object).await?;
        }
        text(if index == 0 { "" } else { "\n\n" });
        text(&escaped(&describe(object, &related, Timestamp::now())));
    }
    if objects.is_empty() && failures.is_empty() {
        line_error(&selection::nothing_found(context, &targets, Namespaces::of(args.select.all_namespaces)));
    }
    Failure::all(failures)
}

/// Fetches the objects of a target. A name that does not exist is used as a prefix (kubectl: `describe rc kubia`).
async fn find(
    context: &Context,
    target: &Target,
    args: &DescribeArgs,
    failures: &mut Vec<Failure>,
) -> Result<Vec<Object>, Failure> {
    if target.names.is_empty() {
        return selection::fetch(context, target, &args.select, failures).await;
    }
    let mut objects = Vec::new();
    for name in &target.names {
        let one = Target { kind: target.kind, names: vec![name.clone()] };
        let mut missing = Vec::new();
        objects.extend(selection::fetch(context, &one, &args.select, &mut missing).await?);
        if missing.iter().all(Failure::is_not_found) && !missing.is_empty() {
            let all = Target { kind: target.kind, names: Vec::new() };
            let mut matching = selection::fetch(context, &all, &args.select, failures).await?;
            matching.retain(|object| object.meta().name.starts_with(name.as_str()));
            if !matching.is_empty() {
                missing.clear();
            }
            objects.extend(matching);
        }
        failures.append(&mut missing);
    }
    Ok(objects)
}

/// Fetches the related objects of an object.
async fn related(context: &Context, object: &Object) -> Result<Related, Error> {
    let client = &context.client;
    let namespace = &object.meta().namespace;
    let mut related = Related::default();
    match object {
        Object::Deployment(deployment) => {
            let selector = Selector::from_label_selector(deployment.spec.selector.as_ref());
            let labels = selector.map(|selector| selector.to_string()).unwrap_or_default();
            related.replica_sets = Api::new(client.clone(), namespace).list(&labels, "").await?;
        }
        Object::ReplicaSet(_) | Object::ReplicationController(_) => {
            related.pods = Api::new(client.clone(), namespace).list("", "").await?;
        }
        Object::Service(service) => {
            let labels = format!("kubernetes.io/service-name={}", service.metadata.name);
            related.endpoint_slices = Api::new(client.clone(), namespace).list(&labels, "").await?;
        }
        Object::Node(node) => {
            let fields = format!("spec.nodeName={}", node.metadata.name);
            related.pods = Api::new(client.clone(), "").list("", &fields).await?;
            let leases: Api<Lease> = Api::new(client.clone(), NODE_LEASES);
            related.lease = match leases.get(&node.metadata.name).await {
                Err(error) if error.is_not_found() => None,
                other => Some(other?),
            };
        }
        Object::Namespace(namespace) => {
            related.quotas = Api::new(client.clone(), &namespace.metadata.name).list("", "").await?;
        }
        // Other kinds have no related objects.
        _ => {}
    }
    Ok(related)
}

/// Fetches the events of this object, but not those of an earlier one with the same name.
async fn events_of(context: &Context, object: &Object) -> Result<Vec<Event>, Error> {
    let (meta, kind) = (object.meta(), object.kind());
    let mut fields = format!("involvedObject.name={},involvedObject.kind={}", meta.name, kind.info().kind);
    // Kubernetes: in the events of its own node, a kubelet writes the node's name instead of its uid.
    if kind != Kind::Node {
        fields.push_str(&format!(",involvedObject.uid={}", meta.uid));
    }
    // Kubernetes: events of cluster-scoped objects live in `default`.
    let namespace = if meta.namespace.is_empty() { "default" } else { &meta.namespace };
    Api::new(context.client.clone(), namespace).list("", &fields).await
}
