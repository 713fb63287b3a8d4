//! What the journal says of a step that is behind.

use crate::domain::quantity;
use crate::panes::paper::Paper;
use crate::panes::{Scene, times};
use crate::procedure::runbook::Walked;
use crate::ui::theme::{Look, Role};

/// Cells of a label.
const LABEL: usize = 10;

/// The answer, who decided, what the checks said, what was noted.
pub fn draw(page: &mut Paper<'_>, walked: &Walked, scene: &Scene<'_>, look: &Look) {
    page.gap();
    let text = look.style(Role::Text);
    match &walked.answer {
        Some((at, word)) => {
            let role = if word == "unknown" { Role::Unknown } else { Role::Good };
            let when = format!("{word}, {} ago at {}", quantity::age(*at, scene.now), times::clock(*at, scene.habits));
            page.labelled("answered", Role::Dim, LABEL, &when, look.style(role));
            page.labelled("how", Role::Dim, LABEL, &walked.how, text);
        }
        None => page.labelled("how", Role::Dim, LABEL, &walked.how, look.style(Role::Dim)),
    }
    for (n, check) in walked.checks.iter().enumerate() {
        page.labelled(if n == 0 { "checks" } else { "" }, Role::Dim, LABEL, check, text);
    }
    notes(page, walked, scene, look);
}

/// What was noted at a step.
pub fn notes(page: &mut Paper<'_>, walked: &Walked, scene: &Scene<'_>, look: &Look) {
    if !walked.notes.is_empty() {
        page.gap();
    }
    for (at, text) in &walked.notes {
        note(page, &times::clock(*at, scene.habits), text, look);
    }
}

/// A note with its time; its lines stay lines.
pub fn note(page: &mut Paper<'_>, when: &str, text: &str, look: &Look) {
    for (n, line) in text.lines().enumerate() {
        page.labelled(if n == 0 { when } else { "" }, Role::Dim, LABEL, line, look.style(Role::Info));
    }
}
