//! The recordings of a real cluster, trimmed to key fields, and what of them has to hold in the lab.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::recorder::Change;

/// Reads a fixture: `t_ms`, kind, object, change, with tabs between.
pub fn read(text: &str) -> Vec<Change> {
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t').skip(1).map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            Change { kind: next(), object: next(), what: next() }
        })
        .collect()
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

type Step = (Change, usize);

/// All pairs "this before that".
fn pairs(changes: &[Change]) -> BTreeSet<(Step, Step)> {
    let steps = steps(changes);
    let mut out = BTreeSet::new();
    for (i, first) in steps.iter().enumerate() {
        for second in &steps[i + 1..] {
            out.insert((first.clone(), second.clone()));
        }
    }
    out
}

/// The pairs that hold in both recordings.
pub fn common(a: &[Change], b: &[Change]) -> BTreeSet<(Step, Step)> {
    pairs(a).intersection(&pairs(b)).cloned().collect()
}

/// Those of the pairs that the lab turned round.
pub fn broken(wanted: &BTreeSet<(Step, Step)>, lab: &[Change]) -> Vec<String> {
    let place: HashMap<Step, usize> = steps(lab).into_iter().enumerate().map(|(i, step)| (step, i)).collect();
    let tell = |(change, n): &Step| format!("{} {} {} ({n})", change.kind, change.object, change.what);
    wanted
        .iter()
        .filter(|(a, b)| matches!((place.get(a), place.get(b)), (Some(a), Some(b)) if a > b))
        .map(|(a, b)| format!("{}  before  {}", tell(a), tell(b)))
        .collect()
}
