//! A walk without a person: every step with its live values, every check answered, and the way the answers would lead.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::look::Looked;
use super::{RunArgs, instance, text};
use crate::cli::args::Global;
use crate::cli::human::{coloured, mark};
use crate::cli::output::{Style, answer, say};
use crate::domain::health::{Level, ReasonCode};
use crate::problem::{Exit, Problem};
use crate::procedure::runbook::answer::{gone, questions};
use crate::procedure::runbook::language::Datum;
use crate::procedure::runbook::values::Item;
use crate::procedure::runbook::{Answer, Judged, Line, Offer, Runbook, Sight, StepView, step_view};

/// The transcript, for programs. Stable names.
#[derive(Serialize)]
pub struct Transcript {
    runbook: String,
    title: String,
    context: String,
    cluster: String,
    at: Timestamp,
    instance: Option<String>,
    /// Reasons of the verdict it is for.
    reasons: Vec<Reason>,
    steps: Vec<Step>,
    /// The reasons are gone from the verdict: `yes`, `no`, `unknown`.
    gone: &'static str,
    gone_unknown_because: Option<String>,
}

#[derive(Serialize)]
struct Reason {
    code: ReasonCode,
    level: Level,
    text: String,
    instance: Option<String>,
}

#[derive(Serialize)]
struct Step {
    step: String,
    title: String,
    /// The answers so far lead through it.
    on_the_way: bool,
    words: Vec<String>,
    values: Vec<ValueOf>,
    checks: Vec<Check>,
    /// `yes`, `no`, `unknown`; nothing where a person decides.
    answer: Option<&'static str>,
    question: Option<String>,
    commands: Vec<Line>,
    act: Option<Offer>,
}

#[derive(Serialize)]
struct ValueOf {
    value: String,
    about: &'static str,
    of: Vec<Reading>,
}

#[derive(Serialize)]
struct Reading {
    who: Option<String>,
    is: Value,
    text: Option<String>,
    unknown_because: Option<String>,
    witness: String,
    age_s: i64,
}

#[derive(Serialize)]
struct Check {
    title: String,
    check: String,
    holds: Option<&'static str>,
    unknown_because: Option<String>,
    evidence: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<Vec<String>>,
}

/// Runs it.
///
/// # Errors
/// No such cluster or instance, or Kubernetes is out of reach.
pub async fn run(global: &Global, runbook: &Runbook, args: &RunArgs) -> Result<Exit, Problem> {
    let mut looked = Looked::at(global, &args.cluster, true, args.timeout).await?;
    looked.choose(runbook, instance(args))?;
    let all = {
        let moment = looked.moment()?;
        let sight = looked.sight(&moment);
        runbook.steps.iter().flat_map(|step| questions(step, &sight)).collect()
    };
    looked.ask(all).await;
    // The verdict as it is now that everything was asked.
    let moment = looked.moment()?;
    let sight = looked.sight(&moment);
    let views: Vec<_> =
        (0..runbook.steps.len()).filter_map(|n| step_view(runbook, n, &sight, &looked.replies)).collect();
    let over = gone(runbook, &sight);
    let text = render(global, runbook, &sight, &views, &over)?;
    if let Some(file) = &global.record {
        std::fs::write(file, &text)
            .map_err(|e| Problem::new("the record can't be written").because(format!("{}: {e}", file.display())))?;
    }
    let _ = say(&text);
    Ok(match over {
        Answer::Yes => Exit::Ok,
        Answer::No => Exit::No,
        Answer::Unknown(_) if runbook.when.is_empty() => Exit::Ok,
        Answer::Unknown(_) => Exit::Unknown,
    })
}

/// Which steps the answers lead through. Where only a person can decide, the walk goes on below.
fn way(runbook: &Runbook, views: &[StepView]) -> Vec<bool> {
    let mut on = vec![false; views.len()];
    let mut next = Some(0);
    while let Some(here) = next.filter(|n| *n < views.len()) {
        on[here] = true;
        let undecided = Answer::Unknown(String::new());
        next = runbook.after(here, views[here].answer.as_ref().unwrap_or(&undecided));
    }
    on
}

fn render(
    global: &Global,
    runbook: &Runbook,
    sight: &Sight<'_>,
    views: &[StepView],
    over: &Answer,
) -> Result<String, Problem> {
    let people = || told(runbook, sight, views, over, Style::of_stdout());
    answer(global.output.unwrap_or_default(), &of(runbook, sight, views, over), people, people)
}

/// The transcript for people.
pub fn told(runbook: &Runbook, sight: &Sight<'_>, views: &[StepView], over: &Answer, style: Style) -> String {
    let at = sight.now.round(jiff::Unit::Second).unwrap_or(sight.now);
    let mut out = format!("# {} on {}, {at}\n", runbook.title, sight.cluster.key);
    if let Some(about) = sight.about {
        out.push_str(&format!("about {about}\n"));
    }
    for r in sight.health.reasons().filter(|r| runbook.when.contains(&r.code) && r.level > Level::Ok) {
        let ago = text::ago(r.seen, sight.now);
        out.push_str(&format!("{} {} ({}, {ago})\n", coloured(style, r.level, mark(r.level)), r.text, r.witness));
    }
    let on = way(runbook, views);
    for (n, view) in views.iter().enumerate() {
        out.push_str(&text::step(view, n + 1, views.len(), style, sight.now));
        if !on[n] {
            out.push_str("  (not on the way that the answers lead)\n");
        }
        if let Some(question) = &view.question {
            out.push_str(&format!("  question: {question}\n"));
        }
    }
    let over = match over {
        Answer::Yes => "its reasons are not in the verdict".to_owned(),
        Answer::No => "its reasons are in the verdict".to_owned(),
        Answer::Unknown(why) => format!("whether it is over can't be told: {why}"),
    };
    out.push_str(&format!("\n{over}\n"));
    out
}

fn of(runbook: &Runbook, sight: &Sight<'_>, views: &[StepView], over: &Answer) -> Transcript {
    let on = way(runbook, views);
    let reasons = sight.health.reasons().filter(|r| runbook.when.contains(&r.code) && r.level > Level::Ok);
    Transcript {
        runbook: runbook.name.clone(),
        title: runbook.title.clone(),
        context: sight.cluster.key.context.to_string(),
        cluster: sight.cluster.key.to_string(),
        at: sight.now,
        instance: sight.about.map(ToString::to_string),
        reasons: reasons
            .map(|r| Reason {
                code: r.code,
                level: r.level,
                text: r.text.clone(),
                instance: r.instance.as_ref().map(ToString::to_string),
            })
            .collect(),
        steps: views.iter().zip(on).map(|(view, on)| step(view, on, sight.now)).collect(),
        gone: over.word(),
        gone_unknown_because: because(Some(over)),
    }
}

fn because(answer: Option<&Answer>) -> Option<String> {
    match answer {
        Some(Answer::Unknown(why)) => Some(why.clone()),
        _ => None,
    }
}

fn step(view: &StepView, on_the_way: bool, now: Timestamp) -> Step {
    let check = |c: &Judged| Check {
        title: c.title.clone(),
        check: c.check.clone(),
        holds: c.answer.as_ref().map(Answer::word),
        unknown_because: because(c.answer.as_ref()),
        evidence: c.evidence.clone(),
        rows: c.rows.clone(),
    };
    Step {
        step: view.name.clone(),
        title: view.title.clone(),
        on_the_way,
        words: view.words.clone(),
        values: view
            .values
            .iter()
            .map(|s| ValueOf {
                value: s.name.clone(),
                about: s.about,
                of: s.items.iter().map(|i| reading(i, now)).collect(),
            })
            .collect(),
        checks: view.checks.iter().map(check).collect(),
        answer: view.answer.as_ref().map(Answer::word),
        question: view.question.clone(),
        commands: view.commands.clone(),
        act: view.act.clone(),
    }
}

fn reading(item: &Item, now: Timestamp) -> Reading {
    let is = match &item.value {
        Err(_) | Ok(Datum::Nothing) => Value::Null,
        Ok(Datum::Flag(yes)) => json!(yes),
        Ok(Datum::Number(n) | Datum::Percent(n)) => json!(n),
        Ok(Datum::Bytes(n)) => json!(n),
        Ok(Datum::Time(t)) => json!(t.as_secs_f64()),
        Ok(Datum::Text(t)) => json!(t),
    };
    Reading {
        who: item.who.clone(),
        is,
        text: item.value.as_ref().ok().map(ToString::to_string),
        unknown_because: item.value.as_ref().err().cloned(),
        witness: item.witness.to_string(),
        age_s: now.duration_since(item.seen).as_secs().max(0),
    }
}
