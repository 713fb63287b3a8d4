//! A plan as it is shown before anything happens.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

use super::ask::capital;
use crate::cli::args::Output;
use crate::cli::human::{coloured, columns, faint, strong};
use crate::cli::output::{Style, answer};
use crate::problem::Problem;
use crate::procedure::{Candidate, Finding, Gate, Plan, Premise, Rehearsal, Request, Step, StepId, Tried, Weight};

/// A plan in a form for programs.
#[derive(Serialize)]
struct PlanReport<'a> {
    kind: String,
    context: String,
    cluster: String,
    title: &'a str,
    made: Timestamp,
    parameters: &'a BTreeMap<String, String>,
    weight: Weight,
    findings: &'a [Finding],
    candidates: &'a [Candidate],
    premise: &'a Premise,
    steps: Vec<StepPlan<'a>>,
}

#[derive(Serialize)]
struct StepPlan<'a> {
    step: &'a StepId,
    title: &'a str,
    why: &'a str,
    needs: &'a [StepId],
    gate: &'a Gate,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_hand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_by: Option<String>,
    within_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Request>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_by_hand: Option<String>,
    cleanup: bool,
}

impl<'a> StepPlan<'a> {
    fn of(step: &'a Step) -> StepPlan<'a> {
        StepPlan {
            step: &step.id,
            title: &step.title,
            why: &step.why,
            needs: &step.needs,
            gate: &step.gate,
            request: step.order.as_ref().map(|o| o.request()),
            by_hand: step.order.as_ref().map(|o| o.by_hand()),
            proven_by: step.check.as_ref().map(ToString::to_string),
            within_s: step.within.as_secs_f64(),
            undo: step.undo.as_ref().map(|o| o.request()),
            undo_by_hand: step.undo.as_ref().map(|o| o.by_hand()),
            cleanup: step.cleanup,
        }
    }
}

/// A plan as text, with what the API said when it tried a step.
///
/// # Errors
/// It can't be written in that form.
pub fn plan_text(plan: &Plan, tried: &[Tried], form: Output, style: Style) -> Result<String, Problem> {
    let report = PlanReport {
        kind: plan.kind.name().into(),
        context: plan.cluster.context.to_string(),
        cluster: plan.cluster.to_string(),
        title: &plan.title,
        made: plan.made,
        parameters: &plan.parameters,
        weight: plan.weight(),
        findings: &plan.findings,
        candidates: &plan.candidates,
        premise: &plan.premise,
        steps: plan.steps.iter().map(StepPlan::of).collect(),
    };
    answer(form, &report, || table(plan, tried, style), || markdown(plan))
}

fn table(plan: &Plan, tried: &[Tried], style: Style) -> String {
    let mut text = format!("{}\n", strong(style, &capital(&plan.title)));
    text.push_str(&format!("{}\n", faint(style, &format!("{} in {}", plan.cluster, plan.cluster.context))));
    for finding in &plan.findings {
        let mark = coloured(style, finding.weight.level(), crate::cli::human::mark(finding.weight.level()));
        text.push_str(&format!("  {mark} {}: {}\n", finding.about, finding.text));
    }
    if !plan.candidates.is_empty() {
        text.push('\n');
        for line in columns(&candidates(&plan.candidates), &[4, 5, 6]) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for (number, step) in plan.steps.iter().enumerate() {
        let mut lines = Vec::new();
        details(step, &mut lines);
        let gate = if step.gate == Gate::None || step.cleanup { String::new() } else { format!("  [{}]", step.gate) };
        text.push_str(&format!("\n{:>2}. {}{gate}\n", number + 1, strong(style, &capital(&step.title))));
        for line in lines {
            text.push_str(&format!("    {line}\n"));
        }
        for tried in tried.iter().filter(|t| t.step == step.id) {
            for line in shown(&tried.shown) {
                text.push_str(&format!("    {line}\n"));
            }
        }
    }
    text.push('\n');
    text
}

/// What a step does, line by line.
fn details(step: &Step, lines: &mut Vec<String>) {
    if !step.why.is_empty() {
        lines.push(step.why.clone());
    }
    if let Gate::ByHand(words) = &step.gate {
        lines.push(format!("by hand:  {words}"));
    }
    if !step.needs.is_empty() {
        let needs: Vec<_> = step.needs.iter().map(StepId::as_str).collect();
        lines.push(format!("after:    {}", needs.join(", ")));
    }
    if step.cleanup {
        lines.push("cleans up: it runs however the run goes".into());
    }
    if let Some(order) = &step.order {
        let request = order.request();
        lines.push(format!("request:  {} {}", request.method, request.path));
        lines.extend(request.body_lines().into_iter().map(|line| format!("          {line}")));
        if request.method != "SQL" {
            lines.push(format!("the same: {}", order.by_hand_beside()));
        }
    }
    if let Some(check) = &step.check {
        lines.push(format!("proven:   {check}{}", within(step.within)));
    }
    if let Some(undo) = &step.undo {
        lines.push(format!("undo:     {}", undo.by_hand()));
    }
}

fn within(time: SignedDuration) -> String {
    if time.is_zero() { String::new() } else { format!(", within {time:#}") }
}

fn shown(rehearsal: &Rehearsal) -> Vec<String> {
    match rehearsal {
        Rehearsal::Diff(lines) if lines.is_empty() => vec!["dry run:  the API would take it; nothing changes".into()],
        Rehearsal::Diff(lines) => {
            let diff = lines.iter().map(|line| format!("          {line}"));
            std::iter::once("dry run:  the API would take it; what changes:".to_owned()).chain(diff).collect()
        }
        Rehearsal::None(why) => vec![format!("dry run:  none: {why}")],
    }
}

fn candidates(all: &[Candidate]) -> Vec<Vec<String>> {
    let yes = |known: Option<bool>| known.map_or("?", |yes| if yes { "yes" } else { "no" }).to_owned();
    let head = ["CANDIDATE", "ZONE", "STREAMS", "SYNC", "LAG", "ETA", "TIMELINE", "VERDICT"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for c in all {
        let verdict = c.verdict();
        rows.push(vec![
            c.instance.to_string(),
            c.zone.as_ref().map_or("?".into(), ToString::to_string),
            yes(c.streaming),
            c.sync.clone().unwrap_or_else(|| "?".into()),
            c.lag.map_or("?".into(), |bytes| format!("{bytes} B")),
            c.eta.map_or("?".into(), |eta| format!("{eta:#}")),
            c.timeline.map_or("?".into(), |t| t.to_string()),
            verdict,
        ]);
    }
    rows
}

fn markdown(plan: &Plan) -> String {
    let mut text = format!("# {}\n\n`{}` in `{}`\n\n", capital(&plan.title), plan.cluster, plan.cluster.context);
    for finding in &plan.findings {
        let mark = crate::cli::human::mark(finding.weight.level());
        text.push_str(&format!("- {mark} {}: {}\n", finding.about, finding.text));
    }
    if !plan.candidates.is_empty() {
        text.push('\n');
        for (n, row) in candidates(&plan.candidates).iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
            if n == 0 {
                text.push_str(&format!("|{}\n", "---|".repeat(row.len())));
            }
        }
    }
    for (number, step) in plan.steps.iter().enumerate() {
        text.push_str(&format!("\n## {}. {}\n\n{}\n", number + 1, capital(&step.title), step.why));
        if let Some(order) = &step.order {
            let request = order.request();
            let body: String = request.body_lines().into_iter().map(|line| line + "\n").collect();
            text.push_str(&format!("\n```\n{} {}\n{body}```\n", request.method, request.path));
            text.push_str(&format!("\n```sh\n{}\n```\n", order.by_hand_beside()));
        }
        if step.gate != Gate::None {
            text.push_str(&format!("\nGate: {}\n", step.gate));
        }
        if let Some(check) = &step.check {
            text.push_str(&format!("\nProven: {check}{}\n", within(step.within)));
        }
        if let Some(undo) = &step.undo {
            text.push_str(&format!("\nUndo: `{}`\n", undo.by_hand()));
        }
    }
    text
}
