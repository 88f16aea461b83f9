//! `ctl fault`: injects faults into a cluster by hand.

use squall_cluster::{Cluster, Lifetime};
use squall_lab::faults::by_hand::{self, Healed, Injected};
use squall_lab::faults::{Commands, Fault, Scene};
use tokio::sync::Mutex;

use crate::cli::{ByHand, DirArgs, FaultCommand, FaultFlags, FaultListArgs, HealArgs};
use crate::context::cluster_folder;
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output::{line, print_cells};

/// Runs a command.
pub async fn run(command: FaultCommand) -> Result<(), Failure> {
    match command {
        FaultCommand::Inject(ByHand { fault, flags }) => inject(&fault, flags).await,
        FaultCommand::Disk(args) => {
            let ByHand { fault, flags } = args.into();
            inject(&fault, flags).await
        }
        FaultCommand::List(args) => list(&args).await,
        FaultCommand::Heal(args) => heal(&args).await,
    }
}

fn open(dir: &DirArgs) -> Result<Cluster, Failure> {
    // Members that are restarted by hand outlive this command.
    Ok(Cluster::open(&cluster_folder(dir)?, Lifetime::Detached)?)
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

/// Returns an unused name, like `cut-1`: the last word of the fault's name and a number.
fn unused(fault: &Fault, taken: &[Injected]) -> String {
    let name = fault.name();
    let word = name.rsplit('-').next().unwrap_or(&name);
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
        let Injected { name, text, member, .. } = fault;
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
