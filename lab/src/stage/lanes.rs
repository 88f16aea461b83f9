//! Records the leaders by polling, because no store revision shows a Raft leader.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use squall_cluster::leaders;
use squall_referee::evidence::Lane;
use squall_referee::history::Sighting;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::state::Stage;

/// The polling interval.
const LOOK: Duration = Duration::from_millis(25);
/// The timeout of a query; a member that does not answer in time does not lead.
const ASK: Duration = Duration::from_millis(500);

/// The running observer.
pub struct Lanes {
    stop: watch::Sender<bool>,
    looking: JoinHandle<Looked>,
}

/// The leaders over time, and revisions of the leading apiserver with their times.
type Looked = (Vec<Lane>, Vec<Sighting>);

/// Starts to observe.
pub fn watch(stage: Arc<Stage>) -> Lanes {
    let (stop, stopping) = watch::channel(false);
    Lanes { stop, looking: tokio::spawn(look(stage, stopping)) }
}

impl Lanes {
    /// Stops observing and returns the results.
    pub async fn end(self) -> Looked {
        self.stop.send_replace(true);
        // It can only fail by a panic in the task, and the task has none.
        self.looking.await.unwrap_or_default()
    }
}

/// Observes each office on its own: a query about one must not delay the other.
async fn look(stage: Arc<Stage>, stopping: watch::Receiver<bool>) -> Looked {
    let client = stage.client.with_deadline(ASK);
    let elected_now = Mutex::<String>::default();
    let raft = async {
        let (mut lanes, mut seen_at) = (Vec::new(), Vec::new());
        let mut stopping = stopping.clone();
        while goes_on(&mut stopping).await {
            let asked = stage.now();
            let leading = leaders::leading(&client).await;
            let now = stage.now();
            if let Ok(status) = &leading {
                seen_at.push(Sighting { asked, answered: now, revision: status.revision });
            }
            let (leader, term) = leading.map(|status| (status.name, status.term)).unwrap_or_default();
            stage.show(&leader, &locked(&elected_now));
            extend(&mut lanes, "Raft", (leader, term), now);
        }
        (lanes, seen_at)
    };
    let elected = async {
        let mut lanes = Vec::new();
        let mut stopping = stopping.clone();
        while goes_on(&mut stopping).await {
            // Without a quorum this is unknown: the last elected leader still leads.
            if let Ok((member, transitions)) = leaders::elected(&client).await {
                *locked(&elected_now) = member.to_string();
                let epoch = u64::try_from(transitions).unwrap_or(0);
                extend(&mut lanes, "controllers", (member.to_string(), epoch), stage.now());
            }
        }
        lanes
    };
    let ((mut lanes, seen_at), of_controllers) = tokio::join!(raft, elected);
    lanes.extend(of_controllers);
    (lanes, seen_at)
}

fn locked(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the next look; false when the run is over.
async fn goes_on(stopping: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(LOOK) => true,
        _ = stopping.wait_for(|stopping| *stopping) => false,
    }
}

/// Extends the current lane, or starts a new one.
fn extend(lanes: &mut Vec<Lane>, what: &'static str, (leader, epoch): (String, u64), now: Duration) {
    let last = lanes.iter_mut().rev().find(|lane| lane.what == what);
    match last {
        Some(lane) if lane.leader == leader && lane.epoch == epoch => lane.to = now,
        Some(lane) => {
            lane.to = now;
            lanes.push(Lane { what, leader, epoch, from: now, to: now });
        }
        None => lanes.push(Lane { what, leader, epoch, from: now, to: now }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_lasts_until_another_leads() {
        let mut lanes = Vec::new();
        let seen = [("a", 1, 1), ("a", 1, 2), ("", 0, 3), ("b", 2, 4), ("b", 2, 6)];
        for (leader, epoch, at) in seen {
            extend(&mut lanes, "Raft", (leader.to_owned(), epoch), Duration::from_secs(at));
        }
        let lasted: Vec<_> = lanes.iter().map(|lane| (lane.leader.as_str(), (lane.to - lane.from).as_secs())).collect();
        assert_eq!(lasted, [("a", 2), ("", 1), ("b", 2)]);
    }
}
