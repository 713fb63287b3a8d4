//! What the checks of a step answer: yes, no, or unknown with the reason.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::language::{Against, Comparison, Datum};
use super::values::{self, Item};
use super::{Holds, How, Look, On, Runbook, Sight, Step};
use crate::domain::health::Level;
use crate::domain::names::InstanceName;
use crate::domain::picture::Picture;
use crate::domain::quantity;
use crate::procedure::question::{Asked, Replies, Reply, Told};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It can't be told, and why.
    Unknown(String),
}

impl Answer {
    /// `yes`, `no`, `unknown`.
    pub fn word(&self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Unknown(_) => "unknown",
        }
    }

    fn of(yes: bool) -> Answer {
        if yes { Answer::Yes } else { Answer::No }
    }
}

/// A check and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// What is true when it holds.
    pub title: String,
    /// The check as it is written: `archiver.ready > 4`.
    pub check: String,
    /// `None`: it is only for showing.
    pub answer: Option<Answer>,
    /// What was seen, each with its witness and age.
    pub evidence: Vec<String>,
    /// Rows of a query, for a table: the columns' names first.
    pub rows: Vec<Vec<String>>,
}

/// Judges one check.
pub fn judge(look: &Look, sight: &Sight<'_>, replies: &Replies) -> Judged {
    match &look.how {
        How::Value(comparison) => by_value(&look.title, comparison, sight),
        How::Ask { question, on, holds } => {
            let check = match holds {
                Some(Holds::Value(against)) => format!("answer {against}"),
                Some(Holds::Rows(against)) => format!("rows {against}"),
                None => String::new(),
            };
            let blank =
                Judged { title: look.title.clone(), check, answer: None, evidence: Vec::new(), rows: Vec::new() };
            let Some(of) = whom(*on, sight) else {
                let why = "nobody to ask: no such instance is known".to_owned();
                let answer = holds.as_ref().map(|_| Answer::Unknown(why.clone()));
                return Judged { answer, evidence: vec![why], ..blank };
            };
            let reply = replies.get(&Asked { of, question: question.clone() });
            by_reply(blank, holds.as_ref(), reply, sight.now)
        }
    }
}

/// The questions that the checks of a step put to instances.
pub fn questions(step: &Step, sight: &Sight<'_>) -> Vec<Asked> {
    let asked = step.look.iter().filter_map(|look| match &look.how {
        How::Ask { question, on, .. } => Some(Asked { of: whom(*on, sight)?, question: question.clone() }),
        How::Value(_) => None,
    });
    let mut all: Vec<_> = asked.collect();
    all.dedup();
    all
}

/// The answer of a step: that of its first check that has one. `None`: the step has none, a person decides.
pub fn of_step(step: &Step, judged: &[Judged]) -> Option<Answer> {
    step.decides().and_then(|n| judged.get(n)?.answer.clone())
}

fn whom(on: On, sight: &Sight<'_>) -> Option<InstanceName> {
    match on {
        On::Primary => Picture::of(sight.facts, sight.cluster).primary,
        On::Instance => sight.about.cloned(),
    }
}

/// Values in words: `pg-2: no (pg_stat_replication on pg-1, 1s ago)`.
pub fn words(item: &Item, now: Timestamp) -> String {
    let who = item.who.as_ref().map(|w| format!("{w}: ")).unwrap_or_default();
    match &item.value {
        Ok(value) => format!("{who}{value} ({}, {} ago)", item.witness, quantity::age(item.seen, now)),
        Err(why) => format!("{who}unknown: {why}"),
    }
}

fn by_value(title: &str, comparison: &Comparison, sight: &Sight<'_>) -> Judged {
    let items = values::read(sight, &comparison.name);
    let evidence = items.iter().map(|i| words(i, sight.now)).collect();
    let answer = compare(comparison, &items);
    Judged { title: title.to_owned(), check: comparison.to_string(), answer: Some(answer), evidence, rows: Vec::new() }
}

fn compare(comparison: &Comparison, items: &[Item]) -> Answer {
    let mut unknown = None;
    let mut some = false;
    for item in items {
        let who = item.who.as_ref().map(|w| format!("{w}: ")).unwrap_or_default();
        match &item.value {
            Err(why) => unknown = unknown.or(Some(format!("{who}{why}"))),
            Ok(value) => match comparison.against.holds(value) {
                // One is enough: for "any" one that holds, for "every" one that does not.
                Some(holds) if holds != comparison.every => return Answer::of(holds),
                Some(_) => some = true,
                // Where there is none, nothing of it is too large or too small.
                None if *value == Datum::Nothing => some = true,
                None => {
                    let why = format!("{who}{value} can't be held against {}", comparison.against);
                    unknown = unknown.or(Some(why));
                }
            },
        }
    }
    match (unknown, some) {
        (Some(why), _) => Answer::Unknown(why),
        (None, true) => Answer::of(comparison.every),
        (None, false) => Answer::Unknown("there is nobody it could be true of".into()),
    }
}

fn by_reply(blank: Judged, holds: Option<&Holds>, reply: Option<&Reply>, now: Timestamp) -> Judged {
    let unknown = |why: String| holds.map(|_| Answer::Unknown(why));
    let Some(reply) = reply else {
        let why = "not asked yet".to_owned();
        return Judged { answer: unknown(why.clone()), evidence: vec![why], ..blank };
    };
    let source = format!("{}, {} ago", reply.by, quantity::age(reply.at, now));
    let told = match &reply.told {
        Ok(told) => told,
        Err(why) => return Judged { answer: unknown(why.clone()), evidence: vec![format!("unknown: {why}")], ..blank },
    };
    let (value, evidence, rows) = match told {
        Told::NoSuchMetric => {
            let why = "no such metric is exported".to_owned();
            return Judged { answer: unknown(why.clone()), evidence: vec![format!("{why} ({source})")], ..blank };
        }
        Told::Number(n) => (Some(Datum::Number(*n)), format!("{n} ({source})"), Vec::new()),
        Told::Rows { columns, rows, more } => {
            let more = if *more { ", and more" } else { "" };
            let plural = if rows.len() == 1 { "" } else { "s" };
            let evidence = format!("{} row{plural}{more} ({source})", rows.len());
            let first = rows.first().and_then(|r| r.first()).map(|cell| of_cell(cell.as_deref()));
            (first, evidence, table(columns, rows))
        }
    };
    let answer = holds.map(|holds| {
        let (value, against): (Option<Datum>, &Against) = match (holds, told) {
            (Holds::Value(against), _) => (value, against),
            (Holds::Rows(against), Told::Rows { rows, .. }) => (Some(Datum::Number(rows.len() as f64)), against),
            (Holds::Rows(against), _) => (None, against),
        };
        match value.as_ref().map(|v| against.holds(v)) {
            Some(Some(yes)) => Answer::of(yes),
            Some(None) => Answer::Unknown(format!("the answer can't be held against {against}")),
            None => Answer::Unknown("there was no row".into()),
        }
    });
    Judged { answer, evidence: vec![evidence], rows, ..blank }
}

/// A cell of a query's answer as a value: `t` and `true` are yes.
fn of_cell(cell: Option<&str>) -> Datum {
    match cell {
        None => Datum::Nothing,
        Some("true" | "t") => Datum::Flag(true),
        Some("false" | "f") => Datum::Flag(false),
        Some(text) => match text.parse::<f64>() {
            Ok(n) if n.is_finite() => Datum::Number(n),
            _ => Datum::Text(text.to_owned()),
        },
    }
}

fn table(columns: &[String], rows: &[Vec<Option<String>>]) -> Vec<Vec<String>> {
    if rows.is_empty() {
        return Vec::new();
    }
    let cells = rows.iter().map(|r| r.iter().map(|c| c.clone().unwrap_or_else(|| "–".into())).collect());
    std::iter::once(columns.to_vec()).chain(cells).collect()
}

/// Is what the runbook is for gone? It is when none of its reasons is left in the verdict; a verdict that rests on nothing
/// fresh can't tell.
pub fn gone(runbook: &Runbook, sight: &Sight<'_>) -> Answer {
    let told = || sight.health.reasons().filter(|r| r.level > Level::Ok);
    if runbook.when.is_empty() {
        return Answer::Unknown("no reason of the verdict stands for it: judge by what you saw".into());
    }
    if let Some(left) = told().find(|r| runbook.when.contains(&r.code)) {
        return match left.level {
            Level::Unknown => Answer::Unknown(left.text.clone()),
            _ => Answer::No,
        };
    }
    use crate::domain::health::ReasonCode::{CantBeAsked, Stale};
    match told().find(|r| matches!(r.code, CantBeAsked | Stale)) {
        Some(blind) => Answer::Unknown(blind.text.clone()),
        None => Answer::Yes,
    }
}
