//! The wire contract: Kubernetes' API messages with Kubernetes' field numbers and JSON, and Squall's own services.
//!
//! The code is generated from `proto/proto/`, except for the JSON conversions. The *meaning* of objects is in
//! `squall-api`.

// This crate reads numbers from outside. Tests may count on their own.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod json;
mod json_schema;
mod quantity;
mod scalars;
pub mod schema;
mod text;

pub use text::{format_rfc3339_micros, format_rfc3339_seconds};

// Not `expect`: the lints that the generated code violates change from version to version.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes,
    clippy::too_many_lines,
    clippy::cognitive_complexity,
    clippy::semicolon_if_nothing_returned,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

pub use generated::*;

/// The prefix of the message name in the type URL of an `Any`: `type.squall.dev/apps.v1.Deployment`.
pub const TYPE_PREFIX: &str = "type.squall.dev/";
