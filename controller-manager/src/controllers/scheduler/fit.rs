//! Decides whether a pod fits on a node, and which of the fitting nodes is best.

use squall_api::core::v1::{Pod, Taint, Toleration};
use squall_api::counts::tally;
use squall_api::kinds::covers;

use super::room::Room;
use super::{affinity, spread};

/// Returns the index of the best node, or the reason why no node fits.
pub fn choose(rooms: &[Room<'_>], pod: &Pod) -> Result<usize, String> {
    let mut reasons: Vec<String> = Vec::new();
    let mut fitting = Vec::new();
    for (place, room) in rooms.iter().enumerate() {
        let obstacles = obstacles(pod, room, rooms);
        if obstacles.is_empty() {
            fitting.push(place);
        }
        reasons.extend(obstacles);
    }
    if let Some(place) = best(&fitting, rooms, pod) {
        return Ok(place);
    }
    if rooms.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let mut texts: Vec<String> =
        tally(reasons).into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    texts.sort();
    Err(format!("0/{} nodes are available: {}.", rooms.len(), texts.join(", ")))
}

/// Returns why the pod cannot go to a node, in Kubernetes' words; empty if it can. Filters run in Kubernetes' order,
/// and the first that rejects the node gives the reasons.
fn obstacles(pod: &Pod, room: &Room<'_>, rooms: &[Room<'_>]) -> Vec<String> {
    let spec = &room.node.spec;
    let one = |reason: &str| vec![reason.to_owned()];
    if spec.unschedulable && !tolerates(&pod.spec.tolerations, &unschedulable()) {
        return one("node(s) were unschedulable");
    }
    let blocks = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
    if spec.taints.iter().filter(blocks).any(|taint| !tolerates(&pod.spec.tolerations, taint)) {
        return one("node(s) had untolerated taint(s)");
    }
    if !affinity::node_is_required(pod, room.node) {
        return one("node(s) didn't match Pod's node affinity/selector");
    }
    if room.has_port_clash(pod) {
        return one("node(s) didn't have free ports for the requested pod ports");
    }
    let lacking = room.lacking(pod);
    if !lacking.is_empty() {
        return lacking;
    }
    let obstacle = spread::obstacle(pod, room, rooms).or_else(|| affinity::pod_obstacle(pod, room, rooms));
    obstacle.into_iter().map(str::to_owned).collect()
}

fn unschedulable() -> Taint {
    Taint { key: "node.kubernetes.io/unschedulable".to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() }
}

/// Whether one of the tolerations covers the taint.
fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| covers(toleration, taint))
}

/// Returns the node with the highest weighted sum of scores. Each score is 0 to 100 among the fitting nodes.
fn best(fitting: &[usize], rooms: &[Room<'_>], pod: &Pod) -> Option<usize> {
    let each =
        |score: &dyn Fn(&Room<'_>) -> f64| fitting.iter().map(|place| score(&rooms[*place])).collect::<Vec<f64>>();
    let unwanted = each(&|room| {
        let soft = room.node.spec.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule");
        f64_of(soft.filter(|taint| !tolerates(&pod.spec.tolerations, taint)).count())
    });
    let scores = [
        (3.0, less_is_better(&unwanted)),
        (2.0, more_is_better(&each(&|room| affinity::node_preference(pod, room.node) as f64))),
        (2.0, less_is_better(&each(&|room| spread::crowd(pod, room, rooms)))),
        (2.0, more_is_better(&each(&|room| affinity::pod_preference(pod, room, rooms) as f64))),
        (1.0, each(&|room| free(room, pod))),
        (1.0, each(&|room| balance(room, pod))),
    ];
    let total = |nth: usize| scores.iter().map(|(weight, each)| weight * each[nth]).sum::<f64>();
    let ranked = fitting.iter().enumerate().map(|(nth, place)| (total(nth), rooms[*place].pods.len(), *place));
    // Among equals, the node with the fewest pods wins, then the first by name.
    ranked.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2))).map(|(_, _, place)| place)
}

/// Kubernetes: LeastAllocated, the mean of the free shares of cpu and memory.
fn free(room: &Room<'_>, pod: &Pod) -> f64 {
    let [cpu, memory] = room.used_with(pod);
    2_000_i128.saturating_sub(cpu).saturating_sub(memory) as f64 / 20.0
}

/// Kubernetes: BalancedAllocation, the full score where cpu and memory are used equally.
fn balance(room: &Room<'_>, pod: &Pod) -> f64 {
    let [cpu, memory] = room.used_with(pod);
    100.0 - cpu.abs_diff(memory) as f64 / 20.0
}

fn f64_of(count: usize) -> f64 {
    count as f64
}

fn more_is_better(values: &[f64]) -> Vec<f64> {
    let (least, most) = ends(values);
    values.iter().map(|value| if most > least { (value - least) / (most - least) * 100.0 } else { 0.0 }).collect()
}

fn less_is_better(values: &[f64]) -> Vec<f64> {
    let (least, most) = ends(values);
    values.iter().map(|value| if most > least { (most - value) / (most - least) * 100.0 } else { 100.0 }).collect()
}

fn ends(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (value.min(least), value.max(most)))
}
