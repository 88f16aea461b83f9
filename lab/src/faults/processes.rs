//! Processes that are killed, asked to end, frozen.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use squall_cluster::{Cluster, MemberName, ProcessState};

use super::{NotThere, Scene};
use crate::scenario::Victim;
use squall_referee::evidence::Receipt;

/// How long a process may take to be as it should be.
const LOOKS: usize = 100;
const LOOK: Duration = Duration::from_millis(10);

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP.
    Pause,
    /// SIGTERM, and started again at once.
    Restart,
    /// SIGKILL, and the end of its log is torn off.
    Tear,
}

/// What can be done to a command that runs beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandBlow {
    Kill,
    Terminate,
    Pause,
}

impl Blow {
    fn of_command(self) -> anyhow::Result<CommandBlow> {
        match self {
            Self::Kill => Ok(CommandBlow::Kill),
            Self::Terminate => Ok(CommandBlow::Terminate),
            Self::Pause => Ok(CommandBlow::Pause),
            Self::Restart | Self::Tear => bail!("a command can be killed, terminated or paused, and nothing else"),
        }
    }
}

/// What was done to processes.
pub struct Broken {
    blow: Blow,
    members: Vec<MemberName>,
    command: Option<(String, CommandBlow)>,
    since: Instant,
    /// Those who were seen in the state that they should be in.
    seen: Vec<String>,
    /// What did not go as it should.
    trouble: Option<String>,
}

/// Does it.
pub async fn inject(blow: Blow, victim: &Victim, scene: &Scene<'_>) -> anyhow::Result<Broken> {
    let mut broken =
        Broken { blow, members: Vec::new(), command: None, since: Instant::now(), seen: Vec::new(), trouble: None };
    if let Victim::Client(name) = victim {
        let blow = blow.of_command()?;
        match blow {
            CommandBlow::Kill => scene.commands.kill(name)?,
            CommandBlow::Terminate => scene.commands.terminate(name)?,
            CommandBlow::Pause => scene.commands.pause(name)?,
        }
        broken.command = Some((name.clone(), blow));
        broken.seen.push(format!("the command {name}"));
        return Ok(broken);
    }
    let members = scene.members(victim).await?;
    let mut cluster = scene.cluster.lock().await;
    // Another fault may have ended some of them already: they are that one's to start again.
    broken.members = members.into_iter().filter(|member| cluster.state(*member).0 != ProcessState::Stopped).collect();
    ensure!(!broken.members.is_empty(), NotThere(victim.to_string()));
    let wanted = match blow {
        Blow::Kill => {
            cluster.kill_all(&broken.members)?;
            ProcessState::Stopped
        }
        Blow::Tear => {
            cluster.kill_all(&broken.members)?;
            broken.each(|member| cluster.tear_log(member));
            ProcessState::Stopped
        }
        // One that cannot be stopped does not spare the others, and all of them are healed.
        Blow::Terminate => {
            broken.each(|member| cluster.stop(member));
            ProcessState::Stopped
        }
        Blow::Pause => {
            broken.each(|member| cluster.pause(member));
            ProcessState::Paused
        }
        Blow::Restart => {
            broken.restart(&mut cluster);
            return Ok(broken);
        }
    };
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
    fn heal_members(&mut self, cluster: &mut Cluster) {
        match self.blow {
            // Whoever was killed meanwhile has nothing to go on with.
            Blow::Pause => self.each(|member| match cluster.state(member).0 {
                ProcessState::Paused => cluster.resume(member),
                ProcessState::Running | ProcessState::Stopped => Ok(()),
            }),
            // Another fault may have brought it back.
            Blow::Kill | Blow::Terminate | Blow::Tear => self.each(|member| match cluster.state(member).0 {
                ProcessState::Stopped => cluster.start(member),
                ProcessState::Running | ProcessState::Paused => Ok(()),
            }),
            Blow::Restart => {}
        }
    }

    fn each(&mut self, mut act: impl FnMut(MemberName) -> anyhow::Result<()>) {
        for member in self.members.clone() {
            if let Err(error) = act(member) {
                self.trouble = Some(format!("{member}: {error:#}"));
            }
        }
    }

    fn restart(&mut self, cluster: &mut Cluster) {
        let before: Vec<_> = self.members.iter().map(|member| cluster.state(*member).1).collect();
        self.each(|member| cluster.restart(member));
        let another = |(member, before): (&MemberName, _)| cluster.state(*member).1 != before;
        let started = self.members.iter().zip(before).filter(|(member, before)| another((member, *before)));
        self.seen = started.map(|(member, _)| member.to_string()).collect();
    }
}

fn in_state(cluster: &Cluster, members: &[MemberName], wanted: ProcessState) -> Vec<String> {
    let is = |member: &&MemberName| cluster.state(**member).0 == wanted;
    members.iter().filter(is).map(MemberName::to_string).collect()
}

/// Lets them go on, or starts them again.
pub async fn heal(mut broken: Broken, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
    match &broken.command {
        Some((name, blow)) => heal_command(*blow, name, scene).await?,
        None => broken.heal_members(&mut *scene.cluster.lock().await),
    }
    let all = broken.members.len() + usize::from(broken.command.is_some());
    let done = match broken.blow {
        Blow::Kill => "ended by SIGKILL",
        Blow::Tear => "ended by SIGKILL, its log torn",
        Blow::Terminate => "ended by SIGTERM",
        Blow::Restart => "ended by SIGTERM and started again",
        Blow::Pause => "frozen",
    };
    let seconds = broken.since.elapsed().as_secs_f64();
    let trouble = broken.trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    let failed = !trouble.is_empty();
    let text = format!("{} {done}, for {seconds:.1} s{trouble}", broken.seen.join(", "));
    Ok(Receipt { bit: broken.seen.len() == all && !failed, failed, text })
}

async fn heal_command(blow: CommandBlow, name: &str, scene: &Scene<'_>) -> anyhow::Result<()> {
    match blow {
        CommandBlow::Pause => scene.commands.resume(name),
        CommandBlow::Kill | CommandBlow::Terminate => {
            scene.commands.ended(name).await?;
            scene.commands.start_again(name, &*scene.cluster.lock().await)
        }
    }
}
