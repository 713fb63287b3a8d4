//! Reading a runbook's file.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::language::{self, Kind, Wrong};
use super::{ACTS, Act, Command, Next, Runbook, Step, Target, placeholders, values};
use crate::document::mistake::did_you_mean;
use crate::document::{Document, Entry, Mistake, entries};
use crate::domain::cluster::Operator;
use crate::domain::health::ReasonCode;
use crate::procedure;

mod look;

pub(super) type Value<'t> = Spanned<DeValue<'t>>;

const KEYS: [&str; 4] = ["title", "summary", "when", "step"];
const STEP_KEYS: [&str; 9] = ["name", "title", "words", "values", "look", "question", "commands", "act", "next"];
const COMMAND_KEYS: [&str; 4] = ["look", "change", "why", "operator"];
const PARAMETERS: [&str; 4] = ["instance", "instances", "to", "window"];

/// A step as written, with the places of what is checked when all steps are known.
struct Written {
    step: Step,
    name_at: Range<usize>,
    targets: Vec<(String, Range<usize>)>,
    next_at: Option<Range<usize>>,
}

/// Reads one file; every mistake in it. With a mistake the runbook is only fit to be named.
pub(super) fn read(file: &str, text: &str) -> (Runbook, Vec<Mistake>) {
    let (mut doc, table) = Document::parse(file, text);
    let mut out = Runbook {
        name: stem(file),
        title: String::new(),
        summary: String::new(),
        when: Vec::new(),
        steps: Vec::new(),
        own: false,
    };
    let mut steps: Vec<Written> = Vec::new();
    for e in entries(&table) {
        match e.key {
            "title" => out.title = line(&mut doc, e.value),
            "summary" => out.summary = words(&mut doc, e.value).join(" "),
            "when" => out.when = when(&mut doc, e.value),
            "step" => {
                let Some(list) = e.value.get_ref().as_array() else {
                    doc.expected(e.value, "steps, each as a table [[step]]");
                    continue;
                };
                for (n, value) in list.iter().enumerate() {
                    steps.extend(doc.table(value).map(|t| (t, value.span())).map(|(t, at)| step(&mut doc, t, at, n)));
                }
            }
            key => doc.unknown(e.at, "key of a runbook", key, KEYS),
        }
    }
    if !table.contains_key("title") {
        doc.wrong(0..0, "a runbook has a title: title = \"…\"");
    }
    if !table.contains_key("step") {
        doc.wrong(0..0, "a runbook has steps: [[step]]");
    }
    if steps.iter().any(|w| w.step.name == "done") {
        let at = steps.iter().find(|w| w.step.name == "done").map_or(0..0, |w| w.name_at.clone());
        doc.wrong(at, "`done` is the end: no step can be called so");
    }
    whole(&mut doc, &steps);
    out.steps = steps.into_iter().map(|w| w.step).collect();
    (out, doc.mistakes)
}

/// What can only be told when all steps are known: names are unique, and every way leads further down.
fn whole(doc: &mut Document<'_>, steps: &[Written]) {
    let names: Vec<&str> = steps.iter().map(|w| w.step.name.as_str()).collect();
    for (n, w) in steps.iter().enumerate() {
        if names[..n].contains(&names[n]) {
            doc.wrong(w.name_at.clone(), format!("there is another step called `{}`", names[n]));
        }
        for (target, at) in &w.targets {
            match names.iter().position(|name| name == target) {
                _ if target == "done" => {}
                None => {
                    let near = did_you_mean(target, names.iter().copied().chain(["done"]));
                    doc.wrong(at.clone(), format!("no such step: `{target}`{near}"));
                }
                Some(m) if m <= n => {
                    doc.wrong(
                        at.clone(),
                        format!("`{target}` is not further down: a walk only goes forward, so that it ends"),
                    );
                }
                Some(_) => {}
            }
        }
        if let Some(at) = &w.next_at
            && w.step.branches()
            && w.step.decides().is_none()
            && w.step.question.is_none()
        {
            doc.wrong(at.clone(), "nothing decides where to go: the step needs a check in `look`, or a `question`");
        }
    }
}

fn when(doc: &mut Document<'_>, value: &Value<'_>) -> Vec<ReasonCode> {
    let Some(list) = value.get_ref().as_array() else {
        doc.expected(value, "a list of reasons, such as [\"archive-failing\"]");
        return Vec::new();
    };
    let mut codes = Vec::new();
    for value in list.iter() {
        let Some(name) = doc.text(value) else { continue };
        match ReasonCode::named(name) {
            Some(code) => codes.push(code),
            None => doc.unknown(value.span(), "reason", name, ReasonCode::names().iter().copied()),
        }
    }
    codes
}

fn step(doc: &mut Document<'_>, table: &DeTable<'_>, at: Range<usize>, number: usize) -> Written {
    let mut w = Written {
        step: Step {
            name: format!("step-{}", number + 1),
            title: String::new(),
            words: Vec::new(),
            values: Vec::new(),
            look: Vec::new(),
            question: None,
            commands: Vec::new(),
            act: None,
            next: Next::default(),
        },
        name_at: at.clone(),
        targets: Vec::new(),
        next_at: None,
    };
    for e in entries(table) {
        let step = &mut w.step;
        match e.key {
            "name" => {
                w.name_at = e.value.span();
                step.name = name(doc, e.value).unwrap_or(std::mem::take(&mut step.name));
            }
            "title" => step.title = line(doc, e.value),
            "words" => step.words = words(doc, e.value),
            "values" => step.values = shown(doc, e.value),
            "look" => step.look = list(doc, e.value, "checks", look::read),
            "question" => step.question = Some(line(doc, e.value)),
            "commands" => step.commands = list(doc, e.value, "commands", command),
            "act" => step.act = act(doc, e.value),
            "next" => {
                w.next_at = Some(e.value.span());
                w.step.next = next(doc, &e, &mut w.targets);
            }
            key => doc.unknown(e.at, "key of a step", key, STEP_KEYS),
        }
    }
    if !table.contains_key("title") {
        doc.wrong(at.start..at.start, "a step has a title: title = \"…\"");
    }
    w
}

/// A list of tables.
fn list<T>(
    doc: &mut Document<'_>,
    value: &Value<'_>,
    what: &str,
    one: impl Fn(&mut Document<'_>, &DeTable<'_>, Range<usize>) -> Option<T>,
) -> Vec<T> {
    let Some(items) = value.get_ref().as_array() else {
        doc.expected(value, &format!("a list of {what}, each as {{ … }}"));
        return Vec::new();
    };
    let mut all = Vec::new();
    for item in items.iter() {
        if let Some(table) = doc.table(item) {
            all.extend(one(doc, table, item.span()));
        }
    }
    all
}

/// A short name of small letters, digits and `-`.
fn name(doc: &mut Document<'_>, value: &Value<'_>) -> Option<String> {
    let text = doc.text(value)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || !text.chars().all(plain) {
        doc.wrong(value.span(), format!("`{text}` is no name: write small letters, digits and `-`"));
        return None;
    }
    Some(text.to_owned())
}

/// A text of one line, with its placeholders checked.
pub(super) fn line(doc: &mut Document<'_>, value: &Value<'_>) -> String {
    let text = doc.text(value).unwrap_or_default().to_owned();
    holes(doc, value, &text);
    crate::text::clean(text.trim())
}

/// Paragraphs: an empty line begins the next one.
fn words(doc: &mut Document<'_>, value: &Value<'_>) -> Vec<String> {
    let text = doc.text(value).unwrap_or_default().to_owned();
    holes(doc, value, &text);
    let paragraphs = text.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|p| !p.is_empty()).map(|p| crate::text::clean(&p)).collect()
}

/// Every placeholder must be one.
fn holes(doc: &mut Document<'_>, value: &Value<'_>, text: &str) {
    for (place, name) in placeholders::places(text) {
        let known = placeholders::PLACEHOLDERS.iter().map(|(name, ..)| *name);
        if !known.clone().any(|k| k == name) {
            let hint = did_you_mean(name, known);
            let at = within(doc, value, text, place.start, place.end);
            doc.wrong(at, format!("no such placeholder: `{{{name}}}`{hint}"));
        }
    }
}

/// Names of values to show.
fn shown(doc: &mut Document<'_>, value: &Value<'_>) -> Vec<String> {
    let Some(list) = value.get_ref().as_array() else {
        doc.expected(value, "a list of values, such as [\"archiver.last\"]");
        return Vec::new();
    };
    let mut names = Vec::new();
    for value in list.iter() {
        let Some(name) = doc.text(value) else { continue };
        match values::meaning(name) {
            Ok(_) => names.push(name.to_owned()),
            Err(what) => doc.wrong(value.span(), what),
        }
    }
    names
}

fn command(doc: &mut Document<'_>, table: &DeTable<'_>, at: Range<usize>) -> Option<Command> {
    let mut text = None;
    let mut out = Command { change: false, text: String::new(), why: None, operator: None };
    for e in entries(table) {
        match e.key {
            "look" | "change" => {
                if text.is_some() {
                    doc.wrong(e.at.clone(), "a command either looks or changes, not both");
                }
                out.change = e.key == "change";
                text = Some(line(doc, e.value));
            }
            "why" => out.why = Some(line(doc, e.value)),
            "operator" => out.operator = operator(doc, e.value),
            key => doc.unknown(e.at, "key of a command", key, COMMAND_KEYS),
        }
    }
    if text.as_ref().is_none_or(String::is_empty) {
        doc.wrong(at, "a command is { look = \"…\" } or { change = \"…\" }");
    }
    Some(Command { text: text?, ..out })
}

fn operator(doc: &mut Document<'_>, value: &Value<'_>) -> Option<Operator> {
    match doc.text(value)? {
        "cnpg" => Some(Operator::Cnpg),
        "pgo" => Some(Operator::Pgo),
        other => {
            doc.unknown(value.span(), "operator", other, ["cnpg", "pgo"]);
            None
        }
    }
}

/// `act = "switchover"` or `act = { name = "rebuild", instance = "{instance}" }`.
fn act(doc: &mut Document<'_>, value: &Value<'_>) -> Option<Act> {
    if value.get_ref().is_str() {
        return Some(Act { kind: of_whom(kind(doc, value)?, true), parameters: Default::default() });
    }
    let Some(table) = value.get_ref().as_table() else {
        doc.expected(value, "an act, such as \"switchover\" or { name = \"rebuild\", instance = \"{instance}\" }");
        return None;
    };
    let mut found = None;
    let mut parameters = std::collections::BTreeMap::new();
    for e in entries(table) {
        match e.key {
            "name" => found = kind(doc, e.value),
            key if PARAMETERS.contains(&key) => {
                parameters.insert(key.to_owned(), line(doc, e.value));
            }
            key => doc.unknown(e.at, "parameter of an act", key, PARAMETERS.into_iter().chain(["name"])),
        }
    }
    if !table.contains_key("name") {
        doc.wrong(value.span(), "which act? name = \"…\"");
    }
    Some(Act { kind: of_whom(found?, !parameters.contains_key("instance")), parameters })
}

/// A restart of no instance is one of the whole cluster.
fn of_whom(kind: procedure::Kind, whole: bool) -> procedure::Kind {
    match kind {
        procedure::Kind::RestartInstance if whole => procedure::Kind::RestartCluster,
        kind => kind,
    }
}

fn kind(doc: &mut Document<'_>, value: &Value<'_>) -> Option<procedure::Kind> {
    let name = doc.text(value)?;
    let found = ACTS.iter().find(|(n, _)| *n == name).map(|(_, kind)| *kind);
    if found.is_none() {
        doc.unknown(value.span(), "act", name, ACTS.iter().map(|(n, _)| *n));
    }
    found
}

/// `next = "step"`, or `next = { yes = "…", no = "…", unknown = "…" }`; what is not said goes on below.
fn next(doc: &mut Document<'_>, e: &Entry<'_, '_>, targets: &mut Vec<(String, Range<usize>)>) -> Next {
    let mut target = |doc: &mut Document<'_>, value: &Value<'_>| {
        let name = doc.text(value)?.to_owned();
        targets.push((name.clone(), value.span()));
        Some(if name == "done" { Target::Done } else { Target::Step(name) })
    };
    if e.value.get_ref().is_str() {
        let to = target(doc, e.value).unwrap_or_default();
        return Next { yes: to.clone(), no: to.clone(), unknown: to };
    }
    let Some(table) = e.value.get_ref().as_table() else {
        doc.expected(e.value, "a step's name, or { yes = \"…\", no = \"…\", unknown = \"…\" }");
        return Next::default();
    };
    let mut next = Next::default();
    for e in entries(table) {
        let slot = match e.key {
            "yes" => &mut next.yes,
            "no" => &mut next.no,
            "unknown" => &mut next.unknown,
            key => {
                doc.unknown(e.at, "answer", key, ["yes", "no", "unknown"]);
                continue;
            }
        };
        *slot = target(doc, e.value).unwrap_or_default();
    }
    next
}

/// What kinds of literals a value takes, by its name.
fn kind_of(name: &str) -> Result<Kind, String> {
    values::meaning(name).map(|m| m.kind)
}

/// Notes what is wrong inside a text at its own place, where the file has the text as it is.
fn wrong_within(doc: &mut Document<'_>, value: &Value<'_>, text: &str, wrong: Wrong) {
    let at = within(doc, value, text, wrong.from, wrong.to);
    doc.wrong(at, wrong.what);
}

/// The place of a part of a text in the file; the whole text's where escapes or indentation came between.
fn within(doc: &Document<'_>, value: &Value<'_>, text: &str, from: usize, to: usize) -> Range<usize> {
    let span = value.span();
    let quotes = ["\"\"\"\n", "'''\n", "\"\"\"", "'''", "\"", "'"];
    let source = doc.text.get(span.clone()).unwrap_or_default();
    let as_it_is = quotes.iter().find(|q| source.strip_prefix(**q).is_some_and(|rest| rest.starts_with(text)));
    match as_it_is {
        Some(quote) => span.start + quote.len() + from..span.start + quote.len() + to,
        None => span,
    }
}

fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name).to_owned()
}
