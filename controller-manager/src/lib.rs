//! The controller-manager: all controllers in one process, of which one among several leads.

pub mod controllers;
pub mod manager;
pub mod runtime;
