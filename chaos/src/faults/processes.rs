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
    /// What did not go as it should.
    trouble: Option<String>,
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
    let mut broken = Broken {
        fault: fault.clone(),
        members: Vec::new(),
        command: None,
        since: Instant::now(),
        seen: Vec::new(),
        trouble: None,
    };
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
    let members = scene.members(victim).await?;
    let mut cluster = scene.cluster.lock().await;
    // Another fault may have ended some of them already: they are that one's to start again.
    broken.members = members.into_iter().filter(|member| cluster.state(*member).0 != ProcessState::Stopped).collect();
    ensure!(!broken.members.is_empty(), "{victim} does not run");
    match fault {
        Fault::Kill(_) | Fault::Tear(_) => cluster.kill_all(&broken.members)?,
        // One that cannot be stopped does not spare the others, and all of them are healed.
        Fault::Terminate(_) => broken.each(|member| cluster.stop(member)),
        Fault::Pause(_) => broken.each(|member| cluster.pause(member)),
        Fault::Restart(_) => return restart(broken, &mut cluster),
        other => bail!("{other} is nothing that can be done to a process"),
    }
    if matches!(fault, Fault::Tear(_)) {
        for member in &broken.members {
            if let Err(error) = cluster.tear_log(*member) {
                broken.trouble = Some(format!("{error:#}"));
            }
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

impl Broken {
    fn each(&mut self, mut act: impl FnMut(MemberName) -> anyhow::Result<()>) {
        for member in self.members.clone() {
            if let Err(error) = act(member) {
                self.trouble = Some(format!("{member}: {error:#}"));
            }
        }
    }
}

fn restart(mut broken: Broken, cluster: &mut Cluster) -> anyhow::Result<Broken> {
    for member in &broken.members.clone() {
        let before = cluster.state(*member).1;
        if let Err(error) = cluster.restart(*member) {
            broken.trouble = Some(format!("{member}: {error:#}"));
        }
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
pub async fn heal(mut broken: Broken, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
    if let (Fault::Kill(_) | Fault::Terminate(_), Some(name)) = (&broken.fault, &broken.command) {
        scene.commands.ended(name).await?;
    }
    let mut cluster = scene.cluster.lock().await;
    match (&broken.fault, &broken.command) {
        (Fault::Pause(_), Some(name)) => scene.commands.resume(name)?,
        // Whoever was killed meanwhile has nothing to go on with.
        (Fault::Pause(_), None) => broken.each(|member| match cluster.state(member).0 {
            ProcessState::Paused => cluster.resume(member),
            ProcessState::Running | ProcessState::Stopped => Ok(()),
        }),
        (Fault::Kill(_) | Fault::Terminate(_) | Fault::Tear(_), None) => {
            // Another fault may have brought it back.
            broken.each(|member| match cluster.state(member).0 {
                ProcessState::Stopped => cluster.start(member),
                ProcessState::Running | ProcessState::Paused => Ok(()),
            });
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
    let trouble = broken.trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    let failed = !trouble.is_empty();
    let text = format!("{} {done}, for {seconds:.1} s{trouble}", broken.seen.join(", "));
    Ok(Receipt { bit: broken.seen.len() == all && !failed, failed, text })
}
