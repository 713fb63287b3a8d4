//! Reading the checks of a step.

use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeTable;

use super::{Value, kind_of, language, line, wrong_within};
use crate::document::{Document, entries};
use crate::procedure::question::Question;
use crate::procedure::runbook::language::{Against, Kind};
use crate::procedure::runbook::{Holds, How, Look, On, queries, sql};

const KEYS: [&str; 10] = ["title", "value", "ask", "sql", "monitor", "metric", "labels", "on", "holds", "rows"];

/// A check as written, before it is known which kind it is.
#[derive(Default)]
struct Draft {
    how: Option<How>,
    sources: usize,
    question: Option<Question>,
    on: Option<On>,
    monitor: bool,
    labels: BTreeMap<String, String>,
    holds: Option<Holds>,
}

/// Reads one check.
pub(super) fn read(doc: &mut Document<'_>, table: &DeTable<'_>, at: Range<usize>) -> Option<Look> {
    let mut title = String::new();
    let mut d = Draft::default();
    for e in entries(table) {
        match e.key {
            "title" => title = line(doc, e.value),
            "value" => {
                d.sources += 1;
                d.how = value(doc, e.value);
            }
            "ask" => {
                d.sources += 1;
                d.question = ask(doc, e.value);
            }
            "sql" => {
                d.sources += 1;
                d.question = free(doc, e.value);
            }
            "metric" => {
                d.sources += 1;
                let name = doc.text(e.value).map(str::to_owned);
                d.question = name.map(|name| Question::Metric { name, labels: BTreeMap::new() });
            }
            "labels" => d.labels = labels(doc, e.value),
            "monitor" => d.monitor = doc.flag(e.value).unwrap_or_default(),
            "on" => d.on = on(doc, e.value),
            "holds" => d.holds = against(doc, e.value, Kind::Any).map(Holds::Value).or(d.holds.take()),
            "rows" => d.holds = against(doc, e.value, Kind::Count).map(Holds::Rows).or(d.holds.take()),
            key => doc.unknown(e.at, "key of a check", key, KEYS),
        }
    }
    let one_too_many = table.contains_key("holds") && table.contains_key("rows");
    let stray = |key: &str, with: &str| table.contains_key(key) && !table.contains_key(with);
    let what = match d.sources {
        0 => Some("a check asks for one of `value`, `ask`, `sql` or `metric`"),
        1 if one_too_many => Some("an answer is held against `holds` or `rows`, not both"),
        1 if table.contains_key("value") && (table.contains_key("holds") || table.contains_key("rows")) => {
            Some("a value has its comparison in itself: value = \"archiver.ready > 4\"")
        }
        1 if table.contains_key("metric") && table.contains_key("rows") => Some("a metric has no rows: write `holds`"),
        1 if stray("labels", "metric") => Some("`labels` belong to a `metric`"),
        1 if stray("monitor", "sql") => Some("`monitor` belongs to `sql`"),
        1 if !table.contains_key("title") => Some("a check has a title: what is true when it holds"),
        1 => None,
        _ => Some("a check asks for one thing: `value`, `ask`, `sql` or `metric`"),
    };
    if let Some(what) = what {
        doc.wrong(at, what);
        return None;
    }
    let how = d.how.or_else(|| {
        let question = match d.question? {
            Question::Sql { text, monitor } => Question::Sql { text, monitor: monitor || d.monitor },
            Question::Metric { name, .. } => Question::Metric { name, labels: d.labels },
        };
        Some(How::Ask { question, on: d.on.unwrap_or_default(), holds: d.holds })
    });
    Some(Look { title, how: how? })
}

fn value(doc: &mut Document<'_>, value: &Value<'_>) -> Option<How> {
    let text = doc.text(value)?.to_owned();
    match language::comparison(&text, kind_of) {
        Ok(comparison) => Some(How::Value(comparison)),
        Err(wrong) => {
            wrong_within(doc, value, &text, wrong);
            None
        }
    }
}

fn against(doc: &mut Document<'_>, value: &Value<'_>, kind: Kind) -> Option<Against> {
    let text = doc.text(value)?.to_owned();
    match language::against(&text, kind) {
        Ok(against) => Some(against),
        Err(wrong) => {
            wrong_within(doc, value, &text, wrong);
            None
        }
    }
}

fn ask(doc: &mut Document<'_>, value: &Value<'_>) -> Option<Question> {
    let name = doc.text(value)?;
    match queries::named(name) {
        Some(q) => Some(Question::Sql { text: q.text.to_owned(), monitor: q.monitor }),
        None => {
            doc.unknown(value.span(), "query", name, queries::QUERIES.iter().map(|q| q.name));
            None
        }
    }
}

fn free(doc: &mut Document<'_>, value: &Value<'_>) -> Option<Question> {
    let text = doc.text(value)?.to_owned();
    if let Some(what) = sql::wrong(&text) {
        doc.wrong(value.span(), what);
        return None;
    }
    Some(Question::Sql { text, monitor: false })
}

fn labels(doc: &mut Document<'_>, value: &Value<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(table) = doc.table(value) else { return labels };
    for e in entries(table) {
        if let Some(text) = doc.text(e.value) {
            labels.insert(e.key.to_owned(), text.to_owned());
        }
    }
    labels
}

fn on(doc: &mut Document<'_>, value: &Value<'_>) -> Option<On> {
    match doc.text(value)? {
        "primary" => Some(On::Primary),
        "instance" => Some(On::Instance),
        other => {
            doc.unknown(value.span(), "place to ask", other, ["primary", "instance"]);
            None
        }
    }
}
