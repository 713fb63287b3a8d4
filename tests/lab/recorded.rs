//! The recordings of a real cluster, trimmed to key fields, and what of them has to hold in the lab.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::recorder::{Change, Timed};

/// Two changes closer than this in a recording are two parties woken by one and the same thing (or one write): which of
/// them is written first is no order that anybody keeps.
const APART_MS: i64 = 50;
/// The same of a story that was recorded once: of two parties that wait for nothing of each other, one run can't tell
/// which is the first by nature. What two recordings have in common needs no such room.
const APART_ONCE_MS: i64 = 1_000;

/// A recording: when, and what.
pub fn read(text: &str) -> Vec<Timed> {
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            (next().parse().unwrap(), Change { kind: next(), object: next(), what: next() })
        })
        .collect()
}

/// The changes alone.
pub fn changes(recording: &[Timed]) -> Vec<Change> {
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
fn pairs(recording: &[Timed], apart_ms: i64) -> BTreeSet<Pair> {
    let steps = steps(&changes(recording));
    let timed: Vec<(i64, &Step)> = recording.iter().map(|(at, _)| *at).zip(&steps).collect();
    let mut out = BTreeSet::new();
    for (i, (at, first)) in timed.iter().enumerate() {
        let later = timed[i + 1..].iter().filter(|(then, _)| then - at >= apart_ms);
        out.extend(later.map(|(_, second)| ((*first).clone(), (*second).clone())));
    }
    out
}

/// The pairs of a story that was recorded once: without those that are one run's chance.
pub fn told_once(recording: &[Timed]) -> BTreeSet<Pair> {
    pairs(recording, APART_ONCE_MS).into_iter().filter(|(first, second)| !chance(&first.0, &second.0)).collect()
}

/// Whether the order of two changes is the chance of the clocks of two parties that wait for nothing of each other. Each
/// rule is a pair of parties, as CNPG 1.30 and Kubernetes have them. What two recordings have in common is held without.
fn chance(first: &Change, second: &Change) -> bool {
    let rules: [fn(&Change, &Change) -> bool; 5] = [
        startup_probes,
        restart_of_a_container,
        first_word_of_a_node,
        operator_and_manager_of_a_primary,
        operator_and_endpoints,
    ];
    rules.iter().any(|rule| rule(first, second) || rule(second, first))
}

/// When an instance is found to have started is its startup probe's to say, every 10 seconds; how far another instance has
/// come by then, and what its own probe has said, is that one's own affair.
fn startup_probes(one: &Change, other: &Change) -> bool {
    let probed = |c: &Change| match c.kind.as_str() {
        "Pod" if matches!(c.what.as_str(), "started=True" | "Ready=True") => Some(c.object.clone()),
        "EndpointSlice" => c.what.strip_suffix("=R").map(str::to_owned),
        // It counts them.
        "Cluster" if c.field() == "ready" => Some(String::new()),
        _ => None,
    };
    let coming_up = |c: &Change| match c.kind.as_str() {
        "Pod" if c.field() == "role" || c.what == "phase=Running" => Some(c.object.clone()),
        "EndpointSlice" => c.what.strip_suffix("=-").map(str::to_owned),
        _ => None,
    };
    let both = (probed(one), probed(other));
    matches!((probed(one), coming_up(other)), (Some(one), Some(other)) if one != other)
        || matches!(both, (Some(one), Some(other)) if one != other && !one.is_empty() && !other.is_empty())
}

/// The operator counts who is ready while the node starts the container again.
fn restart_of_a_container(one: &Change, other: &Change) -> bool {
    one.kind == "Cluster" && one.field() == "ready" && other.kind == "Pod" && other.field() == "restarts"
}

/// A node's first word of a new pod, while the endpoints of another pod follow its new label.
fn first_word_of_a_node(one: &Change, other: &Change) -> bool {
    one.kind == "Pod" && one.what == "Ready=False" && other.kind == "EndpointSlice" && other.field() != one.object
}

/// A primary comes up for the first time, or again: the operator asks it for its timeline and labels it, which the endpoints
/// follow; its manager says that it leads and takes the lease.
fn operator_and_manager_of_a_primary(one: &Change, other: &Change) -> bool {
    let lease = other.kind == "Lease" && other.field() == "holder";
    let leads = other.kind == "Cluster" && other.field() == "current";
    let labelled = one.what == "role=primary" || (one.kind == "EndpointSlice" && one.what.ends_with("=-"));
    // A cluster begins on the first timeline, or out of another's backup on the second.
    let asked = one.kind == "Cluster" && matches!(one.what.as_str(), "tl=1" | "tl=2");
    (asked && (lease || leads)) || (labelled && lease)
}

/// The operator's word on the whole, while the endpoints follow the addresses that a node gives its pods.
fn operator_and_endpoints(one: &Change, other: &Change) -> bool {
    one.kind == "Cluster" && one.field() == "phase" && other.kind == "EndpointSlice" && other.what.ends_with("=-")
}

/// The pairs that hold in both recordings.
pub fn common(a: &[Timed], b: &[Timed]) -> BTreeSet<Pair> {
    pairs(a, APART_MS).intersection(&pairs(b, APART_MS)).cloned().collect()
}

/// Those of the pairs that the lab turned round.
fn broken(wanted: &BTreeSet<Pair>, lab: &[Timed]) -> Vec<String> {
    // What was there when the watches began has no order among itself.
    let places = steps(&changes(lab)).into_iter().zip(lab).zip(1usize..);
    let place: HashMap<Step, usize> = places.map(|((step, (at, _)), i)| (step, if *at == 0 { 0 } else { i })).collect();
    let tell = |(change, n): &Step| format!("{} {} {} ({n})", change.kind, change.object, change.what);
    wanted
        .iter()
        .filter(|(a, b)| matches!((place.get(a), place.get(b)), (Some(a), Some(b)) if a > b))
        .map(|(a, b)| format!("{}  before  {}", tell(a), tell(b)))
        .collect()
}

/// What a story tells otherwise than its recording. All of it is collected, so that one run shows everything.
#[derive(Default)]
pub struct Differences(Vec<String>);

impl Differences {
    /// The objects' fields must go through the same values as in the recording. `but` names what is told otherwise here,
    /// each for a reason given where it is called.
    pub fn values(&mut self, story: &str, lab: &[Timed], recording: &str, but: &[&str]) {
        let (ours, theirs) = (sequences(&changes(lab)), sequences(&changes(&read(recording))));
        for (key, values) in &theirs {
            let told = format!("{} {} {}", key.0, key.1, key.2);
            if !but.iter().any(|b| told.contains(b)) && ours.get(key) != Some(values) {
                self.0.push(format!("{story}: {told}\n   recorded {values:?}\n   lab      {:?}", ours.get(key)));
            }
        }
    }

    /// The order of these pairs must be the lab's too.
    pub fn order(&mut self, story: &str, lab: &[Timed], pairs: &BTreeSet<Pair>) {
        self.0.extend(broken(pairs, lab).into_iter().map(|pair| format!("{story}: order turned round: {pair}")));
    }

    /// This count must end as in the recording and take no value that isn't in it, in no other order. Two instances that come
    /// up side by side may be counted in one look, so it may leave some out.
    pub fn count(&mut self, story: &str, lab: &[Timed], recording: &str, key: [&str; 3]) {
        let key = (key[0].to_owned(), key[1].to_owned(), key[2].to_owned());
        let (mut ours, mut theirs) = (sequences(&changes(lab)), sequences(&changes(&read(recording))));
        let (ours, theirs) = (ours.remove(&key).unwrap_or_default(), theirs.remove(&key).unwrap_or_default());
        let mut left = theirs.iter();
        if ours.last() != theirs.last() || !ours.iter().all(|value| left.any(|recorded| recorded == value)) {
            self.0.push(format!("{story}: {key:?}\n   recorded {theirs:?}\n   lab      {ours:?}"));
        }
    }

    pub fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}
