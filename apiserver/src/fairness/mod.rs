//! Shares a member among its callers, as Kubernetes' priority and fairness does: each request takes a seat until its
//! answer is read, and each answer takes room for the bytes that wait to be read. A caller that takes too much is refused
//! with 429 and told when to try again; nobody else notices.
//!
//! `level` says how much there is for whom, and `share` counts it. `turn` lets other work in between while many long
//! answers are written.

mod level;
mod share;
mod turn;

pub use level::Level;
pub use share::{Fairness, Room, Seat};
pub use turn::turn;

/// The length of an answer that is in memory at a time. A handler adds it to its answer if the body does not know.
#[derive(Debug, Clone, Copy)]
pub struct AnswerBytes(pub usize);
