//! Bounded history: lag, WAL rate and slots over time.
//!
//! Fed by facts as they come; `now` is always an argument. Clusters that were looked at keep a full day at falling
//! resolution, all others a short trend, so that a thousand clusters stay within a few megabytes.

mod lag;
mod series;
#[cfg(test)]
mod tests;

pub use lag::{Histories, History, LagSeries, Stage, Stages};
pub use series::{Bucket, Resolution, Series};
