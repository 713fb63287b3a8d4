use proptest::prelude::*;
use std::collections::BTreeSet;

use super::{acts, at, opened, order, plan, refused};
use crate::procedure::entry::{Answer, By, Decision, Entry, Found, What};
use crate::procedure::{Gate, Plan, Proof, Run, State, Step, StepId, Todo};

/// Any entry about any step, sensible or not.
fn anything() -> impl Strategy<Value = What> {
    let step = || prop::sample::select(vec!["a", "b", "c", "clean", "nobody"]).prop_map(StepId::from);
    let decision = prop::sample::select(vec![
        Decision::Retry,
        Decision::TakenAsDone,
        Decision::Skip,
        Decision::Wait,
        Decision::Undo,
        Decision::Leave,
    ]);
    let found = prop::sample::select(vec![Found::NotDone, Found::Done("x".into()), Found::CantTell("y".into())]);
    prop_oneof![
        step().prop_map(|step| What::Granted { step, how: "yes".into() }),
        step().prop_map(|step| What::Began { step, request: None }),
        step().prop_map(|step| What::Accepted { step, answer: Answer::Done }),
        step().prop_map(|step| What::Refused { step, problem: refused() }),
        step().prop_map(|step| What::Proven { step, evidence: vec![] }),
        step().prop_map(|step| What::Failed { step, problem: refused() }),
        (step(), any::<bool>(), found).prop_map(|(step, undo, found)| What::Found { step, undo, found }),
        (step(), decision).prop_map(|(step, decision)| What::Decided { step, decision, reason: None }),
        step().prop_map(|step| What::UndoBegan { step, request: order("x").request() }),
        step().prop_map(|step| What::Undone { step, problem: None }),
        any::<bool>().prop_map(|undo| What::Aborted { undo }),
        Just(What::Resumed { by: By::default() }),
    ]
}

fn some_plan() -> Plan {
    plan(vec![
        acts("a").gated(Gate::Approve).undone_by(order("una")),
        acts("b").undone_by(order("unb")),
        acts("c").after(&["a", "b"]),
        acts("clean").after(&["a"]).cleans_up(),
    ])
}

proptest! {
    /// Any prefix of any journal folds, from disk as in memory, and says the same thing twice.
    #[test]
    fn any_journal_folds(whats in prop::collection::vec(anything(), 0..40), seen in any::<u8>()) {
        let mut run = opened(&some_plan());
        let judge = |step: &Step, _| match (seen >> (step.id.as_str().len() % 8)) & 1 {
            1 => Proof::Yes(vec![]),
            _ => Proof::NotYet("no".into()),
        };
        for (n, what) in whats.into_iter().enumerate() {
            run.absorb(Entry { at: at(n as i64 + 2), what });
            let lines: Vec<String> = run.entries.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
            let again = Run::fold(lines.iter().map(|l| serde_json::from_str(l).unwrap())).unwrap();
            prop_assert_eq!(&again, &run);
            let now = at(n as i64 + 3);
            let todos = run.next_by(&judge, now, &BTreeSet::new());
            prop_assert_eq!(&again.next_by(&judge, now, &BTreeSet::new()), &todos);
            let steps: Vec<_> = todos.iter().filter_map(Todo::step).collect();
            prop_assert_eq!(steps.iter().collect::<BTreeSet<_>>().len(), steps.len(), "one thing of a step at a time");
            for todo in &todos {
                if let Todo::Perform { step, .. } = todo {
                    let step = run.plan.step(step).unwrap();
                    // A journal may have begun what its needs don't allow; nothing new begins so.
                    let before = run.progress(&step.id).is_some_and(|p| p.began.is_some());
                    prop_assert!(step.cleanup || before || step.needs.iter().all(|need| run.state(need).well()));
                    let begun = matches!(run.state(&step.id), State::Began { .. });
                    prop_assert!(step.cleanup || run.aborted.is_none() || begun);
                }
            }
        }
    }

    /// Whatever the world answers and a person decides, a run comes to an end.
    #[test]
    fn any_run_ends(answers in prop::collection::vec(any::<u8>(), 200)) {
        let mut run = opened(&some_plan());
        let mut entries: Vec<What> = Vec::new();
        for (n, answer) in answers.iter().enumerate() {
            let judge = |_: &Step, _| if answer & 1 == 0 { Proof::Yes(vec![]) } else { Proof::NotYet("no".into()) };
            // Time leaps past every deadline.
            let now = at(100 * (n as i64 + 1));
            let Some(todo) = run.next_by(&judge, now, &BTreeSet::new()).into_iter().next() else { break };
            let whats = match todo {
                Todo::Write(what) => vec![what],
                Todo::Perform { step, .. } => vec![
                    What::Began { step: step.clone(), request: None },
                    if answer & 2 == 0 { What::Accepted { step, answer: Answer::Done } } else { What::Refused { step, problem: refused() } },
                ],
                Todo::Find { step, undo } => vec![What::Found { step, undo, found: Found::NotDone }],
                Todo::TakeBack { step } => vec![What::Undone { step, problem: None }],
                Todo::Revive { step } => vec![What::Revived { step, problem: None }],
                // The last choice always ends it.
                Todo::Ask(q) => vec![q.answer(q.choices[usize::from(*answer >> 2) % q.choices.len()], None)],
            };
            for what in whats {
                entries.push(what.clone());
                run.absorb(Entry { at: now, what });
            }
        }
        // Who always says "once more" to what is always refused goes on for ever; nobody else does.
        let retried = entries.iter().filter(|w| matches!(w, What::Decided { decision: Decision::Retry | Decision::Wait, .. })).count();
        prop_assert!(run.closed.is_some() || retried > 20, "{:?}", entries);
    }
}
