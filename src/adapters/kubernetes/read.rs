//! Tolerant reading of JSON: a missing or misshapen field is `None`, never an error.

use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

use crate::text::{clean, shorten};

/// The longest message that is kept of an object.
const MESSAGE: usize = 300;

/// The value at a path of field names.
pub fn at<'a>(v: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(v, |v, field| v.get(field)).filter(|v| !v.is_null())
}

/// A non-empty text at a path, as it came.
pub fn raw<'a>(v: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(v, path)?.as_str().filter(|s| !s.is_empty())
}

/// A non-empty text at a path, cleaned.
pub fn text(v: &Value, path: &[&str]) -> Option<String> {
    raw(v, path).map(clean)
}

/// A message at a path, cleaned and cut.
pub fn message(v: &Value, path: &[&str]) -> String {
    shorten(&clean(raw(v, path).unwrap_or_default()), MESSAGE)
}

/// A shared name at a path, cleaned.
pub fn name(v: &Value, path: &[&str]) -> Option<Arc<str>> {
    raw(v, path).map(|s| clean(s).into())
}

/// A small count at a path.
pub fn count(v: &Value, path: &[&str]) -> Option<u32> {
    at(v, path)?.as_u64()?.try_into().ok()
}

/// True only when the field is there and true.
pub fn flag(v: &Value, path: &[&str]) -> bool {
    at(v, path).and_then(Value::as_bool) == Some(true)
}

/// The list at a path; empty where there is none.
pub fn list<'a>(v: &'a Value, path: &[&str]) -> &'a [Value] {
    at(v, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The fields of the object at a path; empty where there is none.
pub fn fields<'a>(v: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a Value)> {
    at(v, path).and_then(Value::as_object).into_iter().flatten().map(|(k, v)| (k.as_str(), v))
}

/// A time at a path: RFC 3339, or what Go's `Time.String()` writes (`2027-02-18 22:44:56 +0000 UTC`).
pub fn time(v: &Value, path: &[&str]) -> Option<Timestamp> {
    parse_time(raw(v, path)?)
}

/// See [`time`].
pub fn parse_time(s: &str) -> Option<Timestamp> {
    s.parse().ok().or_else(|| {
        let mut words = s.split_whitespace();
        let (day, hour, zone) = (words.next()?, words.next()?, words.next()?);
        format!("{day}T{hour}{}", zone.get(..3).zip(zone.get(3..)).map(|(h, m)| format!("{h}:{m}"))?).parse().ok()
    })
}

/// A label of an object.
pub fn label<'a>(v: &'a Value, label: &str) -> Option<&'a str> {
    raw(v, &["metadata", "labels", label])
}

/// An annotation of an object.
pub fn annotation<'a>(v: &'a Value, annotation: &str) -> Option<&'a str> {
    raw(v, &["metadata", "annotations", annotation])
}

/// The name of the owner of that kind.
pub fn owner<'a>(v: &'a Value, kind: &str) -> Option<&'a str> {
    list(v, &["metadata", "ownerReferences"])
        .iter()
        .find(|o| raw(o, &["kind"]) == Some(kind))
        .and_then(|o| raw(o, &["name"]))
}

/// The status of a condition; `None` where it is missing or `Unknown`.
pub fn condition<'a>(v: &'a Value, kind: &str) -> Option<&'a Value> {
    list(v, &["status", "conditions"]).iter().find(|c| raw(c, &["type"]) == Some(kind))
}

/// `True` and `False`; everything else is not known.
pub fn truth(v: &Value, path: &[&str]) -> Option<bool> {
    match raw(v, path)? {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_both_writers() {
        let go = parse_time("2027-02-18 22:44:56 +0000 UTC").unwrap();
        assert_eq!(Some(go), parse_time("2027-02-18T22:44:56Z"));
        assert_eq!(parse_time("2026-11-20T22:50:04.102995Z").unwrap().subsec_microsecond(), 102_995);
        assert_eq!(parse_time("-infinity"), None);
    }

    proptest! {
        #[test]
        fn no_time_panics(s in any::<String>()) {
            let _ = parse_time(&s);
        }
    }
}
