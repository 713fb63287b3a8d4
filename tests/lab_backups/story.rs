//! What happens to backups, as kubectl's watches tell it, in the one order that the resource versions give.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::support::site::NS;
use crate::support::watches::Watches;
use crate::support::world::Kubectl;

/// Two steps closer than this in a recording are writes of two parties, or reached the recorder by two ways: no order that
/// anybody keeps.
const APART_MS: i64 = 10;

/// A step: which kind of object, and what of it.
pub type Step = (String, String);

/// Running watches.
pub struct Story {
    watches: Watches,
}

impl Story {
    /// Watches from now on.
    pub fn begin(kubectl: &Kubectl) -> Story {
        let group = format!("/apis/postgresql.cnpg.io/v1/namespaces/{NS}");
        let paths = [
            format!("{group}/backups"),
            format!("{group}/scheduledbackups"),
            format!("{group}/clusters"),
            format!("/api/v1/namespaces/{NS}/events"),
        ];
        Story { watches: Watches::begin(kubectl, &paths) }
    }

    /// All watches have told what was there when they began.
    pub fn is_ready(&self) -> bool {
        self.watches.caught_up()
    }

    /// The newest resource version seen.
    pub fn now(&self) -> u64 {
        self.watches.now()
    }

    /// The steps after `since`, of the Backups whose names begin with `backup` and what they have to do with.
    pub fn steps(&self, since: u64, backup: &str) -> Vec<Step> {
        let mut known: HashMap<(String, String), BTreeMap<String, String>> = HashMap::new();
        let mut told = Vec::new();
        for (version, (_, event)) in self.watches.seen() {
            let object = &event["object"];
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let kind = object["kind"].as_str().unwrap_or_default();
            if kind == "Event" {
                let about = &object["involvedObject"];
                if version > since && about["name"].as_str().is_some_and(|name| name.starts_with(backup)) {
                    let words = [&about["kind"], &object["reason"], &object["source"]["component"]];
                    let words: Vec<&str> = words.iter().filter_map(|w| w.as_str()).collect();
                    told.push((kind.to_owned(), words.join(" ")));
                }
                continue;
            }
            let fresh = fields(kind, object);
            let before = known.insert((kind.to_owned(), name.to_owned()), fresh.clone());
            if version <= since || (kind != "Cluster" && !name.starts_with(backup)) {
                continue;
            }
            if event["type"] == "DELETED" {
                told.push((kind.to_owned(), "deleted".to_owned()));
                continue;
            }
            if before.is_none() && event["type"] == "ADDED" {
                told.push((kind.to_owned(), "added".to_owned()));
            }
            for (field, value) in &fresh {
                if before.as_ref().and_then(|b| b.get(field)) != Some(value) {
                    told.push((kind.to_owned(), if field.is_empty() { value.clone() } else { field.clone() }));
                }
            }
        }
        told
    }
}

/// What is looked at of an object: under a name, only that it changed; under none, its value too.
fn fields(kind: &str, object: &Value) -> BTreeMap<String, String> {
    let status = &object["status"];
    let mut out = BTreeMap::new();
    let mut changed = |field: &str| {
        if !status[field].is_null() {
            out.insert(field.to_owned(), status[field].to_string());
        }
    };
    let told = match kind {
        "Backup" => {
            changed("majorVersion");
            status["phase"].as_str().map(|phase| format!("phase={phase}"))
        }
        "ScheduledBackup" => {
            changed("nextScheduleTime");
            None
        }
        _ => {
            changed("lastSuccessfulBackup");
            changed("lastFailedBackup");
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let last = conditions.into_iter().find(|c| c["type"] == "LastBackupSucceeded");
            last.map(|c| {
                let word = |key: &str| c[key].as_str().unwrap_or_default().to_owned();
                format!("LastBackupSucceeded={}/{}", word("status"), word("reason"))
            })
        }
    };
    out.extend(told.map(|told| (String::new(), told)));
    out
}

/// Each step with its number among the same ones.
fn numbered(steps: &[Step]) -> Vec<(Step, usize)> {
    let mut count: HashMap<&Step, usize> = HashMap::new();
    let number = |step| {
        let n = count.entry(step).or_default();
        *n += 1;
        (step.clone(), *n)
    };
    steps.iter().map(number).collect()
}

/// Whether the schedule's controller does it, after it has made the Backup that others go on with: they wait for nothing of
/// each other.
fn is_schedules(step: &Step) -> bool {
    step.0 == "ScheduledBackup" || step.1.starts_with("ScheduledBackup ")
}

fn is_kept(first: &Step, second: &Step) -> bool {
    is_schedules(first) == is_schedules(second) || second.1 == "added" || first.1 == "added"
}

/// The lab told exactly the recording's steps, and turned none of them round.
pub fn hold(what: &str, lab: &[Step], recording: &str) {
    let timed: Vec<(i64, Step)> = recording
        .lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let at = parts.next().unwrap().parse().unwrap();
            (at, (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned()))
        })
        .collect();
    let recorded: Vec<Step> = timed.iter().map(|(_, step)| step.clone()).collect();
    let (ours, theirs) = (numbered(lab), numbered(&recorded));
    let sorted = |steps: &[(Step, usize)]| {
        let mut steps = steps.to_vec();
        steps.sort();
        steps
    };
    assert_eq!(sorted(&ours), sorted(&theirs), "{what}: other steps than recorded; in order {lab:#?}");
    let place = |step| ours.iter().position(|s| s == step).unwrap();
    for (i, (at, _)) in timed.iter().enumerate() {
        for (j, (then, _)) in timed.iter().enumerate().skip(i + 1).filter(|(_, (then, _))| then - at >= APART_MS) {
            assert!(
                !is_kept(&recorded[i], &recorded[j]) || place(&theirs[i]) < place(&theirs[j]),
                "{what}: recorded {:?} {} ms before {:?}, in the lab after it: {lab:#?}",
                theirs[i],
                then - at,
                theirs[j]
            );
        }
    }
}
