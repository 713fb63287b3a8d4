//! Playing a recording and holding its verdicts against a table.

use howdah::adapters::playback::{Player, Recording, Told};
use howdah::domain::detail::News;
use howdah::domain::event::{Happening, Transition, What};
use howdah::domain::facts::Facts;
use howdah::domain::health::{Health, Level, Limits, ReasonCode, Verdict, judge};
use howdah::domain::history::Histories;
use howdah::domain::names::{ClusterKey, InstanceName};
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
        Transition::Streaming { instance, streaming } => format!("{instance} streams {streaming}"),
        _ => return None,
    })
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
