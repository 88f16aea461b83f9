//! What a played scenario is shown as: `text` for a terminal, `html` as one file (with a `chart` for each arm), `junit` for machines that run tests.
//! `series` is what there was over time.

mod chart;
pub mod html;
pub mod junit;
mod series;
pub mod text;

pub use series::{Point, series};
