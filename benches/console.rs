//! What the console costs with a thousand clusters: frames, facts, ticks, memory. Numbers for a report; nothing is
//! asserted, because machines differ.

#[expect(dead_code, reason = "a part of the world is enough here")]
#[path = "../tests/scenario/mod.rs"]
mod scenario;

use howdah::app::{Msg, update, view};
use howdah::domain::cluster::Role;
use howdah::domain::facts::Fact;
use howdah::domain::source::{SourceHealth, SourceId, SourceState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use scenario::play::Play;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CLUSTERS: usize = 1_000;
const INSTANCES: u8 = 10;
const SIZE: (u16, u16) = (200, 60);

fn main() {
    let mut play = Play::empty(SIZE);
    let started = Instant::now();
    for n in 0..CLUSTERS {
        play.send(Msg::Facts(cluster(n)));
    }
    println!(
        "{CLUSTERS} clusters, {} pods learned one by one in {:.0?}",
        CLUSTERS * usize::from(INSTANCES),
        started.elapsed()
    );
    play.send(Msg::Clock(scenario::now()));
    play.messages.clear();
    frames(&mut play, "fleet", "1");
    frames(&mut play, "topology", "2");
    frames(&mut play, "replication", "3");
    frames(&mut play, "events", "4");
    facts(&mut play);
    ticks(&mut play);
    if let Some(kb) = resident() {
        println!("resident {} MB", kb / 1024);
    }
}

fn frames(play: &mut Play, name: &str, keys: &str) {
    play.keys(keys);
    let mut buf = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    let times = (0..200).map(|_| {
        timed(|| {
            buf.reset();
            view(&play.model, &mut buf);
        })
    });
    println!("{name}: a {}x{} frame takes {:.2?} (median of 200)", SIZE.0, SIZE.1, median(times.collect()));
}

/// 10,000 answers of instances in thirty batches, as a second of a busy world brings them, with a key after each.
fn facts(play: &mut Play) {
    play.keys("1");
    let answers: Vec<Fact> = (0..10_000)
        .map(|n| {
            let key = scenario::key(&format!("team-{:02}", n % CLUSTERS % 40), &format!("pg-{:04}", n % CLUSTERS));
            let mut lead = scenario::leading("1/9000060", 2);
            lead.connections = Some((n as u32 % 400, 400));
            scenario::sql(&key, &format!("pg-{:04}-1", n % CLUSTERS), 1, lead)
        })
        .collect();
    let mut keys = Vec::new();
    let started = Instant::now();
    for batch in answers.chunks(334) {
        update(&mut play.model, Msg::Facts(batch.to_vec()));
        keys.push(timed(|| {
            play.keys("down");
        }));
    }
    println!(
        "10,000 facts in 30 batches take {:.0?}; a key between them {:.2?} (median)",
        started.elapsed(),
        median(keys)
    );
}

fn ticks(play: &mut Play) {
    let times = (1..=60).map(|_| {
        timed(|| {
            play.wait(1);
        })
    });
    println!("a second that passes takes {:.2?} (median of 60)", median(times.collect()));
}

fn cluster(n: usize) -> Vec<Fact> {
    let name = format!("pg-{n:04}");
    let key = scenario::key(&format!("team-{:02}", n % 40), &name);
    let mut c = scenario::three(key.clone(), 1);
    c.wanted = Some(INSTANCES.into());
    c.ready = Some(INSTANCES.into());
    c.instances = (1..=INSTANCES)
        .map(|i| {
            let role = if i == 1 { Role::Primary } else { Role::Replica };
            scenario::instance(&format!("{name}-{i}"), (i - 1) % 3 + 1, role, "postgres")
        })
        .collect();
    let live = |id| Fact::Source(id, SourceHealth { state: SourceState::Live, proven: Some(scenario::ago(1)) });
    vec![
        live(SourceId::Kubernetes(scenario::CONTEXT.into())),
        Fact::Cluster(Arc::new(c)),
        live(SourceId::Sql(key.clone())),
        live(SourceId::Status(key.clone())),
        scenario::sql(&key, &format!("{name}-1"), 1, scenario::leading("1/9000060", 2)),
    ]
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Kilobytes this process holds in memory, where the system says so.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
