//! Every plan, killed at every point: between any two lines of its journal, before and after every act, before and after
//! every look. Taken up again, it comes to the same end, and no act is done twice.

mod pretend;
#[expect(dead_code, reason = "the world of the panes' tests; one cluster of it is used here")]
mod scenario;

use howdah::procedure::{Decision, Outcome, Run, StepId};
use pretend::drive::process;
use pretend::plans::{Case, all};
use pretend::{Memory, Trouble, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a run ended: the outcome, where each step stands, every act, what the world looks like.
#[derive(Debug, PartialEq)]
struct End {
    outcome: Outcome,
    steps: Vec<(StepId, &'static str)>,
    acts: Vec<String>,
    objects: BTreeMap<String, Value>,
    gone: BTreeSet<String>,
}

fn end(run: &Run, world: &World) -> End {
    let (acts, objects, gone) = world.end();
    let steps = run.plan.steps.iter().map(|s| (s.id.clone(), run.state(&s.id).word())).collect();
    End { outcome: run.closed.unwrap().1, steps, acts, objects, gone }
}

/// Follows a plan; each process may do as many things as `lives` says, the last of them as many as it likes.
fn live(
    case: &Case,
    trouble: &Trouble,
    answer: Decision,
    mut lives: impl Iterator<Item = usize>,
) -> (End, usize, usize) {
    let Case { plan, seed, name } = case;
    let world = World::new(plan, seed, trouble.clone());
    let mut processes = 0;
    loop {
        processes += 1;
        world.start(lives.next());
        if let Some(run) = process(&world, plan, Box::new(Memory(world.clone())), &world.lines(), answer) {
            return (end(&run, &world), world.points(), processes);
        }
        assert!(processes < 500, "{name}: it gets no further, however often it is taken up");
    }
}

/// Killed at every point, and killed again and again.
fn survives(case: &Case, trouble: &Trouble, answer: Decision) -> End {
    let name = &case.name;
    let (whole, points, _) = live(case, trouble, answer, std::iter::empty());
    let acts: BTreeSet<_> = whole.acts.iter().collect();
    assert_eq!(acts.len(), whole.acts.len(), "{name}: an act is done twice even when nobody is killed");
    for point in 0..points {
        let (killed, _, processes) = live(case, trouble, answer, std::iter::once(point));
        assert_eq!(processes, 2, "{name}: nobody was killed at point {point} of {points}");
        assert_eq!(killed, whole, "{name}, {trouble:?}: killed at point {point} of {points}");
    }
    // Enough for a step of each kind to come one entry further, and far from enough for the whole.
    for life in [24, 33] {
        let (killed, ..) = live(case, trouble, answer, std::iter::repeat(life));
        assert_eq!(killed, whole, "{name}, {trouble:?}: killed after every {life} things");
    }
    whole
}

#[test]
fn every_plan_survives_being_killed_anywhere() {
    for case in all() {
        let end = survives(&case, &Trouble::Nothing, Decision::Leave);
        assert_eq!(end.outcome, Outcome::Passed, "{}: {:?}", case.name, end.steps);
    }
}

#[test]
fn a_run_may_be_killed_again_while_it_is_taken_up() {
    for case in all().into_iter().take(3) {
        let (whole, points, _) = live(&case, &Trouble::Nothing, Decision::Leave, std::iter::empty());
        for (first, second) in (0..points).flat_map(|first| (0..14).map(move |second| (first, second))) {
            let (killed, ..) = live(&case, &Trouble::Nothing, Decision::Leave, [first, second].into_iter());
            assert_eq!(killed, whole, "{}: killed at point {first}, then at point {second}", case.name);
        }
    }
}

#[test]
fn a_run_that_fails_fails_alike_however_often_it_is_killed() {
    for case in all() {
        for step in case.plan.steps.iter().filter(|s| s.check.is_some()) {
            let undoes = case.plan.steps.iter().any(|s| s.undo.is_some());
            let answers = [Decision::Leave, Decision::Undo];
            for answer in answers.into_iter().take(if undoes { 2 } else { 1 }) {
                let end = survives(&case, &Trouble::Never(step.id.clone()), answer);
                let undone = end.steps.iter().any(|(_, word)| *word == "undone");
                assert!(end.outcome != Outcome::Passed, "{}: {} never came to its end", case.name, step.id);
                assert!(answer == Decision::Undo || !undone, "{}: {:?}", case.name, end.steps);
            }
        }
    }
}

#[test]
fn a_refused_order_ends_alike_however_often_it_is_killed() {
    for case in all() {
        for step in case.plan.steps.iter().filter(|s| s.order.is_some()) {
            let end = survives(&case, &Trouble::Refused(step.id.clone()), Decision::Leave);
            assert!(matches!(end.outcome, Outcome::Refused | Outcome::Failed), "{}: {:?}", case.name, end.outcome);
        }
    }
}

#[test]
fn what_can_be_taken_back_is_taken_back_and_what_cleans_up_cleans_up() {
    let end = survives(&all().remove(0), &Trouble::Never("whole".into()), Decision::Undo);
    let words: Vec<_> = end.steps.iter().map(|(id, word)| format!("{id} {word}")).collect();
    let expected =
        ["cordon-a undone", "cordon-b undone", "evict done", "whole failed", "note undone", "sweep done", "look done"];
    assert_eq!((end.outcome, words), (Outcome::Undone, expected.map(str::to_owned).to_vec()));
}

/// Whatever is refused and wherever it is killed: the scratch cluster and the markers' table are gone, unless their own
/// end was refused.
#[test]
fn a_restore_drill_leaves_nothing() {
    let case = all().pop().unwrap();
    assert_eq!(case.name, "restore drill");
    let whole = survives(&case, &Trouble::Nothing, Decision::Leave);
    let answers = whole.acts.iter().filter(|act| act.contains("trial")).count();
    assert_eq!((whole.outcome, answers, whole.objects.len()), (Outcome::Passed, 4, 1), "{:?}", whole.objects);
    for step in case.plan.steps.iter().filter(|s| s.order.is_some()) {
        let end = survives(&case, &Trouble::Refused(step.id.clone()), Decision::Leave);
        let left = usize::from(step.cleanup);
        assert_eq!(end.objects.len(), 1 + left, "{}: {:?}", step.id, end.objects.keys());
        assert!(end.outcome != Outcome::Passed, "{}", step.id);
    }
}
