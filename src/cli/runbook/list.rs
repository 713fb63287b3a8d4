//! Listing runbooks, and showing one as it is written.

use jiff::SignedDuration;
use serde::Serialize;

use super::look::Looked;
use crate::cli::args::Global;
use crate::cli::human::{coloured, columns, faint, mark, strong};
use crate::cli::output::{Style, answer, say};
use crate::domain::health::{Level, ReasonCode};
use crate::problem::{Exit, Problem};
use crate::procedure::runbook::{How, Runbook, Runbooks};
use crate::text::wrap;

#[derive(Serialize)]
struct Row<'a> {
    runbook: &'a str,
    title: &'a str,
    summary: &'a str,
    when: &'a [ReasonCode],
    own: bool,
    /// Reasons of the cluster's verdict that led to it; of a list without a cluster empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<Because>,
}

#[derive(Serialize)]
struct Because {
    code: ReasonCode,
    level: Level,
    text: String,
}

fn row(runbook: &Runbook) -> Row<'_> {
    let Runbook { name, title, summary, when, own, .. } = runbook;
    Row { runbook: name, title, summary, when, own: *own, because: Vec::new() }
}

/// All of them.
pub fn all(global: &Global, runbooks: &Runbooks) -> Result<Exit, Problem> {
    tell(global, runbooks.iter().map(row).collect())?;
    Ok(Exit::Ok)
}

/// Those that a cluster's verdict asks for, the most urgent first. Ends with 0 when it asks for none, else with 1.
pub async fn for_cluster(
    global: &Global,
    runbooks: &Runbooks,
    name: &str,
    patience: SignedDuration,
) -> Result<Exit, Problem> {
    let looked = Looked::at(global, name, true, patience).await?;
    let moment = looked.moment()?;
    let asked: Vec<Row<'_>> = runbooks
        .applies(&moment.health)
        .into_iter()
        .map(|runbook| {
            let ours = runbooks.because(runbook, &moment.health).into_iter();
            let because = ours.map(|r| Because { code: r.code, level: r.level, text: r.text.clone() }).collect();
            Row { because, ..row(runbook) }
        })
        .collect();
    let none = asked.is_empty();
    tell(global, asked)?;
    Ok(if none { Exit::Ok } else { Exit::No })
}

fn tell(global: &Global, rows: Vec<Row<'_>>) -> Result<(), Problem> {
    let form = global.output.unwrap_or_default();
    let _ = say(&answer(form, &rows, || table(&rows, Style::of_stdout()), || markdown(&rows))?);
    Ok(())
}

fn table(rows: &[Row<'_>], style: Style) -> String {
    if rows.is_empty() {
        return "no runbook is needed\n".into();
    }
    let cells: Vec<_> = rows
        .iter()
        .map(|r| vec![r.runbook.to_owned(), r.title.to_owned(), if r.own { "yours".into() } else { String::new() }])
        .collect();
    let mut out = String::new();
    for (line, row) in columns(&cells, &[]).iter().zip(rows) {
        out.push_str(&format!("{line}\n"));
        for b in &row.because {
            out.push_str(&format!("    {} {}\n", coloured(style, b.level, mark(b.level)), b.text));
        }
    }
    out
}

fn markdown(rows: &[Row<'_>]) -> String {
    let mut out = String::from("| runbook | title | when |\n|---|---|---|\n");
    for r in rows {
        let when: Vec<_> = r.when.iter().map(|c| format!("`{}`", c.name())).collect();
        out.push_str(&format!("| `{}` | {} | {} |\n", r.runbook, r.title.replace('|', "\\|"), when.join(" ")));
    }
    out
}

/// One as it is written.
pub fn show(global: &Global, runbook: &Runbook) -> Result<Exit, Problem> {
    let form = global.output.unwrap_or_default();
    let _ = say(&answer(
        form,
        runbook,
        || written(runbook, Style::of_stdout()),
        || written(runbook, Style { colour: false, terminal: false }),
    )?);
    Ok(Exit::Ok)
}

fn written(runbook: &Runbook, style: Style) -> String {
    let mut out = format!("# {}\n\n", strong(style, &runbook.title));
    for line in wrap(&runbook.summary, 100) {
        out.push_str(&format!("{line}\n"));
    }
    let when: Vec<_> = runbook.when.iter().map(|c| c.name()).collect();
    if !when.is_empty() {
        out.push_str(&format!("\n{}\n", faint(style, &format!("when: {}", when.join(", ")))));
    }
    for (n, step) in runbook.steps.iter().enumerate() {
        out.push_str(&format!("\n## {}. {} ({})\n", n + 1, step.title, step.name));
        for paragraph in &step.words {
            out.push_str(&format!("\n{}\n", wrap(paragraph, 100).join("\n")));
        }
        if !step.look.is_empty() || !step.values.is_empty() {
            out.push('\n');
        }
        for value in &step.values {
            out.push_str(&format!("- value: {value}\n"));
        }
        for look in &step.look {
            let how = match &look.how {
                How::Value(comparison) => comparison.to_string(),
                How::Ask { .. } => "asked of PostgreSQL or its exporter".into(),
            };
            out.push_str(&format!("- check: {} ({how})\n", look.title));
        }
        for command in &step.commands {
            out.push_str(&format!("- {}: `{}`\n", if command.change { "change" } else { "look" }, command.text));
        }
    }
    out
}
