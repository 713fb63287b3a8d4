//! A drill that has ended, in numbers: how long nothing could be written and why, what was lost, what was to be reached.

use jiff::SignedDuration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::drill;
use crate::domain::names::InstanceName;
use crate::domain::quantity::{count, tenths};
use crate::domain::trial::Verdict;
use crate::panes::paper::{LABEL, Paper};
use crate::procedure::Run;
use crate::procedure::drill::{ObjectiveResult, Report, Restored, Span};
use crate::ui::theme::{Look, Role};

/// Cells of the name of a phase, and of its time.
const NAMES: usize = 12;
const TIMES: usize = 8;

/// Below this height the phases share a line.
const TALL: u16 = 12;

/// Draws the report, scrolled up by so many lines.
pub fn draw(run: &Run, top: usize, look: &Look, area: Rect, buf: &mut Buffer) {
    let Some(report) = Report::of(&run.entries) else { return };
    let mut paper = Paper::new(look, area.width);
    if let Some(told) = &report.restored {
        restored(&mut paper, &report, told, look);
        return paper.draw(top, area, buf);
    }
    paper.told("outage", &outage(&report), Role::Title);
    if area.height >= TALL {
        phases(&mut paper, &report, look, usize::from(area.width));
    }
    lost(&mut paper, &report);
    for objective in &report.objectives {
        reached(&mut paper, objective, look);
    }
    writes(&mut paper, &report);
    if area.height < TALL {
        let one = |s: &Span| format!("{} {}", s.phase, took(s.ms));
        paper.told("phases", &report.spans.iter().map(one).collect::<Vec<_>>().join(", "), Role::Info);
    }
    for step in &report.steps {
        if let Some(problem) = &step.problem {
            paper.told("failed", &format!("{}: {}", step.title, problem.line()), Role::Bad);
        }
    }
    let name = |n: &Option<InstanceName>| n.as_ref().map_or("?".into(), ToString::to_string);
    let (before, after) = &report.leader;
    paper.told("primary", &format!("{} → {}", name(before), name(after)), Role::Text);
    if let Some(viewpoint) = report.viewpoint() {
        paper.told("measured", &viewpoint, Role::Dim);
    }
    for (at, note) in &report.notes {
        paper.told("note", &format!("{at:.0} {note}"), Role::Info);
    }
    if !report.marks.is_empty() {
        paper.gap();
        paper.words("seen since the blow", Role::Dim);
    }
    for mark in &report.marks {
        let since = mark.since_blow_ms.map(SignedDuration::from_millis);
        paper.line(&drill::line(&mark.mark, since, &mark.text, look), 11);
    }
    paper.draw(top, area, buf);
}

/// What came of a restore: no outage, but how long it took and whether it is what it should be.
fn restored(paper: &mut Paper<'_>, report: &Report, told: &Restored, look: &Look) {
    for objective in &report.objectives {
        reached(paper, objective, look);
    }
    paper.told("base", told.base.as_deref().unwrap_or("not known"), Role::Text);
    let parts: Vec<_> = told.spans.iter().map(|s| format!("{} {}", s.phase, took(s.ms))).collect();
    if !parts.is_empty() {
        paper.told("parts", &parts.join(", "), Role::Info);
    }
    if let Some(stopped) = told.reached.as_ref().and_then(|r| r.stopped.as_ref()) {
        paper.told("stopped", stopped, Role::Text);
    }
    for step in &report.steps {
        if let Some(problem) = &step.problem {
            paper.told("failed", &format!("{}: {}", step.title, problem.line()), Role::Bad);
        }
    }
    for (name, table) in &told.tables {
        let role = if table.verdict == Verdict::Different { Role::Bad } else { Role::Text };
        paper.told("table", &format!("{name}: {}", table.text), role);
    }
    for (at, note) in &report.notes {
        paper.told("note", &format!("{at:.0} {note}"), Role::Info);
    }
}

fn took(ms: Option<i64>) -> String {
    ms.map_or("not seen".into(), |ms| format!("{} s", tenths(SignedDuration::from_millis(ms))))
}

fn outage(report: &Report) -> String {
    match report.rto_ms {
        Some(ms) => format!("{} without an acknowledged write", took(Some(ms))),
        None => "not measured".into(),
    }
}

/// The phases, each where it lies in time, and when everything was as redundant as before.
fn phases(paper: &mut Paper<'_>, report: &Report, look: &Look, width: usize) {
    let Some((full, phases)) = report.spans.split_last().filter(|_| report.phases.struck.is_some()) else { return };
    let total: i64 = phases.iter().filter_map(|s| s.ms).sum();
    let room = width.saturating_sub(LABEL + NAMES + TIMES + 4).max(1);
    let mut before = 0;
    for span in phases {
        let cells = |ms: i64| (ms as f64 / total.max(1) as f64 * room as f64).round() as usize;
        let ms = span.ms.unwrap_or_default();
        // What took no time that could be told still has its place.
        let from = cells(before).min(room - 1);
        let length = (cells(before + ms).saturating_sub(from)).clamp(1, room - from);
        let bar = if ms > 0 { look.marks.eighths()[8].repeat(length) } else { String::new() };
        let line = format!("{:<NAMES$}{:>TIMES$}  {}{bar}", span.phase, took(span.ms), " ".repeat(from));
        paper.told("", line.trim_end(), if span.ms.is_some() { Role::Info } else { Role::Dim });
        before += ms;
    }
    let again = full.ms.map_or("not seen to come back".into(), |_| format!("back {} after the blow", took(full.ms)));
    paper.told("full", &format!("redundancy {again}"), Role::Text);
}

/// Whether anything that was acknowledged is not there.
fn lost(paper: &mut Paper<'_>, report: &Report) {
    match &report.tally {
        Some(t) => {
            let words = format!("{} lost of {} acknowledged", count(t.lost), count(t.acknowledged));
            paper.told("writes", &words, if t.lost > 0 { Role::Bad } else { Role::Good });
        }
        None => paper.told("writes", "not counted", Role::Warn),
    }
}

/// What became of all else that was written and read.
fn writes(paper: &mut Paper<'_>, report: &Report) {
    let Some(t) = &report.tally else { return };
    let unknown = format!(
        "{} unknown ({} there, {} gone), {} refused",
        count(t.unknown_there + t.unknown_gone),
        count(t.unknown_there),
        count(t.unknown_gone),
        count(t.refused)
    );
    paper.told("besides", &unknown, Role::Text);
    if t.duplicated > 0 {
        paper.told("", &format!("{} rows are there twice, or nobody wrote them", count(t.duplicated)), Role::Bad);
    }
    paper.told("reads", &format!("{} answered, {} failed", count(t.reads.0), count(t.reads.1)), Role::Text);
}

fn reached(paper: &mut Paper<'_>, objective: &ObjectiveResult, look: &Look) {
    let (mark, word, role) = match objective.met {
        Some(true) => (look.marks.good, "met", Role::Good),
        Some(false) => (look.marks.bad, "missed", Role::Bad),
        None => (look.marks.unknown, "not measured", Role::Unknown),
    };
    paper.told(&objective.name, &format!("{mark} {word}: {}", objective.text), role);
}
