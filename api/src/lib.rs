//! The objects of the API: kinds, defaults, validation, selectors, patches, errors and table columns.
//!
//! No I/O, no async, no clock: times and random sources are arguments. The server and `ctl` share this crate, so that
//! both apply the same rules.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod access;
pub mod addresses;
pub mod age;
mod annotations;
pub mod apply;
pub mod config_source;
pub mod counts;
pub mod decode;
pub mod describe;
pub mod disruption;
pub mod duplicates;
pub mod duration;
pub mod error;
pub mod field;
pub mod field_selector;
mod finalizers;
pub mod happening;
pub mod hash;
pub mod jsonpath;
pub mod kinds;
pub mod labels;
pub mod limits;
pub mod manifest;
pub mod meta;
pub mod names;
pub mod openapi;
pub mod patch;
pub mod quantity;
pub mod revision;
pub mod structural;
pub mod table;
pub mod timing;
pub mod warnings;
pub mod write_log;

pub use error::Error;
pub use kinds::{Kind, KindInfo, Object, Resource, Scope};
pub use squall_proto::{
    apiextensions, apps, authentication, authorization, autoscaling, coordination, core, discovery, intstr,
    meta as metav1, policy, rbac, resource, runtime, schema,
};
