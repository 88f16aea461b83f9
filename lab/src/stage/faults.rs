//! The life of a fault: it waits for its moment, breaks something, and is healed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::arm::Shared;
use crate::faults::{Active, NotThere};
use crate::scenario::{Condition, FaultStep, Healing, Moment};
use squall_referee::evidence::{FaultRecord, Receipt};

/// What a fault is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// To live its life.
    Live,
    /// The arm's steps are done: what has not come does not come, what has no end of its own ends.
    Over,
    /// To end now.
    Heal,
}

/// Waits for its moment. Whether it came before everything was over.
pub async fn moment(shared: &Arc<Shared>, step: &FaultStep, order: &mut watch::Receiver<Order>) -> bool {
    match &step.moment {
        Moment::Now => true,
        Moment::After(time) => sooner(order, Order::Over, tokio::time::sleep(*time)).await,
        Moment::When(condition) => sooner(order, Order::Over, until(shared, condition)).await,
    }
}

/// Breaks something. `None` if that was not possible; it is noted.
pub async fn begin(shared: &Arc<Shared>, step: &FaultStep) -> Option<(Active, Duration)> {
    let name = format!("{}/{}", shared.name, step.name);
    // What it does it may do before it is done.
    let from = shared.stage.start.elapsed();
    let active = step.fault.inject(&name, &shared.scene()).await;
    match active {
        Ok(active) => {
            shared.note(format!("broken: {} ({})", step.fault, step.name));
            Some((active, from))
        }
        Err(error) => {
            let failed = !error.is::<NotThere>();
            let text = format!("could not be done: {error:#}");
            keep(shared, step, (from, from), Receipt { bit: false, failed, text });
            None
        }
    }
}

/// Waits until it is to be healed, and heals it.
pub async fn live(
    shared: Arc<Shared>,
    step: FaultStep,
    (active, from): (Active, Duration),
    mut order: watch::Receiver<Order>,
) {
    match &step.healing {
        // Whoever sends this may be gone: then it is over too.
        Healing::InTheEnd => drop(order.wait_for(|order| *order >= Order::Over).await),
        Healing::After(time) => drop(sooner(&mut order, Order::Heal, tokio::time::sleep(*time)).await),
        Healing::When(condition) => drop(sooner(&mut order, Order::Over, until(&shared, condition)).await),
    }
    let receipt = active.heal(&shared.scene()).await;
    let receipt = receipt.unwrap_or_else(|error| Receipt::failed(format!("could not be healed: {error:#}")));
    let to = shared.stage.start.elapsed();
    shared.note(format!("healed: {} ({}): {}", step.fault, step.name, receipt.text));
    keep(&shared, &step, (from, to), receipt);
}

/// A fault whose moment never came.
pub fn never_came(shared: &Shared, step: &FaultStep) {
    let now = shared.stage.start.elapsed();
    let text = match &step.moment {
        Moment::When(condition) => format!("its moment never came: {condition}"),
        Moment::Now | Moment::After(_) => "its moment never came".to_owned(),
    };
    keep(shared, step, (now, now), Receipt { bit: false, failed: false, text });
}

fn keep(shared: &Shared, step: &FaultStep, (from, to): (Duration, Duration), receipt: Receipt) {
    let (arm, name, text) = (shared.name.clone(), step.name.clone(), step.fault.to_string());
    shared.note_healed(&step.name);
    shared.stage.keep(FaultRecord { arm, name, text, victims: Vec::new(), from, to, receipt });
}

async fn until(shared: &Shared, condition: &Condition) {
    // It ends with the condition, or is not waited for any more.
    drop(shared.until(condition, Duration::MAX).await);
}

/// Whether something comes before an order does.
async fn sooner(orders: &mut watch::Receiver<Order>, order: Order, other: impl Future<Output = ()>) -> bool {
    tokio::select! {
        // What has come already comes first, however late it is looked at.
        biased;
        () = other => true,
        _ = orders.wait_for(|given| *given >= order) => false,
    }
}
