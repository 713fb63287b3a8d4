//! What is told while a run goes on, and at its end.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

use crate::cli::args::Output;
use crate::cli::drill;
use crate::cli::human::{coloured, columns, faint, strong};
use crate::cli::output::{Style, answer};
use crate::problem::Problem;
use crate::procedure::drill::Report;
use crate::procedure::{By, Entry, Found, Outcome, Run, StepId, StepReport, What};

/// A run at its end, or as far as it has come.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Its name.
    pub run: String,
    /// What it is.
    pub kind: String,
    /// The context.
    pub context: String,
    /// The cluster.
    pub cluster: String,
    /// Its plan in a line.
    pub title: String,
    /// How it ended; `None`: it has not.
    pub outcome: Option<Outcome>,
    /// When it began.
    pub opened: Timestamp,
    /// When it ended.
    pub closed: Option<Timestamp>,
    /// How long it took, in seconds.
    pub took_s: Option<f64>,
    /// Who ran it.
    pub by: Vec<By>,
    /// Its steps.
    pub steps: Vec<StepReport>,
    /// What was noted and seen: when, and the words.
    pub notes: Vec<(Timestamp, String)>,
    /// Where its journal is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
}

/// Writes to standard error: progress, questions.
pub fn tell(text: &str) {
    // Nowhere is left to say that standard error is closed.
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A line of progress for an entry, where it is worth one. `run` has not absorbed it yet.
pub fn news(run: &Run, entry: &Entry) -> Option<String> {
    let title = |id: &StepId| run.plan.step(id).map_or(id.as_str(), |s| s.title.as_str()).to_owned();
    let began = |id: &StepId| run.progress(id).and_then(|p| p.began);
    let took = |id: &StepId| began(id).map(|b| format!(" after {}", seconds(entry.at.duration_since(b))));
    let took = |id: &StepId| took(id).unwrap_or_default();
    let text = match &entry.what {
        What::Began { step, request: Some(_) } => format!("▶ {}", title(step)),
        What::Began { step, request: None } => format!("… {}", title(step)),
        What::Accepted { step, answer } if run.plan.step(step).is_some_and(|s| s.check.is_none()) => {
            format!("● {}{}: {}", title(step), took(step), answer.words())
        }
        What::Accepted { step, answer } => format!("  {}: {}", title(step), answer.words()),
        What::Found { step, found, .. } => format!("  {}: {}", title(step), found_words(found)),
        What::Refused { step, problem } => format!("✖ {}: {}", title(step), problem.line()),
        What::Proven { step, evidence } => format!("● {}{}: {}", title(step), took(step), evidence.join("; ")),
        What::Failed { step, problem } => format!("✖ {}{}: {}", title(step), took(step), problem.line()),
        What::Decided { step, decision, .. } => format!("  {}: {}", title(step), word(decision)),
        What::UndoBegan { step, .. } => format!("↶ {}", title(step)),
        What::Undone { step, problem: None } => format!("● {}: taken back", title(step)),
        What::Undone { step, problem: Some(p) } => format!("✖ {}: {}", title(step), p.line()),
        What::Observed { text, .. } => format!("  {text}"),
        What::Revived { problem: None, .. } => "  the heartbeat beats again".into(),
        What::Revived { problem: Some(p), .. } => format!("✖ the heartbeat: {}", p.line()),
        What::Granted { .. } | What::Noted { .. } => return None,
        What::Opened { .. } | What::Resumed { .. } | What::Aborted { .. } | What::Closed { .. } => return None,
    };
    Some(format!("{:>8}  {text}", seconds(entry.at.duration_since(run.opened))))
}

fn found_words(found: &Found) -> String {
    match found {
        Found::Done(seen) => format!("it was interrupted, and had been done: {seen}"),
        Found::NotDone => "it was interrupted, and had not been done".into(),
        Found::CantTell(why) => format!("it was interrupted, and what became of it can't be told: {why}"),
    }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(|s| s.replace('-', " "))).unwrap_or_default()
}

/// `0.4s`, `12.3s`, `4m 05s`.
pub fn seconds(time: SignedDuration) -> String {
    let s = time.as_secs_f64();
    if s < 100.0 { format!("{s:.1}s") } else { format!("{}m {:02}s", s as u64 / 60, s as u64 % 60) }
}

impl RunReport {
    /// A run as far as it has come.
    pub fn of(run: &Run, journal: Option<&Path>) -> RunReport {
        let closed = run.closed.map(|(at, _)| at);
        RunReport {
            run: run.id.to_string(),
            kind: run.plan.kind.name().into(),
            context: run.plan.cluster.context.to_string(),
            cluster: run.plan.cluster.to_string(),
            title: run.plan.title.clone(),
            outcome: run.closed.map(|(_, outcome)| outcome),
            opened: run.opened,
            closed,
            took_s: closed.map(|at| at.duration_since(run.opened).as_secs_f64()),
            by: run.by.clone(),
            steps: run.steps(),
            notes: run.notes(),
            journal: journal.map(|folder| folder.join("journal.jsonl").display().to_string()),
        }
    }
}

/// A run as text: a drill by its report, everything else by its steps.
///
/// # Errors
/// It can't be written in that form.
pub fn result_text(run: &Run, form: Output, style: Style, folder: Option<&Path>) -> Result<String, Problem> {
    if run.plan.kind.is_drill()
        && let Some(report) = Report::of(&run.entries)
    {
        return drill::report(&report, form, style);
    }
    let report = RunReport::of(run, folder);
    answer(form, &report, || table(&report, &run.outcome_words(), style), || run.markdown())
}

fn rows(report: &RunReport) -> Vec<Vec<String>> {
    let row = |s: &StepReport| {
        let why = s.problem.as_ref().map_or_else(|| s.evidence.join("; "), Problem::line);
        let took = s.took_s.map(|s| seconds(SignedDuration::from_secs_f64(s))).unwrap_or_default();
        vec![s.state.clone(), s.title.clone(), took, why]
    };
    report.steps.iter().map(row).collect()
}

fn table(report: &RunReport, words: &str, style: Style) -> String {
    let level = Outcome::level(report.outcome);
    let mut text = format!("{}\n", strong(style, &coloured(style, level, words)));
    text.push_str(&faint(style, &format!("{} on {} in {}", report.run, report.cluster, report.context)));
    text.push('\n');
    for line in columns(&rows(report), &[2]) {
        text.push_str(&format!("  {line}\n"));
    }
    for (at, note) in &report.notes {
        text.push_str(&format!("  {}  {note}\n", seconds(at.duration_since(report.opened))));
    }
    if let Some(journal) = &report.journal {
        text.push_str(&format!("{}\n", faint(style, &format!("journal: {journal}"))));
    }
    text
}
