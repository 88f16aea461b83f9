//! Who leads, looked at again and again: no revision tells of Raft.

use std::time::{Duration, Instant};

use squall_client::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use squall_cluster::leaders;
use squall_referee::evidence::Lane;
use squall_referee::history::Sighting;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Whoever does not answer in this time does not lead.
const ASK: Duration = Duration::from_millis(500);

/// The look-out.
pub struct Lanes {
    stop: watch::Sender<bool>,
    looking: JoinHandle<Looked>,
}

/// Who led, and at which moments the leading apiserver was at which revision.
type Looked = (Vec<Lane>, Vec<Sighting>);

/// Looks from now on.
pub fn watch(client: &Client, start: Instant) -> Lanes {
    let (stop, stopping) = watch::channel(false);
    let client = client.with_deadline(ASK);
    Lanes { stop, looking: tokio::spawn(look(client, start, stopping)) }
}

impl Lanes {
    /// What was seen.
    pub async fn end(self) -> Looked {
        self.stop.send_replace(true);
        // It cannot fail but by a panic of its own, and there is none in it.
        self.looking.await.unwrap_or_default()
    }
}

async fn look(client: Client, start: Instant, mut stopping: watch::Receiver<bool>) -> Looked {
    let (mut lanes, mut seen_at) = (Vec::new(), Vec::new());
    while !*stopping.borrow_and_update() {
        let asked = start.elapsed();
        let (raft, elected) = tokio::join!(leaders::leading(&client), leaders::elected(&client));
        let now = start.elapsed();
        if let Ok(status) = &raft {
            seen_at.push(Sighting { asked, answered: now, revision: status.revision });
        }
        let raft = raft.map(|status| (status.name, status.term)).unwrap_or_default();
        extend(&mut lanes, "Raft", raft, now);
        // Without a quorum nobody can say: who was elected last is so still.
        if let Ok((member, transitions)) = elected {
            extend(&mut lanes, "controllers", (member.to_string(), u64::try_from(transitions).unwrap_or(0)), now);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            changed = stopping.changed() => {
                if changed.is_err() {
                    break;
                }
            }
        }
    }
    (lanes, seen_at)
}

/// The lane goes on, or another begins.
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
