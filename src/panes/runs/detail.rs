//! One step in full: what and why, the exact request, the line that does the same by hand, what proves it, what was seen.

use jiff::SignedDuration;

use crate::panes::paper::Paper;
use crate::procedure::{Gate, Rehearsal, Step, StepReport, Tried};
use crate::ui::theme::Role;

/// What a step is for.
pub fn head(paper: &mut Paper<'_>, step: &Step) {
    paper.words(&step.title, Role::Title);
    paper.words(&step.why, Role::Text);
    paper.gap();
}

/// What a step does: its gate, request and proof.
pub fn step(paper: &mut Paper<'_>, step: &Step, tried: Option<&Tried>) {
    match &step.gate {
        _ if step.cleanup => paper.told("when", "at the end, however the run goes", Role::Text),
        Gate::None => {}
        Gate::ByHand(words) => paper.told("by hand", words, Role::Warn),
        gate => paper.told("gate", &gate.to_string(), Role::Warn),
    }
    if let Some(order) = &step.order {
        let request = order.request();
        paper.told("request", &format!("{} {}", request.method, request.path), Role::Accent);
        request.body_lines().iter().for_each(|line| paper.told("", line, Role::Accent));
        if request.method != "SQL" {
            paper.told("the same", &order.by_hand_beside(), Role::Text);
        }
    }
    if let Some(tried) = tried {
        rehearsal(paper, &tried.shown);
    }
    if let Some(check) = &step.check {
        paper.told("proven by", &format!("{check}{}", within(step.within)), Role::Text);
    }
    if let Some(undo) = &step.undo {
        paper.told("undo", &undo.by_hand(), Role::Text);
    }
}

/// What the API said to it.
fn rehearsal(paper: &mut Paper<'_>, shown: &Rehearsal) {
    match shown {
        Rehearsal::None(why) => paper.told("dry run", &format!("none: {why}"), Role::Dim),
        Rehearsal::Diff(lines) if lines.is_empty() => {
            paper.told("dry run", "the API would take it; nothing changes", Role::Text);
        }
        Rehearsal::Diff(lines) => {
            paper.told("dry run", "the API would take it; what changes:", Role::Text);
            for line in lines {
                let role = match line.as_bytes().first() {
                    Some(b'+') => Role::Good,
                    Some(b'-') => Role::Bad,
                    _ => Role::Dim,
                };
                paper.told("", line, role);
            }
        }
    }
}

/// What came of it.
pub fn came(paper: &mut Paper<'_>, report: &StepReport) {
    if let Some(granted) = &report.granted {
        paper.told("let pass", granted, Role::Text);
    }
    for decided in &report.decided {
        paper.told("decided", decided, Role::Text);
    }
    for evidence in &report.evidence {
        paper.told("seen", evidence, Role::Good);
    }
    if let Some(problem) = &report.problem {
        paper.told("problem", &problem.what, Role::Bad);
        if let Some(because) = &problem.because {
            paper.told("because", because, Role::Bad);
        }
        if let Some(hint) = &problem.try_this {
            paper.told("try", hint, Role::Text);
        }
    }
}

fn within(time: SignedDuration) -> String {
    if time.is_zero() { String::new() } else { format!(", within {time:#}") }
}
