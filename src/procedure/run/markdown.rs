//! A run as Markdown, fit for a ticket: who, when, what, evidence.

use jiff::SignedDuration;
use std::fmt::Write;

use super::Run;
use crate::domain::quantity::span;
use crate::problem::Problem;
use crate::procedure::drill::Report;
use crate::procedure::kind::Kind;
use crate::procedure::runbook::record;
use crate::text::markdown as escaped;

impl Run {
    /// The run as Markdown: a drill by its report, a walk by its record, everything else by its steps.
    pub fn markdown(&self) -> String {
        match self.plan.kind {
            Kind::Runbook => record::markdown(self, &[]),
            kind if kind.is_drill() => {
                Report::of(&self.entries).map_or_else(|| self.steps_markdown(), |report| report.markdown())
            }
            _ => self.steps_markdown(),
        }
    }

    /// How it ended, in a line: `switch over to pg-2: passed after 3.1 s`.
    pub fn outcome_words(&self) -> String {
        let title = &self.plan.title;
        match self.closed {
            Some((at, outcome)) => {
                format!("{title}: {} after {}", outcome.word(), span(at.duration_since(self.opened)))
            }
            None => format!("{title}: not ended"),
        }
    }

    fn steps_markdown(&self) -> String {
        let mut out = format!("# {}\n\n", escaped(&self.outcome_words()));
        let mut line = |text: String| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{text}");
        };
        line(format!("- run: `{}`\n- cluster: `{}` in `{}`", self.id, self.plan.cluster, self.plan.cluster.context));
        for by in &self.by {
            let versions: String = by.versions.iter().map(|(what, v)| format!(", {what} {v}")).collect();
            let who = format!("{} on {}, {}, howdah {}{versions}", by.user, by.host, by.through, by.howdah);
            line(format!("- by: {}", escaped(&who)));
        }
        line(format!("- began: {}", self.opened));
        if let Some((at, _)) = self.closed {
            line(format!("- ended: {at}"));
        }
        line("\n| step | state | took | seen |\n|---|---|---|---|".into());
        for s in self.steps() {
            let seen = s.problem.as_ref().map_or_else(|| s.evidence.join("; "), Problem::line);
            let took = s.took_s.map(|t| span(SignedDuration::from_secs_f64(t))).unwrap_or_default();
            line(format!("| {} | {} | {took} | {} |", escaped(&s.title), s.state, escaped(&seen)));
        }
        let notes = self.notes();
        if !notes.is_empty() {
            line("\n## Seen and noted\n".into());
            for (at, text) in notes {
                line(format!("- {at} {}", escaped(&text)));
            }
        }
        out
    }
}
