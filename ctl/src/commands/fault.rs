//! `ctl fault`: injects faults into a cluster by hand.

use squall_cluster::{Cluster, Lifetime};
use squall_lab::faults::by_hand::{self, Found, Healed};
use squall_lab::faults::{Fault, Scene, Skew};
use squall_lab::stage::Commands;
use tokio::sync::Mutex;

use crate::cli::{DirArgs, FaultCommand, FaultFlags, FaultListArgs, HealArgs, ProcessFaultArgs};
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output::{line, print_cells};

/// Runs a command.
pub async fn run(command: FaultCommand) -> Result<(), Failure> {
    let (fault, flags) = match command {
        FaultCommand::List(args) => return list(&args).await,
        FaultCommand::Heal(args) => return heal(&args).await,
        FaultCommand::Cut(args) => {
            (Fault::Cut { from: args.from, to: args.to, reset: args.reset, one_way: args.one_way }, args.flags)
        }
        FaultCommand::Slow(args) => {
            let fault = Fault::Slow {
                from: args.from,
                to: args.to,
                delay: args.delay,
                jitter: args.jitter,
                bytes_per_second: args.bytes_per_second,
                one_way: args.one_way,
            };
            (fault, args.flags)
        }
        FaultCommand::Disk(args) => match args.sync {
            Some(sync) => (Fault::SlowDisk { of: args.of, sync }, args.flags),
            None => (Fault::FullDisk(args.of), args.flags),
        },
        FaultCommand::Clock(args) => {
            let skew = Skew::try_from(args.skew).map_err(Failure::error)?;
            (Fault::Clock { of: args.of, skew }, args.flags)
        }
        FaultCommand::Hold(args) => {
            let fault = Fault::Hold { of: args.of, kind: args.kind, object: args.object, delay: args.delay };
            (fault, args.flags)
        }
        FaultCommand::Kill(args) => of_process(args, Fault::Kill),
        FaultCommand::Terminate(args) => of_process(args, Fault::Terminate),
        FaultCommand::Pause(args) => of_process(args, Fault::Pause),
        FaultCommand::Restart(args) => of_process(args, Fault::Restart),
    };
    inject(&fault, flags).await
}

fn of_process(
    args: ProcessFaultArgs,
    fault: impl FnOnce(squall_lab::scenario::Victim) -> Fault,
) -> (Fault, FaultFlags) {
    (fault(args.victim), args.flags)
}

fn open(dir: &DirArgs) -> Result<Cluster, Failure> {
    // Members that are restarted by hand outlive this command.
    Ok(Cluster::open(&dir.dir, Lifetime::Detached)?)
}

async fn inject(fault: &Fault, flags: FaultFlags) -> Result<(), Failure> {
    let cluster = open(&flags.dir)?;
    let name = match flags.name {
        Some(name) => name,
        None => unused(fault, &by_hand::in_force(&cluster).await),
    };
    // The client to cut off needs a kubeconfig that leads over the links.
    if cluster.options().links {
        cluster.client_kubeconfig(0)?;
    }
    let (client, commands, cluster) = (cluster.client()?, Commands::default(), Mutex::new(cluster));
    let scene = Scene { cluster: &cluster, client: &client, commands: &commands, slot: 0 };
    let active = fault.inject(&name, &scene).await?;
    line(&format!("{name}: {fault}"));
    if let Some(time) = flags.lasting {
        let mut interruption = Interruption::listen()?;
        // An interruption heals the fault early.
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = interruption.wait() => {}
        }
        let receipt = active.heal(&scene).await?;
        line(&format!("{name} healed: {}", receipt.text));
    }
    Ok(())
}

/// Returns an unused name, like `cut-1`: the first word of the fault and a number.
fn unused(fault: &Fault, taken: &[Found]) -> String {
    let text = fault.to_string();
    let word = match fault {
        Fault::Clock { .. } => "clock",
        Fault::SlowDisk { .. } | Fault::FullDisk(_) => "disk",
        Fault::Hold { .. } => "hold",
        Fault::Kill(_)
        | Fault::Terminate(_)
        | Fault::Pause(_)
        | Fault::Restart(_)
        | Fault::Tear(_)
        | Fault::Cut { .. }
        | Fault::Slow { .. } => text.split(' ').next().unwrap_or("fault"),
    };
    let is_taken = |name: &String| taken.iter().any(|fault| fault.name.split('/').next() == Some(name));
    (1..).map(|number| format!("{word}-{number}")).find(|name| !is_taken(name)).unwrap_or_default()
}

async fn list(args: &FaultListArgs) -> Result<(), Failure> {
    let found = by_hand::in_force(&open(&args.dir)?).await;
    if args.output.is_some() {
        line(&serde_json::to_string_pretty(&found).map_err(Failure::error)?);
        return Ok(());
    }
    if found.is_empty() {
        line("no faults are in force");
        return Ok(());
    }
    let mut cells = vec![["NAME", "MEMBER", "FAULT", "EFFECT"].map(str::to_owned).to_vec()];
    cells.extend(found.into_iter().map(|fault| vec![fault.name, fault.member.to_string(), fault.text, fault.receipt]));
    print_cells(&cells, 3);
    Ok(())
}

async fn heal(args: &HealArgs) -> Result<(), Failure> {
    let mut cluster = open(&args.dir)?;
    let healed = by_hand::heal(&mut cluster, args.name.as_deref()).await;
    if healed.is_empty()
        && let Some(name) = &args.name
    {
        return Err(Failure::error(format!(
            "no fault is named {name:?}; use \"ctl fault list\" to list the faults in force"
        )));
    }
    let mut failures = Vec::new();
    for Healed { fault, receipt } in healed {
        let Found { name, text, member, .. } = fault;
        match receipt {
            Ok(receipt) if receipt.is_empty() => line(&format!("{name} healed ({text})")),
            Ok(receipt) => line(&format!("{name} healed ({text}): {receipt}")),
            Err(error) => {
                failures.push(Failure::error(format!("healing {name} ({text}) on {member}: {error:#}")));
            }
        }
    }
    Failure::all(failures)
}
