//! The demo: a rollout under load, in which both leaders are killed. A scenario like any other, with a summary of its own.
//!
//! `demo.yaml` is the scenario, `phase` names where it is, `summary` sums up its record.

mod phase;
mod summary;

use std::path::Path;

use squall_cluster::TimingProfile;
use tokio::sync::watch;

pub use phase::Phase;
pub use summary::{Summary, Takeover};

use crate::scenario::{Scenario, built_in};
use crate::stage::{self, Audience, Playing, View as StageView};

const SCENARIO: &str = include_str!("demo.yaml");

/// A moment of the demo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Where the demo is.
    pub phase: Phase,
    /// Pods, leaders and requests.
    pub stage: StageView,
}

/// Runs the demo in an empty folder. `views` receives what can be seen meanwhile. An error means that the demo could not be
/// carried through; whether it passed is in the summary.
pub async fn run(
    folder: &Path,
    nodes: usize,
    timing: TimingProfile,
    views: watch::Sender<View>,
) -> anyhow::Result<Summary> {
    built_in::unpack(folder)?;
    let mut scenario = Scenario::read(SCENARIO, "demo.yaml", &built_in::beside(folder)).map_err(anyhow::Error::msg)?;
    scenario.cluster.nodes = nodes;
    let playing = Playing::to_the_end(timing, None, folder.to_owned());
    let of_notes = views.clone();
    let audience = Audience {
        note: Box::new(move |note| {
            if let Some(phase) = Phase::of(note) {
                of_notes.send_modify(|view| view.phase = phase);
            }
        }),
        view: Some(Box::new(move |stage| views.send_modify(|view| view.stage = stage))),
    };
    Ok(Summary::of(&stage::play(&scenario, &playing, audience).await?))
}
