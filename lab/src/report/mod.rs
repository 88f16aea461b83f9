//! Reports of scenario runs: `text` for a terminal, `html` as one file (with a `chart` for each arm), `junit` for test
//! runners. `series` has the pod counts over time.

mod chart;
pub mod html;
pub mod junit;
mod series;
pub mod text;

pub use series::{Point, series};
