//! Processes that are killed, asked to end, frozen.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use squall_cluster::{Cluster, MemberName, ProcessState};

use super::{Fault, Receipt, Scene};
use crate::scenario::Victim;

/// How long a process may take to be as it should be.
const LOOKS: usize = 100;
const LOOK: Duration = Duration::from_millis(10);

/// What was done to processes.
pub struct Broken {
    fault: Fault,
    members: Vec<MemberName>,
    command: Option<String>,
    since: Instant,
    /// Those who were seen in the state that they should be in.
    seen: Vec<String>,
}

fn victim(fault: &Fault) -> anyhow::Result<&Victim> {
    match fault {
        Fault::Kill(victim)
        | Fault::Terminate(victim)
        | Fault::Pause(victim)
        | Fault::Restart(victim)
        | Fault::Tear(victim) => Ok(victim),
        other => bail!("{other} is nothing that can be done to a process"),
    }
}

/// Does it.
pub async fn inject(fault: &Fault, scene: &Scene<'_>) -> anyhow::Result<Broken> {
    let victim = victim(fault)?;
    let mut broken =
        Broken { fault: fault.clone(), members: Vec::new(), command: None, since: Instant::now(), seen: Vec::new() };
    if let Victim::Client(name) = victim {
        match fault {
            Fault::Kill(_) => scene.commands.kill(name)?,
            Fault::Pause(_) => scene.commands.pause(name)?,
            Fault::Terminate(_) => scene.commands.terminate(name)?,
            _ => bail!("a command can be killed, terminated or paused, and nothing else"),
        }
        broken.command = Some(name.clone());
        broken.seen.push(format!("the command {name}"));
        return Ok(broken);
    }
    broken.members = scene.members(victim).await?;
    let mut cluster = scene.cluster.lock().await;
    match fault {
        Fault::Kill(_) | Fault::Tear(_) => cluster.kill_all(&broken.members)?,
        Fault::Terminate(_) => broken.members.iter().try_for_each(|member| cluster.stop(*member))?,
        Fault::Pause(_) => broken.members.iter().try_for_each(|member| cluster.pause(*member))?,
        Fault::Restart(_) => return restart(broken, &mut cluster),
        other => bail!("{other} is nothing that can be done to a process"),
    }
    if matches!(fault, Fault::Tear(_)) {
        for member in &broken.members {
            ensure!(cluster.tear_log(*member)?, "{member} has no log that could be torn");
        }
    }
    let wanted = if matches!(fault, Fault::Pause(_)) { ProcessState::Paused } else { ProcessState::Stopped };
    // The system takes a moment to stop a process.
    for _ in 0..LOOKS {
        broken.seen = in_state(&cluster, &broken.members, wanted);
        if broken.seen.len() == broken.members.len() {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(broken)
}

fn restart(mut broken: Broken, cluster: &mut Cluster) -> anyhow::Result<Broken> {
    for member in &broken.members {
        let before = cluster.state(*member).1;
        cluster.restart(*member)?;
        if cluster.state(*member).1 != before {
            broken.seen.push(member.to_string());
        }
    }
    Ok(broken)
}

fn in_state(cluster: &Cluster, members: &[MemberName], wanted: ProcessState) -> Vec<String> {
    let is = |member: &&MemberName| cluster.state(**member).0 == wanted;
    members.iter().filter(is).map(MemberName::to_string).collect()
}

/// Lets them go on, or starts them again.
pub async fn heal(broken: Broken, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
    let mut cluster = scene.cluster.lock().await;
    match (&broken.fault, &broken.command) {
        (Fault::Pause(_), Some(name)) => scene.commands.resume(name)?,
        (Fault::Pause(_), None) => {
            for member in &broken.members {
                // Whoever was killed meanwhile has nothing to go on with.
                if cluster.state(*member).0 == ProcessState::Paused {
                    cluster.resume(*member)?;
                }
            }
        }
        (Fault::Kill(_) | Fault::Terminate(_) | Fault::Tear(_), None) => {
            for member in &broken.members {
                // Another fault may have brought it back.
                if cluster.state(*member).0 == ProcessState::Stopped {
                    cluster.start(*member)?;
                }
            }
        }
        (Fault::Kill(_) | Fault::Terminate(_), Some(name)) => scene.commands.start_again(name, &cluster)?,
        _ => {}
    }
    let all = broken.members.len() + usize::from(broken.command.is_some());
    let done = match broken.fault {
        Fault::Kill(_) => "ended by SIGKILL",
        Fault::Tear(_) => "ended by SIGKILL, its log torn",
        Fault::Terminate(_) => "ended by SIGTERM",
        Fault::Restart(_) => "ended by SIGTERM and started again",
        _ => "frozen",
    };
    let seconds = broken.since.elapsed().as_secs_f64();
    let text = format!("{} {done}, for {seconds:.1} s", broken.seen.join(", "));
    Ok(Receipt { bit: broken.seen.len() == all, text })
}
