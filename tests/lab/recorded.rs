//! The recordings of a real cluster, trimmed to key fields, and what of them has to hold in the lab.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::recorder::Change;

/// Two changes closer than this in a recording are two parties woken by one and the same thing (or one write): which of
/// them is written first is no order that anybody keeps.
const APART_MS: i64 = 50;
/// The same for two objects, which different parties write on clocks of their own: the lab's are faster than a cluster's by
/// less than this. `tests/lab_operator` holds the operator to every pair, with pretended instances.
const APART_BETWEEN_MS: i64 = 1_000;

/// A recording: when, and what.
pub fn read(text: &str) -> Vec<(i64, Change)> {
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            (next().parse().unwrap(), Change { kind: next(), object: next(), what: next() })
        })
        .collect()
}

/// The changes alone.
pub fn changes(recording: &[(i64, Change)]) -> Vec<Change> {
    recording.iter().map(|(_, change)| change.clone()).collect()
}

/// The values of each field of each object, in order.
pub fn sequences(changes: &[Change]) -> BTreeMap<(String, String, String), Vec<String>> {
    let mut out: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for change in changes {
        let field = match change.kind.as_str() {
            "Event" => String::new(),
            _ if matches!(change.what.as_str(), "added" | "deleted") => "exists".to_owned(),
            _ => change.field().to_owned(),
        };
        let value = change.what.split_once('=').map_or(change.what.as_str(), |(_, v)| v);
        out.entry((change.kind.clone(), change.object.clone(), field)).or_default().push(value.to_owned());
    }
    out
}

/// Each change with its running number among the same ones, so that a second `target=pending` is another step.
fn steps(changes: &[Change]) -> Vec<(Change, usize)> {
    let mut count: HashMap<Change, usize> = HashMap::new();
    changes
        .iter()
        .map(|change| {
            let n = count.entry(change.clone()).or_default();
            *n += 1;
            (change.clone(), *n)
        })
        .collect()
}

/// A change and its running number.
pub type Step = (Change, usize);
/// "This before that".
pub type Pair = (Step, Step);

/// All pairs "this before that" that are far enough apart to mean something.
pub fn pairs(recording: &[(i64, Change)]) -> BTreeSet<Pair> {
    let steps = steps(&changes(recording));
    let timed: Vec<(i64, &Step)> = recording.iter().map(|(at, _)| *at).zip(&steps).collect();
    let mut out = BTreeSet::new();
    for (i, (at, first)) in timed.iter().enumerate() {
        let one = |second: &Step| (&first.0.kind, &first.0.object) == (&second.0.kind, &second.0.object);
        let apart = |second: &Step| if one(second) { APART_MS } else { APART_BETWEEN_MS };
        let later = timed[i + 1..].iter().filter(|(then, second)| then - at >= apart(second));
        out.extend(later.map(|(_, second)| ((*first).clone(), (*second).clone())));
    }
    out
}

/// The pairs that hold in both recordings.
pub fn common(a: &[(i64, Change)], b: &[(i64, Change)]) -> BTreeSet<Pair> {
    pairs(a).intersection(&pairs(b)).cloned().collect()
}

/// Those of the pairs that the lab turned round.
pub fn broken(wanted: &BTreeSet<Pair>, lab: &[Change]) -> Vec<String> {
    let place: HashMap<Step, usize> = steps(lab).into_iter().enumerate().map(|(i, step)| (step, i)).collect();
    let tell = |(change, n): &Step| format!("{} {} {} ({n})", change.kind, change.object, change.what);
    wanted
        .iter()
        .filter(|(a, b)| matches!((place.get(a), place.get(b)), (Some(a), Some(b)) if a > b))
        .map(|(a, b)| format!("{}  before  {}", tell(a), tell(b)))
        .collect()
}
