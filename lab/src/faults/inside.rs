//! Faults that a process makes in itself when it is asked to: its disk, its clock, what its watches are told.

use std::time::{Duration, Instant};

use anyhow::ensure;
use squall_cluster::{MemberName, ProcessState, Role};
use squall_faults::{Switch, SwitchError, What};

use super::{NotThere, Scene};
use crate::scenario::Victim;
use squall_referee::evidence::Receipt;

/// How long a process is asked to heal that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one is asked to be broken that does not answer.
const STARTING: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(200);

/// A fault that a process has been asked to make.
pub struct Switched {
    /// The process.
    pub switch: Switch,
    /// The fault's name there.
    pub name: String,
    /// Whose it is.
    pub of: String,
    /// The member, if it may have to be started again: what it was made to do may have ended it.
    pub member: Option<MemberName>,
    /// What it was made to do is expected to end it.
    pub may_end_it: bool,
}

/// Asks each of them. If one cannot be asked, the others are healed again.
pub async fn inject(victim: &Victim, what: &What, name: &str, scene: &Scene<'_>) -> anyhow::Result<Vec<Switched>> {
    let may_end_it = matches!(what, What::Disk(disk) if disk.full);
    let mut switched = Vec::new();
    let members = scene.members(victim).await?;
    // Of a node it is the kubelet that has watches and a clock.
    for member in members.into_iter().filter(|member| member.role != Role::Runtime) {
        let switch = scene.cluster.lock().await.switch(member)?;
        let fault = squall_faults::Fault { name: name.to_owned(), what: Some(what.clone()) };
        match asked(member, &switch, fault, scene).await {
            Ok(()) => {
                let of = member.to_string();
                switched.push(Switched { switch, name: name.to_owned(), of, member: Some(member), may_end_it });
            }
            // Another fault has ended it: the others are broken all the same.
            Err(error) if error.is::<NotThere>() => {}
            Err(error) => {
                heal(switched, scene, |_| true).await?;
                return Err(error.context(member.to_string()));
            }
        }
    }
    ensure!(!switched.is_empty(), NotThere(victim.to_string()));
    Ok(switched)
}

/// Asks one; again, while it is only starting.
async fn asked(
    member: MemberName,
    switch: &Switch,
    fault: squall_faults::Fault,
    scene: &Scene<'_>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match switch.inject(fault.clone()).await {
            Ok(()) => return Ok(()),
            Err(error @ (SwitchError::Refused(_) | SwitchError::NoSuchFault(_))) => return Err(error.into()),
            Err(error @ SwitchError::NoAnswer(_)) => {
                ensure!(
                    scene.cluster.lock().await.state(member).0 != ProcessState::Stopped,
                    NotThere(member.to_string())
                );
                if start.elapsed() >= STARTING {
                    return Err(error.into());
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Mends all of them; `enough` says of who bit whether that is enough.
pub async fn heal(
    switched: Vec<Switched>,
    scene: &Scene<'_>,
    enough: impl Fn(&[bool]) -> bool,
) -> anyhow::Result<Receipt> {
    let (mut texts, mut bits, mut failed) = (Vec::new(), Vec::new(), false);
    for one in &switched {
        if let Some(text) = started_again(one, scene).await? {
            bits.push(true);
            texts.push(text);
            continue;
        }
        let (bit, text) = match healed(one).await {
            Ok(receipt) => (receipt.count > 0, receipt.text),
            Err(SwitchError::NoSuchFault(_)) => {
                (false, "it was started anew meanwhile, and took its receipt along".to_owned())
            }
            Err(error) => {
                failed = true;
                (false, format!("no receipt: {error:#}"))
            }
        };
        bits.push(bit);
        texts.push(format!("{}: {text}", one.of));
    }
    Ok(Receipt { bit: enough(&bits), failed, text: texts.join("; ") })
}

/// One that is frozen answers when it goes on: it is asked again until then.
async fn healed(one: &Switched) -> Result<squall_faults::Receipt, SwitchError> {
    let start = Instant::now();
    loop {
        match one.switch.heal(&one.name).await {
            Err(SwitchError::NoAnswer(_)) if start.elapsed() < PATIENCE => tokio::time::sleep(RETRY).await,
            answered => return answered,
        }
    }
}

/// What to say of a member that has ended as the fault was to make it. Any other end is a failure of its own.
async fn started_again(one: &Switched, scene: &Scene<'_>) -> anyhow::Result<Option<String>> {
    let Some(member) = one.member.filter(|_| one.may_end_it) else { return Ok(None) };
    let mut cluster = scene.cluster.lock().await;
    if cluster.state(member).0 != ProcessState::Stopped {
        return Ok(None);
    }
    cluster.start(member)?;
    Ok(Some(format!("{member}: it ended, and was started again")))
}
