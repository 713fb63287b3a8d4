//! What a walk's journal says of one step, and of the walk as a whole.

use jiff::Timestamp;

use crate::procedure::entry::{Decision, What};
use crate::procedure::plan::StepId;
use crate::procedure::run::{Run, State};

/// What the journal says of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// When it was answered, and `yes`, `no` or `unknown`.
    pub answer: Option<(Timestamp, String)>,
    /// Who decided, or why it was left out; `not reached`.
    pub how: String,
    /// What its checks said.
    pub checks: Vec<String>,
    /// What was noted there.
    pub notes: Vec<(Timestamp, String)>,
}

/// What the journal says of a step.
pub fn walked(run: &Run, step: &StepId) -> Walked {
    let id = step.as_str();
    let answer = observed(run, &format!("answer:{id}:")).last().map(|(at, word, _)| (at, word.to_owned()));
    let checks = observed(run, &format!("check:{id}:")).map(|(_, _, text)| text.to_owned()).collect();
    let granted = run.progress(step).and_then(|p| p.granted.clone());
    let how = granted.unwrap_or_else(|| match run.state(step) {
        State::Skipped => left_out(run, id),
        State::Proven { evidence, .. } => evidence.join("; "),
        _ => "not reached".into(),
    });
    let notes = run.entries.iter().filter_map(|e| match &e.what {
        What::Noted { step: Some(at), text } if at == step => Some((e.at, text.clone())),
        _ => None,
    });
    Walked { answer, how, checks, notes: notes.collect() }
}

/// Observations whose mark begins so: when, the rest of the mark, the text.
pub fn observed<'a>(run: &'a Run, prefix: &'a str) -> impl Iterator<Item = (Timestamp, &'a str, &'a str)> {
    run.entries.iter().filter_map(move |e| match &e.what {
        What::Observed { mark, seen, text } => Some((*seen, mark.strip_prefix(prefix)?, text.as_str())),
        _ => None,
    })
}

/// Why a step was left out.
fn left_out(run: &Run, id: &str) -> String {
    let why = run.entries.iter().rev().find_map(|e| match &e.what {
        What::Decided { step, decision: Decision::Skip, reason } if step.as_str() == id => reason.clone(),
        _ => None,
    });
    why.unwrap_or_else(|| "left out".into())
}
