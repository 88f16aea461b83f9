//! What an object is: the kinds, their defaults and validation, selectors, patches, errors and table columns.
//!
//! No IO, no async, no clock: a moment or a random source comes in as an argument. The server and `ctl` share it, so
//! that neither has a rule the other lacks.

pub mod age;
pub mod apply;
pub mod config_source;
pub mod decode;
pub mod describe;
pub mod disruption;
pub mod duplicates;
pub mod duration;
pub mod error;
pub mod field;
pub mod field_selector;
pub mod hash;
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
pub mod table;
pub mod timing;

pub use error::Error;
pub use kinds::{Kind, KindInfo, Object, Resource, Scope};
pub use squall_proto::{
    apps, authentication, authorization, autoscaling, coordination, core, discovery, intstr, meta as metav1, policy,
    resource, runtime, schema,
};
