//! The controller-manager: all controllers in one process. Several replicas run, and the elected leader does the work.

pub mod controllers;
pub mod manager;
pub mod runtime;
