//! Faults that a process makes in itself when it is asked to: its disk, its clock, what its watches are told.

use anyhow::bail;
use squall_cluster::{MemberName, ProcessState, Role};
use squall_faults::{ClockFault, DiskFault, Switch, WatchFault, What};

use super::{Fault, Receipt, Scene};
use crate::scenario::Victim;

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
}

fn what(fault: &Fault) -> anyhow::Result<(&Victim, What)> {
    Ok(match fault {
        Fault::SlowDisk { of, sync } => (of, What::Disk(DiskFault { sync_delay_ms: milliseconds(*sync), full: false })),
        Fault::FullDisk(of) => (of, What::Disk(DiskFault { sync_delay_ms: 0, full: true })),
        Fault::Clock { of, skew } => (of, What::Clock(ClockFault { skew_ms: skew.milliseconds })),
        Fault::Hold { of, kind, object, delay } => {
            let (kind, object, delay_ms) = (kind.clone(), object.clone(), milliseconds(*delay));
            (of, What::Watch(WatchFault { kind, object, delay_ms }))
        }
        other => bail!("{other} is nothing that a process can do in itself"),
    })
}

/// At least one: zero would mean something else.
pub fn milliseconds(span: std::time::Duration) -> u64 {
    if span.is_zero() { 0 } else { u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1) }
}

/// Asks each of them.
pub async fn inject(fault: &Fault, name: &str, scene: &Scene<'_>) -> anyhow::Result<Vec<Switched>> {
    let (victim, what) = what(fault)?;
    let mut switched = Vec::new();
    let members = scene.members(victim).await?;
    // Of a node it is the kubelet that has watches and a clock.
    for member in members.into_iter().filter(|member| member.role != Role::Runtime) {
        let switch = scene.cluster.lock().await.switch(member)?;
        switch.inject(squall_faults::Fault { name: name.to_owned(), what: Some(what.clone()) }).await?;
        let of = member.to_string();
        switched.push(Switched { switch, name: name.to_owned(), of, member: Some(member) });
    }
    Ok(switched)
}

/// Mends all of them. A process that has ended meanwhile has taken its faults with it: it is started again.
pub async fn heal(switched: Vec<Switched>, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
    let mut texts = Vec::new();
    let mut bit = !switched.is_empty();
    for one in &switched {
        if let Some(text) = started_again(one, scene).await? {
            texts.push(text);
            continue;
        }
        let text = match one.switch.heal(&one.name).await {
            Ok(receipt) => {
                bit &= receipt.count > 0;
                receipt.text
            }
            Err(error) => {
                bit = false;
                format!("no receipt: {error}")
            }
        };
        texts.push(format!("{}: {text}", one.of));
    }
    Ok(Receipt { bit, text: texts.join("; ") })
}

/// What to say of a member that has ended under a fault.
async fn started_again(one: &Switched, scene: &Scene<'_>) -> anyhow::Result<Option<String>> {
    let Some(member) = one.member else { return Ok(None) };
    let mut cluster = scene.cluster.lock().await;
    if cluster.state(member).0 != ProcessState::Stopped {
        return Ok(None);
    }
    cluster.start(member)?;
    Ok(Some(format!("{member}: it ended, and was started again")))
}
