//! The end of a walk: whether what it was for is gone, what led there, what was noted and done meanwhile.

use super::told::note;
use crate::panes::paper::Paper;
use crate::panes::{Scene, times};
use crate::procedure::runbook::{Walk, observed, record};
use crate::procedure::{Outcome, What};
use crate::ui::theme::{Look, Role};

/// Cells of a label.
const LABEL: usize = 10;

/// Draws it.
pub fn draw(page: &mut Paper<'_>, walk: Walk<'_>, scene: &Scene<'_>, look: &Look) {
    let run = walk.run;
    let text = look.style(Role::Text);
    let Some((at, outcome)) = run.closed else {
        page.words("The walk was left before its end. Going on takes it up where it stands.", Role::Warn);
        return;
    };
    page.words(&walk.runbook.title, Role::Title);
    page.gap();
    let gone = observed(run, "gone:").last().map(|(_, _, text)| format!(": {text}")).unwrap_or_default();
    let words = format!("{} {}{gone}", look.marks.level(Outcome::level(Some(outcome))), outcome.word());
    page.labelled("ended", Role::Dim, LABEL, &words, look.level(Outcome::level(Some(outcome))));
    page.labelled("at", Role::Dim, LABEL, &times::clock(at, scene.habits), text);
    page.gap();
    for (n, (_, _, reason)) in observed(run, "reason:").enumerate() {
        page.labelled(if n == 0 { "led here" } else { "" }, Role::Dim, LABEL, reason, text);
    }
    let notes = run.entries.iter().filter_map(|e| match &e.what {
        What::Noted { text, .. } => Some((e.at, text)),
        _ => None,
    });
    page.gap();
    for (at, text) in notes {
        note(page, &times::clock(at, scene.habits), text, look);
    }
    page.gap();
    let others = scene.doing.listed.iter().flatten().filter(|other| record::meanwhile(run, other));
    for (n, other) in others.enumerate() {
        let words = format!("{}: {}", other.title, other.state());
        page.labelled(if n == 0 { "meanwhile" } else { "" }, Role::Dim, LABEL, &words, text);
    }
    page.gap();
    page.words("The incident record has all of it, in the order of time.", Role::Dim);
}
