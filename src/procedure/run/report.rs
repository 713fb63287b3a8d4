//! A run as it is told: its steps with times, requests and evidence. One shape for JSON, tables, Markdown and panes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Run, State};
use crate::domain::facts::Facts;
use crate::problem::Problem;
use crate::procedure::check::Proof;
use crate::procedure::entry::What;
use crate::procedure::order::Request;
use crate::procedure::plan::{Step, StepId};

/// A step as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its name.
    pub step: StepId,
    /// What it does.
    pub title: String,
    /// Where it stands, as [`State::word`] says.
    pub state: String,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How long it took, in seconds.
    pub took_s: Option<f64>,
    /// What was sent, where anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// How its gate was passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<String>,
    /// How people decided when it was stuck, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<String>,
    /// What proved it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl Run {
    /// Its steps as they went, in the plan's order.
    pub fn steps(&self) -> Vec<StepReport> {
        self.plan.steps.iter().map(|step| self.step_report(step)).collect()
    }

    /// What people noted and what was seen, oldest first, each with its time.
    pub fn notes(&self) -> Vec<(Timestamp, String)> {
        let note = self.entries.iter().filter_map(|e| match &e.what {
            What::Noted { text, .. } => Some((e.at, text.clone())),
            What::Observed { text, seen, .. } => Some((*seen, text.clone())),
            _ => None,
        });
        note.collect()
    }

    /// What a step that was accepted still waits for, in words; `None`: it waits for nothing.
    pub fn waits_for(&self, id: &StepId, facts: &Facts) -> Option<String> {
        let State::Proving { since, .. } = self.state(id) else { return None };
        match self.plan.step(id)?.check.as_ref()?.judge(facts, &self.plan.cluster, since) {
            Proof::NotYet(why) => Some(why),
            _ => None,
        }
    }

    /// Ending it could take something back.
    pub fn can_undo(&self) -> bool {
        self.plan.steps.iter().any(|s| s.undo.is_some())
    }

    fn step_report(&self, step: &Step) -> StepReport {
        let (state, progress) = (self.state(&step.id), self.progress(&step.id));
        let (began, ended) = (progress.and_then(|p| p.began), progress.and_then(|p| p.ended));
        let (evidence, problem) = match &state {
            State::Proven { evidence, .. } => (evidence.clone(), None),
            State::Refused { problem } | State::Failed { problem } | State::Kept { problem } => {
                (Vec::new(), Some(problem.clone()))
            }
            _ => (Vec::new(), None),
        };
        StepReport {
            step: step.id.clone(),
            title: step.title.clone(),
            state: state.word().into(),
            began,
            ended,
            took_s: began.zip(ended).map(|(b, e)| e.duration_since(b).as_secs_f64()),
            request: self.sent(&step.id),
            granted: progress.and_then(|p| p.granted.clone()),
            decided: self.decisions(&step.id),
            evidence,
            problem,
        }
    }

    /// What was last sent for a step.
    fn sent(&self, id: &StepId) -> Option<Request> {
        self.entries.iter().rev().find_map(|e| match &e.what {
            What::Began { step, request } if step == id => request.clone(),
            _ => None,
        })
    }

    fn decisions(&self, id: &StepId) -> Vec<String> {
        let decided = self.entries.iter().filter_map(|e| match &e.what {
            What::Decided { step, decision, reason } if step == id => Some(match reason {
                Some(reason) => format!("{}, because {reason}", decision.word()),
                None => decision.word().to_owned(),
            }),
            _ => None,
        });
        decided.collect()
    }
}
