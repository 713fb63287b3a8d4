//! Reading `[limits]`: where a figure becomes a warning.

use jiff::SignedDuration;
use toml::Value;
use toml::de::{DeTable, DeValue};

use crate::document::{Document, Entry, entries};
use crate::domain::health::Limits;
use crate::domain::quantity;

/// Reads the limits; each wrong line is a mistake and leaves its default. Sizes may be written `64Mi`, times `90s`.
pub(super) fn read(doc: &mut Document<'_>, table: &DeTable<'_>) -> Limits {
    let defaults = as_table(&Limits::default());
    let mut given = toml::Table::new();
    for e in entries(table) {
        let Some(default) = defaults.get(e.key) else {
            doc.unknown(e.at, "limit", e.key, defaults.keys().map(String::as_str));
            continue;
        };
        let Some(value) = value(doc, &e, default) else { continue };
        let alone = toml::Table::from_iter([(e.key.to_owned(), value.clone())]);
        match alone.try_into::<Limits>() {
            Ok(_) => drop(given.insert(e.key.to_owned(), value)),
            Err(_) => doc.wrong(e.value.span(), format!("`{}` can't be {value}", e.key)),
        }
    }
    drop_what_contradicts(doc, table, &defaults, &mut given);
    given.try_into().unwrap_or_default()
}

fn as_table(limits: &Limits) -> toml::Table {
    toml::Table::try_from(limits).unwrap_or_default()
}

/// The value in the form of the default: a number, or a time.
fn value(doc: &mut Document<'_>, e: &Entry<'_, '_>, default: &Value) -> Option<Value> {
    let number = default.is_integer();
    match e.value.get_ref() {
        DeValue::Integer(n) if number => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) if n >= 0 => Some(Value::Integer(n)),
            _ => {
                doc.wrong(e.value.span(), format!("`{}` can't be {}", e.key, n.as_str()));
                None
            }
        },
        DeValue::String(text) if number => match quantity::kubernetes(text).filter(|n| (0.0..9e18).contains(n)) {
            Some(n) => Some(Value::Integer(n as i64)),
            None => {
                doc.wrong(e.value.span(), format!("no size: `{text}`; write 64Mi, 1Gi or a number"));
                None
            }
        },
        DeValue::String(text) => match text.parse::<SignedDuration>() {
            Ok(d) if d > SignedDuration::ZERO => Some(Value::String(text.to_string())),
            _ => {
                doc.wrong(e.value.span(), format!("no time: `{text}`; write 90s, 10m, 26h or 7d as 168h"));
                None
            }
        },
        _ => {
            doc.expected(
                e.value,
                if number { "a number or a size such as \"64Mi\"" } else { "a time such as \"90s\"" },
            );
            None
        }
    }
}

/// A warning must come before what is bad: pairs that turn round are mistakes, and both keep their defaults.
fn drop_what_contradicts(doc: &mut Document<'_>, table: &DeTable<'_>, defaults: &toml::Table, given: &mut toml::Table) {
    for e in entries(table) {
        let Some(stem) = e.key.strip_suffix("-warn").or_else(|| e.key.strip_suffix("-bad")) else { continue };
        let (warn, bad) = (format!("{stem}-warn"), format!("{stem}-bad"));
        let of = |from: &toml::Table, key: &str| from.get(key).or_else(|| defaults.get(key)).and_then(figure);
        let (Some(w), Some(b)) = (of(given, &warn), of(given, &bad)) else { continue };
        let (Some(dw), Some(db)) = (of(defaults, &warn), of(defaults, &bad)) else { continue };
        // For remaining time less is worse, as the defaults show.
        if (w > b) != (dw > db) && (w - b).abs() > f64::EPSILON {
            doc.wrong(e.value.span(), format!("`{warn}` must be reached before `{bad}`"));
            given.remove(&warn);
            given.remove(&bad);
        }
    }
}

fn figure(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::String(text) => text.parse::<SignedDuration>().ok().map(|d| d.as_secs_f64()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Limits, Vec<String>) {
        let (mut doc, table) = Document::parse("c", text);
        let limits = read(&mut doc, &table);
        (limits, doc.mistakes.iter().map(|m| m.line()).collect())
    }

    #[test]
    fn sizes_times_and_percentages() {
        let (l, wrong) =
            read_text("lag-bytes-warn = \"128Mi\"\nlag-time-warn = \"1m 30s\"\ndisk-warn = 70\nready-wal-warn = 0x10");
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(l.lag_bytes_warn, 128 << 20);
        assert_eq!(l.lag_time_warn, SignedDuration::from_secs(90));
        assert_eq!((l.disk_warn, l.ready_wal_warn), (70, 16));
        assert_eq!(l.disk_bad, Limits::default().disk_bad);
    }

    #[test]
    fn every_default_can_be_written_down() {
        let text = toml::to_string(&Limits::default()).unwrap();
        assert_eq!(read_text(&text), (Limits::default(), Vec::new()));
    }

    #[test]
    fn mistakes_leave_their_default() {
        let text = "lag-byte-warn = 1\ndisk-warn = 300\ntrend-over = \"soon\"\nsetup-time = 3\nready-wal-warn = -1\nslot-bytes-warn = \"8GiB\"";
        let (l, wrong) = read_text(text);
        assert_eq!(l, Limits::default());
        assert_eq!(wrong[0], "c:1:1: no such limit: `lag-byte-warn`; did you mean `lag-bytes-warn`?");
        assert_eq!(wrong[1], "c:2:13: `disk-warn` can't be 300");
        assert_eq!(wrong[2], "c:3:14: no time: `soon`; write 90s, 10m, 26h or 7d as 168h");
        assert_eq!(wrong[3], "c:4:14: expected a time such as \"90s\", found an integer");
        assert_eq!(wrong[4], "c:5:18: `ready-wal-warn` can't be -1");
        assert_eq!(wrong[5], "c:6:19: no size: `8GiB`; write 64Mi, 1Gi or a number");
    }

    #[test]
    fn a_warning_comes_before_what_is_bad() {
        let (l, wrong) = read_text("disk-warn = 95");
        assert_eq!(wrong, ["c:1:13: `disk-warn` must be reached before `disk-bad`"]);
        assert_eq!(l.disk_warn, Limits::default().disk_warn);
        assert_eq!(read_text("certificate-warn = \"10h\"").1.len(), 1, "of remaining time less is worse");
    }
}
