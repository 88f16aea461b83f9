//! The controller-manager: all controllers in one process. Several replicas run, and the elected leader does the work.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod controllers;
pub mod manager;
pub mod runtime;
