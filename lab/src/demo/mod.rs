//! The demo: a rollout under load, while whoever leads is killed in the middle, on real processes; and the judgement.
//!
//! `script` is what happens, `view` what can be seen of it meanwhile, `summary` what it came to.

mod script;
mod summary;
mod view;

pub use script::{Options, run};
pub use summary::{Fault, Summary};
pub use view::{Phase, VersionPods, View};
