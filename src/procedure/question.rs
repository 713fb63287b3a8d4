//! Questions that the watched facts do not answer: asked of one instance, once, and never changing anything.
//!
//! Plain data: a runbook names them, an adapter asks them, and what came back is an [`Told`] or the reason why not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::names::InstanceName;

/// Most rows that are kept of an answer.
pub const ROWS: usize = 20;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// One query. It runs as the source of a `SELECT` in a read-only transaction with a time limit.
    Sql {
        /// The query: it begins with `SELECT`, `WITH`, `VALUES` or `TABLE`, and is one statement.
        text: String,
        /// Its answer is only whole for a member of `pg_monitor`; PostgreSQL hides rows or columns from others.
        monitor: bool,
    },
    /// One sample of `/metrics`.
    Metric {
        /// Its name.
        name: String,
        /// Labels it must have.
        labels: BTreeMap<String, String>,
    },
}

/// A question and whom it is put to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asked {
    /// The instance.
    pub of: InstanceName,
    /// The question.
    pub question: Question,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Rows of a query, at most [`ROWS`], as text; `None` is SQL's NULL.
    Rows {
        /// The columns' names.
        columns: Vec<String>,
        /// The rows.
        rows: Vec<Vec<Option<String>>>,
        /// There were more.
        more: bool,
    },
    /// A metric's value.
    Number(f64),
    /// The instance exports no such metric.
    NoSuchMetric,
}

/// An answer with its time and the way it came, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// When it was asked.
    pub at: Timestamp,
    /// The answer, or why not, in words.
    pub told: Result<Told, String>,
    /// In words: `pg-1 by SQL as app`, `metrics of pg-1`.
    pub by: String,
}

/// Replies so far.
pub type Replies = BTreeMap<Asked, Reply>;
