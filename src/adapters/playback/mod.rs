//! A recorded stretch of a real cluster's life, played through the same functions as live traffic.
//!
//! A recording is a folder: `recording.json` (`epoch`: the wall clock at `t_ms` 0; `watched`: the kinds that were, by
//! plural), one `<plural>.jsonl` of watch events per kind, `pg-status-poll.jsonl` and `logs.jsonl`. The format of the lines is told in
//! `tests/recordings/README.md`. This folder reads and plays; it judges nothing and knows no clock.

mod player;
mod reading;

pub use player::{Player, Told};
pub use reading::{Recording, Step, What};
