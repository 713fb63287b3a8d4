//! Playing a recording and holding its verdicts against a table.

use howdah::adapters::playback::{Player, Recording, Told};
use howdah::domain::detail::News;
use howdah::domain::event::{Happening, Transition, What};
use howdah::domain::facts::Facts;
use howdah::domain::health::{Health, Level, Limits, ReasonCode, Verdict, judge};
use howdah::domain::history::Histories;
use howdah::domain::names::{ClusterKey, InstanceName};
use howdah::procedure::What as Entry;
use howdah::procedure::drill::{Mark, Observer, Phases, Seen};
use std::path::Path;

/// A row of a table: what is expected from this millisecond until the next row.
pub struct Expected {
    /// Milliseconds after the first action.
    pub from: i64,
    /// The verdict's level.
    pub level: Level,
    /// A reason of that level, and its witness. `None`: no reason above ok.
    pub because: Option<(ReasonCode, &'static str)>,
}

/// How often it is judged.
const EVERY: i64 = 100;

/// Plays `recording` and calls `look` with the cluster's verdicts every 100 ms, once anything is known of it.
pub fn judged(recording: &str, cluster: &str, mut look: impl FnMut(i64, &Health)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(recording);
    let recording = Recording::read(&folder).unwrap_or_else(|problem| panic!("{problem}"));
    let key = ClusterKey::new("recorded", "pg", cluster);
    let end = recording.steps.last().map_or(0, |s| s.at.duration_since(recording.epoch).as_millis() as i64);
    let times: Vec<_> = (-5000..=end + 1000).step_by(EVERY as usize).map(|ms| (ms, recording.at(ms))).collect();
    let mut player = Player::new(recording, key.context.clone());
    let (mut facts, mut histories) = (Facts::default(), Histories::default());
    for (ms, now) in times {
        for (at, told) in player.advance(now) {
            if let Told::Fact(fact) = told {
                facts.absorb(fact.clone());
                histories.observe(&facts, &fact, at);
            }
        }
        if let Some(c) = facts.clusters.get(&key) {
            look(ms, &judge(&facts, c, histories.of(&key), &Limits::default(), now));
        }
    }
}

/// Every transition of the cluster that is told while `recording` plays, in order, short.
pub fn story(recording: &str, cluster: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(recording);
    let recording = Recording::read(&folder).unwrap_or_else(|problem| panic!("{problem}"));
    let key = ClusterKey::new("recorded", "pg", cluster);
    let end = recording.steps.last().map_or(recording.epoch, |s| s.at);
    let told = Player::new(recording, key.context.clone()).advance(end);
    let transition = |told: Told| match told {
        Told::News(News::Happening(Happening { cluster, what: What::Transition(t), .. }))
            if cluster.as_ref() == Some(&key) =>
        {
            Some(t)
        }
        _ => None,
    };
    told.into_iter().filter_map(|(_, told)| transition(told)).filter_map(|t| short(&t)).collect()
}

fn short(transition: &Transition) -> Option<String> {
    let name = |n: &Option<InstanceName>| n.as_ref().map_or("nobody".to_owned(), ToString::to_string);
    Some(match transition {
        Transition::Phase { to, .. } => format!("phase {}", to.as_deref().unwrap_or("none")),
        Transition::Target { to, .. } => format!("target {}", to.as_deref().unwrap_or("none")),
        Transition::Lease { to, .. } => format!("lease {}", name(to)),
        Transition::Primary { to, .. } => format!("primary {}", name(to)),
        Transition::Timeline { to, .. } => format!("timeline {}", to.unwrap_or(0)),
        Transition::ReadWrite { to, .. } => {
            format!("writes {}", to.first().map_or("nowhere".into(), ToString::to_string))
        }
        Transition::Pod { instance, change } => format!("pod {instance} {change}"),
        Transition::Job { attempt, why, .. } => format!("attempt {attempt} failed: {why}"),
        Transition::Backup { phase, failing, .. } => format!("backup {phase}{}", if *failing { "!" } else { "" }),
        Transition::Streaming { instance, streaming } => format!("{instance} streams {streaming}"),
        _ => return None,
    })
}

/// At each of these moments a reason of this code must say these words.
pub fn says(recording: &str, cluster: &str, code: ReasonCode, words: &[(i64, &str)]) {
    let mut open: Vec<_> = words.to_vec();
    judged(recording, cluster, |ms, health| {
        let Some(at) = open.iter().position(|(from, _)| *from <= ms) else { return };
        let (_, wanted) = open.remove(at);
        let said: Vec<_> = health.reasons().filter(|r| r.code == code).map(|r| r.text.as_str()).collect();
        assert!(said.iter().any(|t| t.contains(wanted)), "{recording} at {ms} ms: {said:?} does not say {wanted:?}");
    });
    assert!(open.is_empty(), "{recording}: never came to {open:?}");
}

fn about<'h>(health: &'h Health, which: &str) -> &'h Verdict {
    match which {
        "availability" => &health.availability,
        "recoverability" => &health.recoverability,
        other => panic!("no such verdict: {other}"),
    }
}

fn told(verdict: &Verdict) -> String {
    let line =
        |r: &howdah::domain::health::Reason| format!("  {} {:?} [{}] {}", r.level.word(), r.code, r.witness, r.text);
    verdict.reasons.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Every moment from the first row on must be as its row says.
pub fn expect(recording: &str, cluster: &str, which: &str, table: &[Expected]) {
    let mut judged_rows = vec![0u32; table.len()];
    let mut wrong = Vec::new();
    judged(recording, cluster, |ms, health| {
        let Some(i) = table.iter().rposition(|row| row.from <= ms) else { return };
        judged_rows[i] += 1;
        let (row, verdict) = (&table[i], about(health, which));
        let worst = |r: &&howdah::domain::health::Reason| r.level == row.level;
        let reasoned = match row.because {
            Some((code, by)) => {
                verdict.reasons.iter().filter(worst).any(|r| r.code == code && r.witness.to_string() == by)
            }
            None => verdict.reasons.iter().all(|r| r.level == Level::Ok),
        };
        if verdict.level != row.level || !reasoned {
            wrong.push(format!(
                "{recording} at {ms} ms: {which} of {cluster} should be {} because {:?}, and is {}:\n{}",
                row.level.word(),
                row.because,
                verdict.level.word(),
                told(verdict)
            ));
        }
    });
    assert!(judged_rows.iter().all(|n| *n > 0), "{recording}: rows nobody came to: {judged_rows:?}");
    assert!(wrong.is_empty(), "{} moments are wrong, the first:\n{}", wrong.len(), wrong[0]);
}

/// At no moment may the verdict be `level`.
pub fn nothing(recording: &str, cluster: &str, which: &str, level: Level) {
    let mut moments = 0;
    judged(recording, cluster, |ms, health| {
        moments += 1;
        let verdict = about(health, which);
        assert!(verdict.level != level, "{recording} at {ms} ms: {which} is {}\n{}", level.word(), told(verdict));
    });
    assert!(moments > 0, "{recording}: {cluster} was never seen");
}

/// The phases of what was done at the recording's zero, as a drill would have read them: milliseconds after it for
/// detected, elected and promoted, and who led then.
pub fn phases(recording: &str, cluster: &str) -> ([Option<i64>; 3], String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(recording);
    let recording = Recording::read(&folder).unwrap_or_else(|problem| panic!("{problem}"));
    let (key, zero) = (ClusterKey::new("recorded", "pg", cluster), recording.at(0));
    let end = recording.steps.last().map_or(recording.epoch, |s| s.at);
    let mut player = Player::new(recording, key.context.clone());
    let mut facts = Facts::default();
    for (_, told) in player.advance(zero) {
        if let Told::Fact(fact) = told {
            facts.absorb(fact);
        }
    }
    let mut observer = Observer::of(&facts, &facts.clusters[&key]);
    let leader = observer.leader().cloned();
    let mut entries = Vec::new();
    for (_, told) in player.advance(end) {
        match told {
            Told::Fact(fact) => {
                facts.absorb(fact);
                entries.extend(observer.look(&facts));
            }
            Told::News(News::Happening(happening)) => entries.extend(observer.hear(&happening)),
            Told::News(_) => {}
        }
    }
    let marks: Vec<Seen<'_>> = entries
        .iter()
        .filter_map(|e| match e {
            Entry::Observed { mark, seen, text } => Some(Seen { mark: Mark::named(mark)?, at: *seen, text }),
            _ => None,
        })
        .collect();
    let phases = Phases::of(zero, leader.as_ref(), &marks);
    let after = |at: Option<jiff::Timestamp>| at.map(|at| at.duration_since(zero).as_millis() as i64);
    let led = phases.leader.as_ref().map(ToString::to_string).unwrap_or_default();
    ([after(phases.detected), after(phases.elected), after(phases.promoted)], led)
}
