//! Faults that a process makes in itself when it is asked to: its disk, its clock, its watches; and the links of the proxy.

use std::time::{Duration, Instant};

use anyhow::ensure;
use squall_cluster::{MemberName, ProcessState, Role};
use squall_faults::{Switch, SwitchError, What};
use squall_referee::evidence::Receipt;

use super::{NotThere, Scene, Victim};

/// A process that does not answer is asked to heal for so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// A process that does not answer is asked to break for so long: it may be starting.
const STARTING: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(200);

/// A fault that members are to make in themselves.
pub struct BreakIn<'a> {
    /// The members.
    pub of: &'a Victim,
    /// The fault.
    pub what: What,
    /// The unit of its receipt: `fsyncs held up`.
    pub unit: &'static str,
    /// Whether a member lives through it.
    pub survival: Survival,
}

/// Whether a member lives through a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// A member that ends has failed.
    Expected,
    /// The fault may end a member; healing starts it again.
    MayEnd,
}

/// Every process that was asked, and the unit of their receipts.
#[derive(Default)]
pub struct Asked {
    /// The processes.
    pub all: Vec<Switched>,
    /// The unit of the counts; `None`: the process reports in its own words.
    pub unit: Option<&'static str>,
    /// Members that may have to be started again.
    pub may_end: bool,
}

impl Asked {
    /// The names of the members, or of the ends of links.
    pub fn victims(&self) -> Vec<String> {
        self.all.iter().map(|switched| switched.of.clone()).collect()
    }
}

/// A fault that a process has injected on request.
pub struct Switched {
    /// The process's switch for faults.
    pub switch: Switch,
    /// The fault's name in that process.
    pub name: String,
    /// The member or the link, in words.
    pub of: String,
    /// The member; `None` for a link.
    pub member: Option<MemberName>,
}

/// Asks each member. If one cannot be asked, the others are healed again.
pub async fn inject(break_in: &BreakIn<'_>, name: &str, scene: &Scene<'_>) -> anyhow::Result<Asked> {
    let BreakIn { of, what, unit, survival } = break_in;
    let mut asked = Asked { all: Vec::new(), unit: Some(unit), may_end: *survival == Survival::MayEnd };
    let members = scene.members(of).await?;
    // A node is broken in its kubelet, which has watches and a clock; its runtime has neither.
    for member in members.into_iter().filter(|member| member.role != Role::Runtime) {
        let switch = scene.cluster.lock().await.switch(member)?;
        let fault = squall_faults::Fault { name: name.to_owned(), what: Some(what.clone()) };
        match ask(member, &switch, fault, scene).await {
            Ok(()) => {
                let of = member.to_string();
                asked.all.push(Switched { switch, name: name.to_owned(), of, member: Some(member) });
            }
            // Another fault has ended it; the others are still affected.
            Err(error) if error.is::<NotThere>() => {}
            Err(error) => {
                heal(asked, scene, |_| true).await?;
                return Err(error.context(member.to_string()));
            }
        }
    }
    ensure!(!asked.all.is_empty(), NotThere(of.to_string()));
    Ok(asked)
}

/// Asks one member; retries while it is starting.
async fn ask(
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
                let state = scene.cluster.lock().await.state(member).0;
                ensure!(state != ProcessState::Stopped, NotThere(member.to_string()));
                if start.elapsed() >= STARTING {
                    return Err(error.into());
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Heals all of them; `enough` judges by each that bit or did not whether the fault bit.
pub async fn heal(asked: Asked, scene: &Scene<'_>, enough: impl Fn(&[bool]) -> bool) -> anyhow::Result<Receipt> {
    let (mut texts, mut bits, mut failed) = (Vec::new(), Vec::new(), false);
    for one in &asked.all {
        if asked.may_end
            && let Some(text) = started_again(one, scene).await?
        {
            bits.push(true);
            texts.push(text);
            continue;
        }
        let (bit, text) = match healed(one).await {
            Ok(receipt) => (receipt.count > 0, in_words(&receipt, asked.unit)),
            Err(SwitchError::NoSuchFault(_)) => (false, "it restarted meanwhile, and lost its receipt".to_owned()),
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

/// A receipt of a process, in words.
pub fn in_words(receipt: &squall_faults::Receipt, unit: Option<&str>) -> String {
    unit.map_or_else(|| receipt.text.clone(), |unit| format!("{} {unit}", receipt.count))
}

/// Heals one. A frozen process answers when it resumes: it is asked again until then.
async fn healed(one: &Switched) -> Result<squall_faults::Receipt, SwitchError> {
    let start = Instant::now();
    loop {
        match one.switch.heal(&one.name).await {
            Err(SwitchError::NoAnswer(_)) if start.elapsed() < PATIENCE => tokio::time::sleep(RETRY).await,
            answered => return answered,
        }
    }
}

/// Starts a member again that has ended, as the fault was to make it.
async fn started_again(one: &Switched, scene: &Scene<'_>) -> anyhow::Result<Option<String>> {
    let Some(member) = one.member else { return Ok(None) };
    let mut cluster = scene.cluster.lock().await;
    if cluster.state(member).0 != ProcessState::Stopped {
        return Ok(None);
    }
    cluster.start(member)?;
    Ok(Some(format!("{member}: it exited and was restarted")))
}
