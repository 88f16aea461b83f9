//! `ctl cluster status`: shows every member with its role, its lag and its memory usage.

use serde_json::json;
use squall_client::{Client, MemberStatus};
use squall_cluster::leaders::elected;
use squall_cluster::{MemberName, ProcessState, Role, Usage};
use squall_lab::faults::by_hand::in_force;

use super::{STATUS_PATIENCE, open};
use crate::cli::StatusArgs;
use crate::failure::Failure;
use crate::output::{line, line_error, print_cells};

const GAP: usize = 3;
const HEADINGS: [&str; 11] =
    ["MEMBER", "STATE", "PID", "MEMORY", "ROLE", "READY", "TERM", "APPLIED", "LAG", "REVISION", "HASH"];

/// The reported status of a member, and the state of its process.
struct Row {
    member: MemberName,
    state: ProcessState,
    pid: Option<i32>,
    usage: Option<Usage>,
    /// `leader`, `follower` or `standby`; empty for members without such a role.
    role: &'static str,
    status: Option<MemberStatus>,
}

/// Shows the status of every member and the faults in force.
pub async fn status(args: StatusArgs) -> Result<(), Failure> {
    let cluster = open(&args.dir)?;
    let client = cluster.client()?.with_deadline(STATUS_PATIENCE);
    // Without a quorum, the elected controller-manager is unknown.
    let leading = elected(&client).await.ok().map(|(holder, _)| holder);
    let mut rows = Vec::new();
    for member in cluster.members() {
        let (state, pid) = cluster.state(member);
        let runs = state == ProcessState::Running;
        let status = match (member.role, runs) {
            (Role::Apiserver, true) => ask(&client, &cluster.apiserver_url(member.index)).await,
            _ => None,
        };
        let role = match (member.role, &status) {
            (Role::Apiserver, Some(status)) if status.leader == status.id => "leader",
            (Role::Apiserver, Some(_)) => "follower",
            (Role::ControllerManager, _) if leading == Some(member) => "leader",
            (Role::ControllerManager, _) if runs && leading.is_some() => "standby",
            _ => "",
        };
        rows.push(Row { member, state, pid, usage: pid.and_then(Usage::of_process), role, status });
    }
    // The highest index of all: a leader that was cut off may be behind those that follow another.
    let furthest = rows.iter().filter_map(|row| row.status.as_ref()).map(|status| status.applied_index).max();
    let faults = in_force(&cluster).await;
    if args.output.is_some() {
        let members: Vec<_> = rows.iter().map(|row| as_json(row, furthest.unwrap_or(0))).collect();
        let whole = json!({ "members": members, "faults": faults });
        line(&serde_json::to_string_pretty(&whole).map_err(Failure::error)?);
        return Ok(());
    }
    let mut cells = vec![HEADINGS.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| as_cells(row, furthest.unwrap_or(0))));
    print_cells(&cells, GAP);
    if rows.iter().filter_map(|row| row.status.as_ref()).all(|status| !status.ready) {
        line_error("no apiserver has a quorum");
    }
    // Faults of processes are visible in their rows.
    for fault in faults.iter().filter(|fault| !fault.receipt.is_empty()) {
        line_error(&format!("fault {} on {}: {} ({} so far)", fault.name, fault.member, fault.text, fault.receipt));
    }
    Ok(())
}

/// Returns the status of an apiserver; `None` if it does not respond, which leaves its cells empty.
async fn ask(client: &Client, endpoint: &str) -> Option<MemberStatus> {
    client.member_status(endpoint).await.ok()
}

fn as_cells(row: &Row, furthest: u64) -> Vec<String> {
    let none = || "-".to_owned();
    let mut cells = vec![
        row.member.to_string(),
        format!("{:?}", row.state).to_lowercase(),
        row.pid.map_or_else(none, |pid| pid.to_string()),
        row.usage.map_or_else(none, |usage| format!("{:.0} MiB", usage.resident_mib())),
    ];
    if !row.role.is_empty() {
        cells.push(row.role.to_owned());
    }
    if let Some(status) = &row.status {
        cells.extend([
            status.ready.to_string(),
            status.term.to_string(),
            status.applied_index.to_string(),
            furthest.saturating_sub(status.applied_index).to_string(),
            status.revision.to_string(),
            format!("{:016x}", status.state_hash),
        ]);
    }
    cells
}

fn as_json(row: &Row, furthest: u64) -> serde_json::Value {
    let raft = row.status.as_ref().map(|status| {
        json!({
            "role": row.role, "ready": status.ready, "term": status.term, "appliedIndex": status.applied_index,
            "lag": furthest.saturating_sub(status.applied_index), "revision": status.revision,
            "stateHash": format!("{:016x}", status.state_hash), "objects": status.objects,
        })
    });
    json!({
        "name": row.member.to_string(),
        "state": row.state,
        "pid": row.pid,
        "role": Some(row.role).filter(|role| !role.is_empty()),
        "residentBytes": row.usage.map(|usage| usage.resident_bytes),
        "raft": raft,
    })
}
