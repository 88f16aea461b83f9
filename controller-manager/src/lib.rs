//! The controller-manager: all controllers in one process. Several replicas run, and the elected leader does the work.

// Numbers from outside reach every crate that reads them. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod controllers;
pub mod manager;
pub mod runtime;
