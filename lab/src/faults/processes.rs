//! Faults that signal processes: members, and commands that an arm started.

use std::time::{Duration, Instant};

use anyhow::ensure;
use squall_cluster::{Cluster, MemberName, ProcessState};
use squall_referee::evidence::Receipt;

use super::{Commands, NotThere, Scene, Victim};

/// The system takes a moment to end or stop a process: it is looked at so often, at this interval.
const LOOKS: usize = 100;
const LOOK: Duration = Duration::from_millis(10);

/// A signal to members, its healing and the sign that it has landed.
pub struct Blow {
    /// The state of a victim in a receipt: `frozen`.
    pub done: &'static str,
    /// Strikes all of them. A member that cannot be struck does not spare the others; its error goes into the receipt.
    pub strike: fn(&mut Cluster, &[MemberName]) -> Vec<anyhow::Error>,
    /// Whether a member is in the wanted state. The pid is the one that it had before.
    pub has_landed: fn(&Cluster, MemberName, Option<i32>) -> bool,
    /// Heals one of them.
    pub heal: fn(&mut Cluster, MemberName) -> anyhow::Result<()>,
}

/// A signal to a command.
pub struct CommandBlow {
    /// The state of the command in a receipt.
    pub done: &'static str,
    /// Strikes the command of a name.
    pub strike: fn(&Commands, &str) -> anyhow::Result<()>,
    /// Its healing.
    pub after: AfterCommand,
}

/// The healing of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCommand {
    /// SIGCONT.
    Resume,
    /// A program of the scenario's own starts again; a command of a user does not.
    StartAgain,
}

/// Members that were struck.
pub struct Struck {
    blow: &'static Blow,
    members: Vec<MemberName>,
    since: Instant,
    /// The members that were seen in the wanted state.
    landed: Vec<String>,
    trouble: Vec<String>,
}

/// A command that was struck.
pub struct StruckCommand {
    blow: &'static CommandBlow,
    name: String,
    since: Instant,
}

/// Acts on each member; returns an error for each that failed.
pub fn each(members: &[MemberName], mut act: impl FnMut(MemberName) -> anyhow::Result<()>) -> Vec<anyhow::Error> {
    members.iter().filter_map(|member| Some(act(*member).err()?.context(member.to_string()))).collect()
}

/// Whether a member has ended.
pub fn has_ended(cluster: &Cluster, member: MemberName, _: Option<i32>) -> bool {
    cluster.state(member).0 == ProcessState::Stopped
}

/// Starts a member, unless another fault has brought it back.
pub fn start_if_ended(cluster: &mut Cluster, member: MemberName) -> anyhow::Result<()> {
    match cluster.state(member).0 {
        ProcessState::Stopped => cluster.start(member),
        ProcessState::Running | ProcessState::Paused => Ok(()),
    }
}

/// Strikes the members that a victim means now.
pub async fn strike(blow: &'static Blow, victim: &Victim, scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut members = scene.members(victim).await?;
    let mut cluster = scene.cluster.lock().await;
    // Another fault may have ended some of them: it starts those again.
    members.retain(|member| cluster.state(*member).0 != ProcessState::Stopped);
    ensure!(!members.is_empty(), NotThere(victim.to_string()));
    let before: Vec<Option<i32>> = members.iter().map(|member| cluster.state(*member).1).collect();
    let since = Instant::now();
    let errors = (blow.strike)(&mut cluster, &members);
    let trouble = errors.iter().map(|error| format!("{error:#}")).collect();
    let mut struck = Struck { blow, members, since, landed: Vec::new(), trouble };
    for _ in 0..LOOKS {
        let pairs = struck.members.iter().zip(&before);
        let landed = pairs.filter(|(member, before)| (blow.has_landed)(&cluster, **member, **before));
        struck.landed = landed.map(|(member, _)| member.to_string()).collect();
        if struck.landed.len() == struck.members.len() {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(struck)
}

impl Struck {
    /// The names of the members.
    pub fn victims(&self) -> Vec<String> {
        self.members.iter().map(MemberName::to_string).collect()
    }

    /// Heals the members.
    pub async fn heal(mut self, scene: &Scene<'_>) -> Receipt {
        let mut cluster = scene.cluster.lock().await;
        let errors = each(&self.members, |member| (self.blow.heal)(&mut cluster, member));
        self.trouble.extend(errors.iter().map(|error| format!("{error:#}")));
        let (failed, all_landed) = (!self.trouble.is_empty(), self.landed.len() == self.members.len());
        let mut text = in_words(&self.landed.join(", "), self.blow.done, self.since);
        self.trouble.iter().for_each(|trouble| text.push_str(&format!("; {trouble}")));
        Receipt { bit: all_landed && !failed, failed, text }
    }
}

/// Strikes a command.
pub fn strike_command(blow: &'static CommandBlow, name: &str, commands: &Commands) -> anyhow::Result<StruckCommand> {
    let since = Instant::now();
    (blow.strike)(commands, name)?;
    Ok(StruckCommand { blow, name: name.to_owned(), since })
}

impl StruckCommand {
    /// The command's name.
    pub fn victims(&self) -> Vec<String> {
        vec![format!("command {}", self.name)]
    }

    /// Heals the command.
    pub async fn heal(self, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
        match self.blow.after {
            AfterCommand::Resume => scene.commands.resume(&self.name)?,
            AfterCommand::StartAgain => {
                scene.commands.ended(&self.name).await?;
                scene.commands.start_again(&self.name, &*scene.cluster.lock().await)?;
            }
        }
        let text = in_words(&format!("the command {}", self.name), self.blow.done, self.since);
        Ok(Receipt { bit: true, failed: false, text })
    }
}

fn in_words(victims: &str, done: &str, since: Instant) -> String {
    format!("{victims} {done}, for {:.1} s", since.elapsed().as_secs_f64())
}
