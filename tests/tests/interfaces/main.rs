//! The interfaces: `ctl` and real kubectl, with good input and bad.

mod access;
mod bad_input;
mod chapter;
mod command_line;
mod custom_resources;
mod kubectl;
mod ordinary_user;
mod pairs;
mod parity;
mod patches;
mod tokens;
mod validation;
