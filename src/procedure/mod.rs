//! What can be done, step by step, and how far it has come.
//!
//! A [`Plan`] is plain data: it prints itself before anything happens, it is written into the journal, and a run of it is
//! a fold over that journal ([`Run`]). Nothing here touches the outside: [`Run::next`] says what is to be done, whoever
//! holds the journal and the wires does it, and what came of it is told as an [`Entry`].
//!
//! Three rules (DESIGN.md section 3): a check is asked only of facts confirmed later than its step's start; between
//! "accepted" and "proven" there is a state with a deadline; an interrupted step without a real check stops and asks.
//!
//! It knows the field's words ([`crate::domain`]) and the operators' writes (`catalog`), and must not know how a request
//! is sent, where a journal is kept, or what a pane looks like. No clock: time is an argument.

pub mod arming;
mod backup;
pub mod catalog;
pub mod change;
pub mod check;
pub mod drill;
pub mod entry;
pub mod follow;
pub mod heartbeat;
pub mod kind;
pub mod order;
pub mod plan;
pub mod question;
pub mod refresh;
pub mod rehearsal;
pub mod run;
pub mod runbook;
pub mod summary;
pub mod trial;
mod words;

pub use arming::{Arming, Protected};
pub use change::Change;
pub use check::{Check, Proof};
pub use entry::{Answer, By, Decision, Entry, Found, Outcome, RunId, What};
pub use follow::Followed;
pub use kind::Kind;
pub use order::{Order, Request, Right};
pub use plan::{Candidate, Finding, Gate, Plan, Premise, Step, StepId, Weight};
pub use refresh::Refresh;
pub use rehearsal::{Rehearsal, Tried};
pub use run::{Choice, Question, Run, State, StepReport, Todo};
pub use summary::{Holder, Summary};
