//! Runs a scenario: starts a cluster with links and its observers, and runs the arms side by side.
//!
//! `play` is a run from beginning to end, `state` the state that its arms share, `arm` runs the steps of one (with the
//! conditions of `shared` and the drains of `drain`), `faults` runs each fault from its moment to its end. `lanes` records the leaders, `view` shows
//! the run while it goes on, `reasons` asks why a condition does not hold, `aftermath` inspects the final state, `record`
//! is the result.

mod aftermath;
mod arm;
mod drain;
mod faults;
mod lanes;
mod play;
mod reasons;
mod record;
mod shared;
mod state;
mod view;

pub use play::{Playing, play};
pub use record::{Note, Record};
pub use state::Audience;
pub use view::{VersionPods, View};
