//! `ctl drain`: cordons nodes and evicts their pods, as disruption budgets allow.

use std::time::Duration;

use serde_json::json;
use squall_api::core::v1::Pod;
use squall_api::{Kind, meta};
use squall_client::{Api, DeleteRequest, Encoding, Error, Manifest, Reason, ResourceRef, WriteOptions};

use super::{cordon, nodes};
use crate::cli::{DrainArgs, DryRun};
use crate::commands::delete::wait_gone;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{line, line_error};

/// kubectl: how long to wait before retrying an eviction that a budget forbids.
const RETRY: Duration = Duration::from_secs(5);

/// Drains each node.
pub async fn drain(context: &Context, args: DrainArgs) -> Result<(), Failure> {
    let nodes = nodes(context, &args.nodes, "drain").await?;
    for node in &nodes {
        cordon::set(context, node, cordon::Scheduling::Stopped, args.nodes.dry_run).await?;
    }
    let limit = if args.timeout.is_zero() { Duration::MAX } else { args.timeout };
    let mut failures = Vec::new();
    for node in &nodes {
        let result = match tokio::time::timeout(limit, empty(context, node, &args)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::error(format!("drain did not complete within {:?}", args.timeout))),
        };
        match result {
            Ok(()) => line(&format!("node/{} drained{}", node.name, suffix(args.nodes.dry_run))),
            Err(failure) => {
                let why = failure.text().trim_start_matches("error: ").to_owned();
                failures.push(Failure::error(format!("unable to drain node {:?} due to error: {why}", node.name)));
            }
        }
    }
    Failure::all(failures)
}

const fn suffix(dry_run: DryRun) -> &'static str {
    match dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    }
}

async fn empty(context: &Context, node: &ResourceRef, args: &DrainArgs) -> Result<(), Failure> {
    let api: Api<Pod> = Api::new(context.client.clone(), "");
    let labels = args.pod_selector.as_deref().unwrap_or_default();
    let pods = api.list(labels, &format!("spec.nodeName={}", node.name)).await?;
    let pods: Vec<Pod> = pods.into_iter().filter(|pod| !is_over(pod)).collect();
    check(&pods, args)?;
    for pod in &pods {
        let name = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
        let doing = if args.disable_eviction { "deleting" } else { "evicting" };
        line(&format!("{doing} pod {name}{}", suffix(args.nodes.dry_run)));
    }
    if args.nodes.dry_run != DryRun::None {
        return Ok(());
    }
    // All at once: one after the other, their grace periods would add up.
    let evictions = pods.iter().map(|pod| take_away(context, pod, args));
    futures_util::future::try_join_all(evictions).await.map(drop)
}

fn is_over(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// Refuses to remove pods that would be lost, unless a flag allows it.
fn check(pods: &[Pod], args: &DrainArgs) -> Result<(), Failure> {
    let names = |matching: &dyn Fn(&Pod) -> bool| -> Vec<String> {
        let lost = pods.iter().filter(|pod| matching(pod));
        lost.map(|pod| format!("{}/{}", pod.metadata.namespace, pod.metadata.name)).collect()
    };
    let bare = names(&|pod| meta::controller_of(&pod.metadata).is_none());
    let local = names(&|pod| pod.spec.volumes.iter().any(|volume| volume.volume_source.empty_dir.is_some()));
    let mut problems = Vec::new();
    if !bare.is_empty() && !args.force {
        problems.push(format!(
            "cannot delete Pods that declare no controller (use --force to override): {}",
            bare.join(", ")
        ));
    }
    if !local.is_empty() && !args.delete_emptydir_data {
        problems.push(format!(
            "cannot delete Pods with local storage (use --delete-emptydir-data to override): {}",
            local.join(", ")
        ));
    }
    if !problems.is_empty() {
        return Err(Failure::error(problems.join(", ")));
    }
    if !bare.is_empty() {
        line_error(&format!("Warning: deleting Pods that declare no controller: {}", bare.join(", ")));
    }
    Ok(())
}

async fn take_away(context: &Context, pod: &Pod, args: &DrainArgs) -> Result<(), Failure> {
    let pod_ref = ResourceRef::object(Kind::Pod, &pod.metadata.namespace, &pod.metadata.name);
    let grace = (args.grace_period >= 0).then_some(args.grace_period);
    loop {
        let done = if args.disable_eviction {
            let how = DeleteRequest { grace_period_seconds: grace, ..DeleteRequest::default() };
            context.client.delete(&pod_ref, how).await
        } else {
            evict(context, &pod_ref, grace).await
        };
        match done {
            Ok(_) => break,
            Err(error) if error.is_not_found() => break,
            Err(Error::Api(error)) if error.is(Reason::TooManyRequests) => {
                line_error(&format!(
                    "error when evicting pods/{:?} -n {:?} (will retry after 5s): {}",
                    pod_ref.name, pod_ref.namespace, error.status.message
                ));
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    wait_gone(&context.client, &pod_ref, &pod.metadata.uid).await?;
    line(&format!("pod/{} {}", pod_ref.name, if args.disable_eviction { "deleted" } else { "evicted" }));
    Ok(())
}

async fn evict(context: &Context, pod: &ResourceRef, grace: Option<i64>) -> Result<squall_client::Reply, Error> {
    let mut eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
    });
    if let Some(grace) = grace {
        eviction["deleteOptions"] = json!({"gracePeriodSeconds": grace});
    }
    let manifest = Manifest { encoding: Some(Encoding::Json(eviction.to_string().into())) };
    context.client.create(&pod.clone().part("eviction"), manifest, WriteOptions::default()).await
}
