//! `ctl cluster`: starts, inspects, breaks and stops a local cluster.

mod status;

use std::path::Path;
use std::time::{Duration, Instant};

use squall_checkers::agreement::{Comparison, compare};
use squall_client::FOLDER;
use squall_cluster::{
    Cluster, Failed, Lifetime, MemberName, Options, Role, end_all_in, end_orphans_of, wait_until_usable,
};

use super::demo::{APISERVERS, CONTROLLER_MANAGERS};
use crate::cli::{
    AddArgs, Addable, ClusterCommand, DirArgs, DownArgs, LogsArgs, MemberArgs, RemoveArgs, ShapeArgs, UpArgs,
};
use crate::context::{cluster_folder, other_kubeconfig};
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output::{line, line_error, text};

/// Default number of nodes in a cluster.
const NODES: usize = 3;
/// How long to wait until a cluster is ready.
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for the status of an apiserver.
const STATUS_PATIENCE: Duration = Duration::from_secs(2);

/// Runs a command.
pub async fn run(command: ClusterCommand) -> Result<(), Failure> {
    match command {
        ClusterCommand::Up(args) => up(args).await,
        ClusterCommand::Status(args) => status::status(args).await,
        ClusterCommand::Check(args) => check(&args).await,
        ClusterCommand::Metrics(args) => metrics(&args).await,
        ClusterCommand::Kill(args) => each(&args, "killed", Cluster::kill),
        ClusterCommand::Stop(args) => each(&args, "stopped", Cluster::stop),
        ClusterCommand::Pause(args) => each(&args, "paused", |cluster, member| cluster.pause(member)),
        ClusterCommand::Resume(args) => each(&args, "resumed", |cluster, member| cluster.resume(member)),
        ClusterCommand::Restart(args) => each(&args, "restarted", Cluster::restart),
        ClusterCommand::Add(args) => add(&args).await,
        ClusterCommand::Remove(args) => remove(&args).await,
        ClusterCommand::Logs(args) => logs(&args),
        ClusterCommand::Down(args) => down(&args),
    }
}

fn open(dir: &DirArgs) -> Result<Cluster, Failure> {
    // Members that are started by hand outlive this command.
    Ok(Cluster::open(&cluster_folder(dir)?, Lifetime::Detached)?)
}

async fn up(args: UpArgs) -> Result<(), Failure> {
    let start = Instant::now();
    let mut interruption = Interruption::listen()?;
    let mut cluster = find_or_create(&args)?;
    let started = cluster.start_all()?;
    let ready = async {
        let client = cluster.client()?;
        wait_until_usable(&mut cluster, &client, READY_PATIENCE).await
    };
    let ready = tokio::select! {
        ready = ready => ready,
        signal = interruption.wait() => Err(anyhow::anyhow!("interrupted by {signal}")),
    };
    let failed = match ready {
        Ok(failed) => failed,
        Err(error) => {
            // Leave nothing half started, and do not touch members that were running before.
            cluster.end_only(&started)?;
            return Err(error.into());
        }
    };
    if !failed.is_empty() {
        let advice = advice(&args.dir, &failed);
        if args.detach {
            return Err(Failure::error(advice));
        }
        line_error(&advice);
    }
    let options = cluster.options();
    line(&format!(
        "ready after {:.2} s: {} apiservers, {} controller-managers, {} nodes, timing {}",
        start.elapsed().as_secs_f64(),
        options.apiservers,
        options.controller_managers,
        options.nodes,
        options.timing.as_str()
    ));
    line(&format!("kubeconfig: {}", cluster.kubeconfig().display()));
    notices(&cluster).iter().for_each(|notice| line_error(notice));
    if args.detach {
        return Ok(());
    }
    line("press Ctrl-C to stop the cluster; its data stays");
    interruption.wait().await;
    cluster.down()?;
    Ok(())
}

/// Says which things are not as a user may expect.
fn notices(cluster: &Cluster) -> Vec<String> {
    let other = other_kubeconfig(cluster).map(|other| {
        format!("note: KUBECONFIG names another cluster ({}); get and all other verbs go there", other.display())
    });
    let carried = cluster.carries_low_ports().then(|| {
        "note: ordinary users may not listen on ports below 1024. Another port carries each: 40080 carries 80, as in \
         http://EXTERNAL-IP:40080"
            .to_owned()
    });
    other.into_iter().chain(carried).collect()
}

/// Describes members that have ended on their own, and how to replace them. The others run on.
fn advice(dir: &DirArgs, failed: &[Failed]) -> String {
    let folder = dir.dir.as_ref().map(|dir| format!(" --dir {}", dir.display())).unwrap_or_default();
    let mut lines: Vec<String> = failed.iter().map(|failed| failed.reason.clone()).collect();
    lines.push("The other members run on. Repair the cluster with:".to_owned());
    for Failed { member, .. } in failed {
        lines.push(match member.role {
            Role::Apiserver => format!("  ctl cluster remove {member}{folder}\n  ctl cluster add apiserver{folder}"),
            _ => format!("  ctl cluster restart {member}{folder}"),
        });
    }
    lines.join("\n")
}

/// Opens the cluster in the folder, or creates one. Fails if an existing cluster has other options than the flags.
fn find_or_create(args: &UpArgs) -> Result<Cluster, Failure> {
    let lifetime = if args.detach { Lifetime::Detached } else { Lifetime::Attached };
    let folder = &cluster_folder(&args.dir)?;
    let wanted = options_of_shape(&args.shape)?;
    let orphans = end_orphans_of(folder)?;
    if orphans > 0 {
        line_error(&format!("stopped {orphans} processes of a cluster whose folder was removed"));
    }
    let found = Cluster::exists(folder);
    let cluster =
        if found { Cluster::open(folder, lifetime)? } else { Cluster::create(folder, wanted.clone(), lifetime)? };
    // Compared in either case: another launcher may have made it just now.
    if !is_as_asked(cluster.options(), &args.shape, &wanted) {
        return Err(Failure::error(format!(
            "the cluster in {} was created with other options; remove it with \"ctl cluster down --delete\", or use \
             another folder with --dir",
            folder.display()
        )));
    }
    if found {
        line(&format!("found a cluster in {}", folder.display()));
    }
    Ok(cluster)
}

/// The options of a new cluster.
pub fn options_of_shape(shape: &ShapeArgs) -> Result<Options, Failure> {
    let images = match &shape.images {
        Some(path) => {
            Some(path.canonicalize().map_err(|error| Failure::error(format!("{}: {error}", path.display())))?)
        }
        None => None,
    };
    Ok(Options {
        apiservers: shape.apiservers.unwrap_or(APISERVERS),
        controller_managers: shape.controller_managers.unwrap_or(CONTROLLER_MANAGERS),
        nodes: shape.nodes.unwrap_or(NODES),
        timing: shape.timing.unwrap_or_default(),
        images,
        strict_images: shape.strict_images,
        links: shape.links,
        retry_backends: shape.retry_backends,
        write_log: shape.write_log,
        mutant: None,
    })
}

/// Whether a cluster has every option that was requested explicitly.
fn is_as_asked(has: &Options, asked: &ShapeArgs, wanted: &Options) -> bool {
    (asked.apiservers.is_none() || has.apiservers == wanted.apiservers)
        && (asked.controller_managers.is_none() || has.controller_managers == wanted.controller_managers)
        && (asked.nodes.is_none() || has.nodes == wanted.nodes)
        && (asked.timing.is_none() || has.timing == wanted.timing)
        && (asked.images.is_none() || has.images == wanted.images)
        && (!asked.strict_images || has.strict_images)
        && (!asked.links || has.links)
        && (!asked.retry_backends || has.retry_backends)
        && (!asked.write_log || has.write_log)
}

async fn metrics(args: &LogsArgs) -> Result<(), Failure> {
    let cluster = open(&args.dir)?;
    let member: MemberName = args.member.parse().map_err(Failure::error)?;
    if member.role != Role::Apiserver || !cluster.members().contains(&member) {
        return Err(Failure::error(format!("this cluster has no apiserver {member}")));
    }
    let client = cluster.client()?.with_deadline(STATUS_PATIENCE);
    text(&client.metrics(&cluster.apiserver_url(member.index)).await?);
    Ok(())
}

async fn add(args: &AddArgs) -> Result<(), Failure> {
    let mut interruption = Interruption::listen()?;
    let mut cluster = open(&args.dir)?;
    let before = cluster.members();
    let added = match args.what {
        Addable::Apiserver => tokio::select! {
            added = cluster.add_apiserver() => Ok(added?),
            signal = interruption.wait() => Err(signal),
        },
    };
    let added = match added {
        Ok(added) => added,
        Err(signal) => return Err(half_added(&args.dir, &before, signal)?),
    };
    line(&format!("{added} added: it has caught up and votes"));
    Ok(())
}

/// Describes what an interrupted addition has left, and the remedy.
fn half_added(dir: &DirArgs, before: &[MemberName], signal: &str) -> Result<Failure, Failure> {
    let new = open(dir)?.members().into_iter().find(|member| !before.contains(member));
    Ok(Failure::error(match new {
        Some(new) => {
            format!("interrupted by {signal}: {new} may be half added; remove it with \"ctl cluster remove {new}\"")
        }
        None => format!("interrupted by {signal}: nothing was added"),
    }))
}

async fn remove(args: &RemoveArgs) -> Result<(), Failure> {
    let mut cluster = open(&args.dir)?;
    let member: MemberName = args.member.parse().map_err(Failure::error)?;
    cluster.remove_apiserver(member).await?;
    line(&format!("{member} removed"));
    Ok(())
}

fn each(
    args: &MemberArgs,
    done: &str,
    action: impl Fn(&mut Cluster, MemberName) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    let mut cluster = open(&args.dir)?;
    // Check all names before acting on any member.
    let named: Vec<Vec<MemberName>> = args.members.iter().map(|word| cluster.named(word)).collect::<Result<_, _>>()?;
    let mut failures = Vec::new();
    for member in named.into_iter().flatten() {
        match action(&mut cluster, member) {
            Ok(()) => line(&format!("{member} {done}")),
            Err(error) => failures.push(error.into()),
        }
    }
    Failure::all(failures)
}

fn logs(args: &LogsArgs) -> Result<(), Failure> {
    let cluster = open(&args.dir)?;
    for member in cluster.named(&args.member)? {
        let path = cluster.log(member);
        let content = std::fs::read_to_string(&path)
            .map_err(|error| Failure::error(format!("reading {}: {error}", path.display())))?;
        text(&content);
    }
    Ok(())
}

/// Opens a cluster to stop it. If its folder is gone or damaged, stops its processes. `None` if nothing else is left.
fn open_to_end(dir: &DirArgs) -> Result<Option<Cluster>, Failure> {
    let failure = match open(dir) {
        Ok(cluster) => return Ok(Some(cluster)),
        Err(failure) => failure,
    };
    let folder = cluster_folder(dir)?;
    let ended = end_all_in(&folder)?;
    if ended > 0 {
        line_error(&format!("stopped {ended} processes that were running in {}", folder.display()));
    }
    if ended > 0 && !Cluster::exists(&folder) { Ok(None) } else { Err(failure) }
}

fn down(args: &DownArgs) -> Result<(), Failure> {
    let folder = cluster_folder(&args.dir)?;
    if args.delete && args.dir.dir.is_none() && folder != Path::new(FOLDER) {
        let advice = format!("the cluster is in {0}, above this folder; to delete it, add --dir {0}", folder.display());
        return Err(Failure::error(advice));
    }
    let folder = folder.display();
    let Some(mut cluster) = open_to_end(&args.dir)? else { return Ok(()) };
    if !args.delete {
        cluster.down()?;
        line("all members have stopped");
        return Ok(());
    }
    let gone = cluster.delete()?;
    line("all members have stopped");
    line(&match gone {
        true => format!("removed {folder}"),
        false => format!("removed the cluster from {folder}; other files in it stay"),
    });
    Ok(())
}

/// Compares the apiservers at the newest revision that all of them have reached.
async fn check(dir: &DirArgs) -> Result<(), Failure> {
    let client = open(dir)?.client()?.with_deadline(STATUS_PATIENCE);
    match compare(&client).await.map_err(Failure::error)? {
        Comparison::Same { revision, hash, members } => {
            line(&format!("all {members} apiservers have the state {hash:016x} at revision {revision}"));
            Ok(())
        }
        Comparison::Different { revision, hashes } => Err(Failure::error(format!(
            "the apiservers differ at revision {revision}: {}",
            hashes.iter().map(|(name, hash)| format!("{name} has {hash:016x}")).collect::<Vec<_>>().join(", ")
        ))),
    }
}
