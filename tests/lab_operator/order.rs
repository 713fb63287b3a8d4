//! What two films must have in common: each field's values in the same order, and what came before what.

use std::collections::{BTreeMap, BTreeSet};

use super::film::Change;

type Field = (String, String);

/// The values of each field in order; the one it had at the start comes first.
pub fn sequences(film: &[Change]) -> BTreeMap<Field, Vec<String>> {
    let mut fields: BTreeMap<Field, Vec<String>> = BTreeMap::new();
    for change in film.iter().filter(|change| change.object != "Event") {
        let values = fields.entry((change.object.clone(), change.field.clone())).or_default();
        if values.last() != Some(&change.value) {
            values.push(change.value.clone());
        }
    }
    fields
}

/// The cluster's events, each told once.
pub fn events(film: &[Change]) -> Vec<(String, String)> {
    let mut told: Vec<(String, String)> = Vec::new();
    for change in film.iter().filter(|change| change.object == "Event") {
        let event = (change.field.clone(), change.value.clone());
        if !told.contains(&event) {
            told.push(event);
        }
    }
    told
}

/// Every difference between the values of fields, as text. `but` names fields that may differ. A recording may have
/// begun a moment after the action, so one more value at the start is no difference.
pub fn differences(recorded: &[Change], taken: &[Change], but: &[(&str, &str)]) -> Vec<String> {
    let taken = sequences(taken);
    let mut found = Vec::new();
    for ((object, field), wanted) in sequences(recorded) {
        let excused = but.iter().any(|(o, f)| object.starts_with(o) && (*f == "*" || *f == field));
        let only_first = wanted.len() == 1 && !taken.contains_key(&(object.clone(), field.clone()));
        if excused || only_first {
            continue;
        }
        let got = taken.get(&(object.clone(), field.clone())).cloned().unwrap_or_default();
        if got != wanted && got.get(1..) != Some(&wanted) {
            found.push(format!("{object} {field}\n  recorded {wanted:?}\n  taken    {got:?}"));
        }
    }
    found
}

/// A happening: this field of this object took this value, for the n-th time.
type Happening = (String, String, String, usize);

fn happenings(film: &[Change]) -> BTreeMap<Happening, i64> {
    let mut counts: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for change in film.iter().filter(|change| !change.first && change.object != "Event") {
        let key = (change.object.clone(), change.field.clone(), change.value.clone());
        let count = counts.entry(key).or_default();
        *count += 1;
        let happening = (change.object.clone(), change.field.clone(), change.value.clone(), *count);
        found.insert(happening, change.at);
    }
    found
}

/// Pairs of happenings that came in the same order in all recordings, well apart (`margin` ms: streams of several kinds
/// are only so exact), but not in the film.
pub fn broken_pairs(
    recordings: &[Vec<Change>],
    taken: &[Change],
    margin: i64,
    but: &[(&str, &str)],
) -> (usize, Vec<String>) {
    let excused = |h: &Happening| but.iter().any(|(o, f)| h.0.starts_with(o) && (*f == "*" || *f == h.1));
    let recordings: Vec<BTreeMap<Happening, i64>> = recordings.iter().map(|r| happenings(r)).collect();
    let taken = happenings(taken);
    let common: BTreeSet<&Happening> =
        taken.keys().filter(|h| !excused(h) && recordings.iter().all(|r| r.contains_key(*h))).collect();
    let mut held = 0;
    let mut broken = Vec::new();
    for a in &common {
        for b in &common {
            if recordings.iter().all(|r| r[*a] + margin < r[*b]) {
                if taken[*a] < taken[*b] {
                    held += 1;
                } else {
                    broken.push(format!("{} {}={} ({}) before {} {}={} ({})", a.0, a.1, a.2, a.3, b.0, b.1, b.2, b.3));
                }
            }
        }
    }
    (held, broken)
}

/// Gives instances the same names in several films.
pub fn renamed(film: &[Change], names: &[(&str, &str)]) -> Vec<Change> {
    let rename = |text: &str| {
        let marked = names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, &format!("\u{1}{to}")));
        let mut words: Vec<String> = marked.replace('\u{1}', "").split(' ').map(str::to_owned).collect();
        // Lists of instances were sorted by their old names.
        if words.len() > 1 && words.iter().all(|w| w.contains('-') || names.iter().any(|(_, to)| w.starts_with(to))) {
            words.sort();
        }
        words.join(" ")
    };
    film.iter().map(|c| Change { object: rename(&c.object), value: rename(&c.value), ..c.clone() }).collect()
}
