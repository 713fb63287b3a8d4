//! What a frame, an answer and a second cost when the model holds a thousand clusters.

use howdah::app::{Msg, update, view};
use howdah::domain::cluster::Role;
use howdah::domain::detail::News;
use howdah::domain::event::{Happening, Transition, What};
use howdah::domain::facts::Fact;
use howdah::domain::names::ClusterKey;
use howdah::domain::source::{SourceHealth, SourceId, SourceState};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;

use super::measure::{Times, line, timed};
use super::scenario::play::Play;
use super::{SIZE, scenario};

const CLUSTERS: usize = 1_000;
const INSTANCES: u8 = 10;
const FRAMES: usize = 240;

pub fn run() {
    println!("frames of {}x{}: {CLUSTERS} clusters of {INSTANCES} instances, after a change each", SIZE.0, SIZE.1);
    let mut play = Play::empty(SIZE);
    play.send(Msg::Facts(scenario::fresh()));
    for n in 0..CLUSTERS {
        play.send(Msg::Facts(cluster(n)));
    }
    happenings(&mut play);
    play.send(Msg::Clock(scenario::now()));
    play.messages.clear();
    for (name, key) in [("Fleet", "1"), ("Topology", "2"), ("Replication", "3"), ("Events", "7")] {
        frames(&mut play, name, key);
    }
    println!("messages with as many clusters");
    facts(&mut play);
    ticks(&mut play);
}

fn key(n: usize) -> ClusterKey {
    scenario::key(&format!("team-{:02}", n % 40), &format!("pg-{n:04}"))
}

/// A primary's answer of its `n`th second.
fn answer(cluster: usize, n: usize) -> Fact {
    let mut lead = scenario::leading(&format!("1/{:X}", 0x900_0060 + n * 4096), 2);
    lead.connections = Some((n as u32 % 400, 400));
    scenario::sql(&key(cluster), &format!("pg-{cluster:04}-1"), 600 - (n as i64 % 600), lead)
}

/// Five thousand entries of the timeline, of all clusters in turn.
fn happenings(play: &mut Play) {
    let news = (0..5_000).map(|n| {
        let what = match n % 2 {
            0 => What::Transition(Transition::Appeared),
            _ => What::Notice { text: format!("notice number {n}"), warning: n % 4 == 1 },
        };
        let at = scenario::ago(6_000 - n as i64);
        News::Happening(Happening { at, context: scenario::CONTEXT.into(), cluster: Some(key(n % CLUSTERS)), what })
    });
    play.send(Msg::News(news.collect()));
}

fn frames(play: &mut Play, name: &str, pane: &str) {
    play.keys(pane);
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let (mut now, mut before) = (Buffer::empty(area), Buffer::empty(area));
    let mut cells = 0;
    let times: Times = (0..FRAMES)
        .map(|n| {
            update(&mut play.model, Msg::Facts((0..20).map(|c| answer(c, n)).collect()));
            let chosen = play.model.chosen().cloned();
            if let Some(chosen) = chosen {
                let lead = scenario::leading(&format!("1/{:X}", 0x900_0060 + n * 4096), 2);
                let fact = scenario::sql(&chosen, &format!("{}-1", chosen.name), 0, lead);
                update(&mut play.model, Msg::Facts(vec![fact]));
            }
            play.wait(1);
            timed(|| {
                std::mem::swap(&mut now, &mut before);
                now.reset();
                view(&play.model, &mut now);
                cells += before.diff(&now).len();
            })
        })
        .collect();
    line(name, format!("{}, {} cells change", times.words(), cells / FRAMES), "1.5 ms");
}

/// 10,000 answers of instances in thirty batches, as a second of a busy world brings them, with a key after each.
fn facts(play: &mut Play) {
    play.keys("1");
    let answers: Vec<Fact> = (0..10_000).map(|n| answer(n % CLUSTERS, n)).collect();
    let (mut keys, mut batches) = (Times::default(), Times::default());
    for batch in answers.chunks(334) {
        let batch = Msg::Facts(batch.to_vec());
        batches.add(timed(|| drop(update(&mut play.model, batch))));
        keys.add(timed(|| {
            play.keys("down");
        }));
    }
    line("334 of 10,000 answers", batches.words(), "33 ms");
    line("a key", keys.words(), "");
    let whole = timed(|| drop(update(&mut play.model, Msg::Facts(answers))));
    line("10,000 answers in one message", format!("{whole:.2?}"), "");
}

fn ticks(play: &mut Play) {
    let second = |_| {
        timed(|| {
            play.wait(1);
        })
    };
    let times: Times = (1..=60).map(second).collect();
    line("a second that passes", times.words(), "");
}

fn cluster(n: usize) -> Vec<Fact> {
    let key = key(n);
    let mut c = scenario::three(key.clone(), 1);
    c.wanted = Some(INSTANCES.into());
    c.ready = Some(INSTANCES.into());
    c.instances = (1..=INSTANCES)
        .map(|i| {
            let role = if i == 1 { Role::Primary } else { Role::Replica };
            scenario::instance(&format!("{}-{i}", key.name), (i - 1) % 3 + 1, role, "postgres")
        })
        .collect();
    let live = |id| Fact::Source(id, SourceHealth { state: SourceState::Live, proven: Some(scenario::ago(1)) });
    vec![
        Fact::Cluster(Arc::new(c)),
        live(SourceId::Sql(key.clone())),
        live(SourceId::Status(key.clone())),
        scenario::sql(&key, &format!("{}-1", key.name), 1, scenario::leading("1/9000060", 2)),
    ]
}
