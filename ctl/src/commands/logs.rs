//! `ctl logs`.

use squall_api::core::v1::Pod;
use squall_api::labels::Selector;
use squall_api::{Kind, Object};
use squall_client::{Api, LogsRequest, ResourceRef};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::cli::PodLogsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{is_broken, line_error, raw_line, unwatched};
use crate::selection;

/// How many logs may be followed at the same time (kubectl: `--max-log-requests`).
const MAX_FOLLOWED: usize = 64;
/// Default number of lines per container with a selector, as in kubectl.
const TAIL_OF_MANY: i64 = 10;

/// How many logs a command shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Logs {
    One,
    Many,
}

impl Logs {
    const fn of(many: bool) -> Self {
        if many { Self::Many } else { Self::One }
    }
}

/// A container's log, and the prefix of its lines.
struct Source {
    pod: ResourceRef,
    container: String,
    prefix: String,
}

/// Shows logs one after the other, or all at once when following them.
pub async fn run(context: &Context, args: PodLogsArgs) -> Result<(), Failure> {
    let pods = pods(context, &args).await?;
    let mut sources = Vec::new();
    for pod in &pods {
        sources.extend(containers(pod, &args, Logs::of(pods.len() > 1))?);
    }
    let how = how(&args);
    if !args.follow {
        for source in sources {
            copy(context, source, how.clone()).await?;
        }
        return Ok(());
    }
    if sources.len() > MAX_FOLLOWED {
        return Err(Failure::error(format!(
            "you are attempting to follow {} log streams, but at most {MAX_FOLLOWED} are allowed",
            sources.len()
        )));
    }
    let follow = async {
        let mut tasks = JoinSet::new();
        for source in sources {
            let (client, entry) = (context.client.clone(), context.entry.clone());
            let namespace = context.namespace.clone();
            let context = Context { client, entry, namespace, asked_namespace: None, custom: OnceCell::new() };
            let how = how.clone();
            tasks.spawn(async move { copy(&context, source, how).await });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(Failure::error)??;
        }
        Ok(())
    };
    tokio::select! {
        result = follow => result,
        () = unwatched() => Ok(()),
    }
}

fn how(args: &PodLogsArgs) -> LogsRequest {
    let tail = args.tail.or(args.selector.is_some().then_some(TAIL_OF_MANY)).filter(|lines| *lines >= 0);
    LogsRequest {
        previous: args.previous,
        follow: args.follow,
        timestamps: args.timestamps,
        tail_lines: tail,
        since_seconds: args.since.and_then(|since| i64::try_from(since.as_secs()).ok()),
        since_time: args.since_time.clone().unwrap_or_default(),
        limit_bytes: args.limit_bytes,
        ..LogsRequest::default()
    }
}

/// Finds the pods: by name, by label, or the first pod of a workload or service.
async fn pods(context: &Context, args: &PodLogsArgs) -> Result<Vec<Pod>, Failure> {
    let api: Api<Pod> = Api::new(context.client.clone(), &context.namespace);
    let Some(word) = &args.what else {
        let labels = args
            .selector
            .as_deref()
            .ok_or_else(|| Failure::usage("logs", "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'"))?;
        return Ok(api.list(labels, "").await?);
    };
    if args.selector.is_some() {
        return Err(Failure::usage("logs", "only a selector (-l) or a POD name is allowed"));
    }
    let Some((_, name)) = word.split_once('/') else { return Ok(vec![api.get(word).await?]) };
    let targets = selection::parse_named(context, std::slice::from_ref(word)).await?;
    let kind = targets.first().map_or(Kind::Pod, |target| target.kind);
    if kind == Kind::Pod {
        return Ok(vec![api.get(name).await?]);
    }
    let object = selection::get(&context.client, kind, &context.namespace, name).await?;
    let labels = selector_of(&object).ok_or_else(|| {
        Failure::error(format!("cannot get logs from {}: they have no pods", kind.info().plural_group()))
    })?;
    let mut found = api.list(&labels, "").await?;
    // kubectl: running pods first, and among them the oldest.
    found.sort_by_key(|pod| (pod.status.phase != "Running", pod.metadata.creation_timestamp.timestamp()));
    let first = found.first().ok_or_else(|| Failure::error(format!("no pods found for {word}")))?.clone();
    if found.len() > 1 {
        line_error(&format!("Found {} pods, using pod/{}", found.len(), first.metadata.name));
    }
    Ok(vec![first])
}

/// The pod selector of a workload or service.
fn selector_of(object: &Object) -> Option<String> {
    let text = |selector: Selector| selector.to_string();
    match object {
        Object::Deployment(deployment) => Selector::from_label_selector(deployment.spec.selector.as_ref()).map(text),
        Object::ReplicaSet(set) => Selector::from_label_selector(set.spec.selector.as_ref()).map(text),
        Object::ReplicationController(controller) => Some(text(Selector::from_map(&controller.spec.selector))),
        Object::Service(service) if !service.spec.selector.is_empty() => {
            Some(text(Selector::from_map(&service.spec.selector)))
        }
        _ => None,
    }
}

fn containers(pod: &Pod, args: &PodLogsArgs, logs: Logs) -> Result<Vec<Source>, Failure> {
    let name = &pod.metadata.name;
    let all: Vec<String> =
        pod.spec.init_containers.iter().chain(&pod.spec.containers).map(|container| container.name.clone()).collect();
    let asked = args.container.as_ref().or(args.second.as_ref());
    let chosen: Vec<String> = match (asked, args.all_containers) {
        (_, true) => all.clone(),
        (Some(asked), false) if all.contains(asked) => vec![asked.clone()],
        (Some(asked), false) => return Err(Failure::error(format!("container {asked} is not valid for pod {name}"))),
        (None, false) => pod.spec.containers.first().map(|container| container.name.clone()).into_iter().collect(),
    };
    if let [first, _, ..] = pod.spec.containers.as_slice()
        && asked.is_none()
        && !args.all_containers
    {
        line_error(&format!("Defaulted container {:?} out of: {}", first.name, all.join(", ")));
    }
    let source = |container: String| Source {
        pod: ResourceRef::object(Kind::Pod, &pod.metadata.namespace, name),
        prefix: if args.prefix || (logs == Logs::Many && args.follow) {
            format!("[pod/{name}/{container}] ")
        } else {
            String::new()
        },
        container,
    };
    Ok(chosen.into_iter().map(source).collect())
}

/// Prints a log to its end.
async fn copy(context: &Context, source: Source, how: LogsRequest) -> Result<(), Failure> {
    let mut stream = context.client.logs(&source.pod, LogsRequest { container: source.container, ..how }).await?;
    let mut rest = Vec::new();
    while let Some(reply) = stream.message().await.map_err(|status| Failure::from(squall_client::api_error(&status)))? {
        rest.extend_from_slice(&reply.data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let whole: Vec<u8> = rest.drain(..=end).collect();
            raw_line(&format!("{}{}", source.prefix, String::from_utf8_lossy(&whole[..end])));
        }
        if is_broken() {
            return Ok(());
        }
    }
    if !rest.is_empty() {
        raw_line(&format!("{}{}", source.prefix, String::from_utf8_lossy(&rest)));
    }
    Ok(())
}
