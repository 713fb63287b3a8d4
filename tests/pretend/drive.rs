//! A surface without a screen, a terminal or a clock: follows a run until it is closed or its process is killed.

use futures::FutureExt;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use howdah::adapters::runs::{Conductor, Ledger};
use howdah::problem::Problem;
use howdah::procedure::{By, Choice, Decision, Entry, Plan, Question, Run, State, Step, Todo, What};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::World;

/// How long a run may be followed before it is called stuck, in looks.
const LOOKS: usize = 3_000;
/// Seconds after which the pretended world stands still.
const IDLE: usize = 5;

/// One process: begins the run, or takes up what `lines` tell of it. `None`: it was killed.
pub fn process(world: &World, plan: &Plan, ledger: Box<dyn Ledger>, lines: &[String], answer: Decision) -> Option<Run> {
    let (told, mut entries) = unbounded_channel();
    let clock = {
        let world = world.clone();
        move || -> Timestamp { world.now() }
    };
    let by = By { user: "ann".into(), host: "laptop".into(), ..By::default() };
    let whose = ("20261121-031500-test".into(), plan.clone(), &by);
    let conductor = Conductor::new(whose, ledger, Arc::new(world.clone()), Arc::new(clock), told);
    let begun: Vec<Entry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let conductor = conductor.after(&begun);
    let first = match begun.is_empty() {
        true => What::Opened { run: "20261121-031500-test".into(), plan: Box::new(plan.clone()), by: by.clone() },
        false => What::Resumed { by: by.clone() },
    };
    conductor.write(first).ok()?;
    let run = match begun.is_empty() {
        true => Run::open(entries.try_recv().unwrap()).unwrap(),
        false => Run::fold(begun).unwrap(),
    };
    follow(world, run, &conductor, &mut entries, answer)
}

fn follow(
    world: &World,
    mut run: Run,
    conductor: &Conductor,
    entries: &mut UnboundedReceiver<Entry>,
    answer: Decision,
) -> Option<Run> {
    let mut busy = BTreeSet::new();
    let mut under_way = FuturesUnordered::new();
    let mut idle = 0;
    for _ in 0..LOOKS {
        while let Ok(entry) = entries.try_recv() {
            run.absorb(entry);
        }
        if run.closed.is_some() {
            return Some(run);
        }
        let todos = {
            let judge = |step: &Step, _| world.judge(&run.plan, step);
            run.next_by(&judge, world.now(), &busy)
        };
        let (mut questions, mut moved) = (Vec::new(), false);
        for todo in todos {
            match todo {
                Todo::Ask(question) => questions.push(question),
                Todo::Write(what) => {
                    conductor.write(what).ok()?;
                    moved = true;
                }
                act => {
                    let step = act.step().unwrap().clone();
                    busy.insert(step.clone());
                    under_way.push(async move { (step, conductor.perform(&act).await) });
                    moved = true;
                }
            }
        }
        match under_way.next().now_or_never() {
            Some(Some((step, ended))) => {
                busy.remove(&step);
                let ended: Result<(), Problem> = ended;
                ended.ok()?;
                moved = true;
            }
            Some(None) => {}
            None => moved = true,
        }
        if world.dead() {
            return None;
        }
        if moved {
            idle = 0;
            continue;
        }
        idle += 1;
        // Whether the run goes on at all is decided last.
        questions.sort_by_key(|q| natural(world, &run, q).is_none());
        match questions.first() {
            // A person answers once nothing else goes on.
            Some(question) if run.wake().is_none() || question.gate.is_some() => {
                conductor.write(question.answer(choice(world, &run, question, answer), None)).ok()?;
            }
            // Whatever the world does, it has done by now; what is left is a deadline.
            _ if idle > IDLE => run.wake().into_iter().for_each(|deadline| world.leap(deadline)),
            _ => world.tick(),
        }
    }
    panic!("it goes on and on: {:#?}", run.entries.iter().rev().take(8).collect::<Vec<_>>());
}

/// Gates are passed; of an interrupted step the most natural answer is given; a person who sees that it was never done has
/// it done; what failed ends the run as `answer` says.
fn choice(world: &World, run: &Run, question: &Question, answer: Decision) -> Choice {
    let wished = Choice::Decide(answer);
    match natural(world, run, question) {
        Some(choice) => choice,
        None if question.choices.contains(&wished) => wished,
        None => Choice::Decide(Decision::Leave),
    }
}

/// Whoever looks knows what to say, whether or not the run shall go on.
fn natural(world: &World, run: &Run, question: &Question) -> Option<Choice> {
    let done = run.plan.step(&question.step).is_none_or(|step| world.was_done(step));
    match run.state(&question.step) {
        _ if question.gate.is_some() => Some(question.choices[0]),
        State::Looked { .. } => Some(question.choices[0]),
        State::Failed { .. } if !done => Some(Choice::Decide(Decision::Retry)),
        _ => None,
    }
}
