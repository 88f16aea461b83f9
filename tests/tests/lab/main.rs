//! The crash lab as a user runs it: scenarios, faults by hand, the demo and the soak.

mod chaos;
mod demo;
mod scenarios;
mod soak;

use tokio::sync::Mutex;

/// Runs that need the machine for themselves take turns: on two cores, their faults would miss their moments.
static ALONE: Mutex<()> = Mutex::const_new(());
