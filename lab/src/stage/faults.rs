//! Runs a fault: waits for its moment, injects it, and heals it.

use std::sync::Arc;
use std::time::Duration;

use squall_referee::evidence::{FaultRecord, Receipt};
use tokio::sync::watch;

use super::shared::Shared;
use crate::faults::{Active, NotThere};
use crate::scenario::{Condition, FaultStep, Healing, Moment};

/// An order to a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Run normally.
    Live,
    /// The arm's steps are done: a pending fault is skipped, and a fault without its own end is healed.
    Over,
    /// Heal at once.
    Heal,
}

/// Waits for the fault's moment; returns false if the arm's steps ended first.
pub async fn moment(shared: &Arc<Shared>, step: &FaultStep, order: &mut watch::Receiver<Order>) -> bool {
    match &step.moment {
        Moment::Now => true,
        Moment::After(time) => sooner(order, Order::Over, tokio::time::sleep(*time)).await,
        Moment::When(condition, time) => {
            let come = async {
                until(shared, condition).await;
                tokio::time::sleep(*time).await;
            };
            sooner(order, Order::Over, come).await
        }
    }
}

/// Injects the fault. Returns `None` and records the error if that fails.
pub async fn begin(shared: &Arc<Shared>, step: &FaultStep) -> Option<(Active, Duration)> {
    let name = format!("{}/{}", shared.name, step.name);
    // The fault can take effect before `inject` returns.
    let from = shared.stage.now();
    let active = step.fault.inject(&name, &shared.scene()).await;
    match active {
        Ok(active) => {
            shared.note(format!("injected: {} ({})", step.fault, step.name));
            Some((active, from))
        }
        Err(error) => {
            let failed = !error.is::<NotThere>();
            let text = format!("could not be injected: {error:#}");
            let time = InForce { victims: Vec::new(), from, to: from };
            keep(shared, step, time, Receipt { bit: false, failed, text });
            None
        }
    }
}

/// Waits for the fault's end, and heals it.
pub async fn live(
    shared: Arc<Shared>,
    step: FaultStep,
    (active, from): (Active, Duration),
    mut order: watch::Receiver<Order>,
) {
    match &step.healing {
        // If the sender is gone, the run is over too.
        Healing::InTheEnd => drop(order.wait_for(|order| *order >= Order::Over).await),
        Healing::After(time) => drop(sooner(&mut order, Order::Heal, tokio::time::sleep(*time)).await),
        Healing::When(condition) => drop(sooner(&mut order, Order::Over, until(&shared, condition)).await),
    }
    let victims = active.victims();
    let receipt = active.heal(&shared.scene()).await;
    let receipt = receipt.unwrap_or_else(|error| Receipt::failed(format!("could not be healed: {error:#}")));
    let to = shared.stage.now();
    shared.note(format!("healed: {} ({}): {}", step.fault, step.name, receipt.text));
    keep(&shared, &step, InForce { victims, from, to }, receipt);
}

/// Records a fault whose moment never came.
pub fn never_came(shared: &Shared, step: &FaultStep) {
    let now = shared.stage.now();
    let text = match &step.moment {
        Moment::When(condition, _) => format!("its condition never held: {condition}"),
        Moment::Now | Moment::After(_) => "its moment never came".to_owned(),
    };
    let never = InForce { victims: Vec::new(), from: now, to: now };
    keep(shared, step, never, Receipt { bit: false, failed: false, text });
}

/// The victims of a fault, and the time in which they were broken.
struct InForce {
    victims: Vec<String>,
    from: Duration,
    to: Duration,
}

fn keep(shared: &Shared, step: &FaultStep, in_force: InForce, receipt: Receipt) {
    let InForce { victims, from, to } = in_force;
    let (arm, name, text) = (shared.name.clone(), step.name.clone(), step.fault.to_string());
    shared.note_healed(&step.name);
    shared.stage.keep(FaultRecord { arm, name, text, victims, from, to, receipt });
}

async fn until(shared: &Shared, condition: &Condition) {
    // Returns when the condition holds, or is dropped.
    drop(shared.until(condition, Duration::MAX).await);
}

/// Returns true if `other` completes before the order.
async fn sooner(orders: &mut watch::Receiver<Order>, order: Order, other: impl Future<Output = ()>) -> bool {
    tokio::select! {
        // Check `other` first: a moment that has come counts, even if it is noticed late.
        biased;
        () = other => true,
        _ = orders.wait_for(|given| *given >= order) => false,
    }
}
