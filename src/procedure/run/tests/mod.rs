//! The rules of a run, one test each; `any` for journals that nobody thought of.

mod any;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;

use super::super::check::{Check, Proof};
use super::super::entry::{Answer, By, Decision, Entry, Found, Outcome, What};
use super::super::heartbeat::Heartbeat;
use super::super::order::{Delete, Order, Target};
use super::super::plan::{Gate, Plan, Step};
use super::{Choice, Run, State, Todo};
use crate::domain::detail::ObjectRef;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn order(name: &str) -> Order {
    let object = ObjectRef {
        context: "aks".into(),
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: "pg".into(),
        name: name.into(),
    };
    let target = Target { object, plural: "pods".into(), subresource: None };
    Order::Delete(Delete { target, uid: format!("uid-{name}"), grace: None })
}

fn beat() -> Heartbeat {
    Heartbeat {
        cluster: ClusterKey::new("aks", "pg", "orders"),
        database: "app".into(),
        table: "howdah_drill_1".into(),
        writers: 1,
        every: SignedDuration::from_millis(100),
        readers: 0,
        patience: SignedDuration::from_secs(1),
        commit: None,
        keep: false,
    }
}

fn step(id: &str) -> Step {
    Step::new(id, id, "")
}

fn acts(id: &str) -> Step {
    step(id).does(order(id)).proven_by(Check::Settled, SignedDuration::from_secs(10))
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { steps, ..serde_json::from_value(json!({
        "kind": "switchover", "cluster": {"context": "aks", "namespace": "pg", "name": "orders"}, "title": "t",
        "made": at(0), "parameters": {}, "findings": [], "candidates": [], "premise": {"uid": "", "values": {}}, "steps": []
    })).unwrap() }
}

fn opened(plan: &Plan) -> Run {
    let what = What::Opened { run: "r".into(), plan: Box::new(plan.clone()), by: By::default() };
    Run::open(Entry { at: at(1), what }).unwrap()
}

/// A run, and what it is told; the check holds of those steps.
struct Told {
    run: Run,
    second: i64,
    holds: BTreeSet<&'static str>,
    never: BTreeSet<&'static str>,
}

impl Told {
    fn new(steps: Vec<Step>) -> Told {
        Told { run: opened(&plan(steps)), second: 1, holds: BTreeSet::new(), never: BTreeSet::new() }
    }

    fn tell(&mut self, what: What) -> &mut Told {
        self.second += 1;
        self.run.absorb(Entry { at: at(self.second), what });
        self
    }

    fn began(&mut self, step: &str) -> &mut Told {
        self.tell(What::Began { step: step.into(), request: None })
    }

    fn accepted(&mut self, step: &str) -> &mut Told {
        self.began(step).tell(What::Accepted { step: step.into(), answer: Answer::Done })
    }

    fn proven(&mut self, step: &str) -> &mut Told {
        self.accepted(step).tell(What::Proven { step: step.into(), evidence: vec!["seen".into()] })
    }

    fn decided(&mut self, step: &str, decision: Decision) -> &mut Told {
        self.tell(What::Decided { step: step.into(), decision, reason: None })
    }

    fn next_at(&self, second: i64, busy: &[&str]) -> Vec<Todo> {
        let judge = |step: &Step, _| match step.id.as_str() {
            id if self.holds.contains(id) => Proof::Yes(vec!["seen".into()]),
            id if self.never.contains(id) => Proof::Never("gone".into()),
            _ => Proof::NotYet("not seen".into()),
        };
        self.run.next_by(&judge, at(second), &busy.iter().map(|id| (*id).into()).collect())
    }

    fn next(&self) -> Vec<Todo> {
        self.next_at(self.second, &[])
    }

    /// Each todo in a word.
    fn words(&self) -> Vec<String> {
        self.next().iter().map(word).collect()
    }
}

fn word(todo: &Todo) -> String {
    match todo {
        Todo::Perform { step, premise: true } => format!("first {step}"),
        Todo::Perform { step, premise: false } => format!("do {step}"),
        Todo::Find { step, undo: false } => format!("find {step}"),
        Todo::Find { step, undo: true } => format!("find undo {step}"),
        Todo::TakeBack { step } => format!("undo {step}"),
        Todo::Revive { step } => format!("revive {step}"),
        Todo::Write(What::Proven { step, .. }) => format!("proven {step}"),
        Todo::Write(What::Failed { step, .. }) => format!("failed {step}"),
        Todo::Write(What::Began { step, .. }) => format!("await {step}"),
        Todo::Write(What::Undone { step, .. }) => format!("kept {step}"),
        Todo::Write(What::Closed { outcome }) => format!("close {}", outcome.word()),
        Todo::Write(other) => format!("{other:?}"),
        Todo::Ask(question) => {
            let letters: String = question.choices.iter().map(|c| c.letter()).collect();
            format!("ask {} {letters}", question.step)
        }
    }
}

fn only(mut todos: Vec<Todo>) -> Todo {
    assert_eq!(todos.len(), 1, "{todos:?}");
    todos.remove(0)
}

fn refused() -> Problem {
    Problem::refused("no")
}

#[test]
fn steps_run_side_by_side_where_needs_allow() {
    let mut t = Told::new(vec![acts("a"), acts("b"), acts("c").after(&["a", "b"])]);
    assert_eq!(t.words(), ["first a"], "the first change goes alone");
    t.began("a");
    assert_eq!(t.next_at(2, &["a"]), [], "what is under way is not said twice");
    t.tell(What::Accepted { step: "a".into(), answer: Answer::Done });
    assert_eq!(t.words(), ["do b"], "the cluster was changed: the premise is asked no more, and nobody waits");
    t.proven("a");
    assert_eq!(t.run.state(&"c".into()), State::Waiting);
    t.proven("b");
    assert_eq!(t.words(), ["do c"]);
    assert_eq!(t.proven("c").words(), ["close passed"]);
    t.tell(What::Closed { outcome: Outcome::Passed });
    assert_eq!(t.next(), []);
}

#[test]
fn a_gate_waits_for_a_person() {
    let mut t = Told::new(vec![acts("a").gated(Gate::TypeName("orders".into()))]);
    assert_eq!(t.run.state(&"a".into()), State::AtGate);
    let Todo::Ask(question) = only(t.next()) else { panic!() };
    assert_eq!((question.gate.clone(), question.choices[0]), (Some(Gate::TypeName("orders".into())), Choice::Grant));
    t.tell(question.answer(Choice::Grant, Some("typed orders".into())));
    assert_eq!(t.words(), ["first a"]);
    let mut no = Told::new(vec![acts("a").gated(Gate::Approve)]);
    no.tell(question.answer(Choice::Decide(Decision::Leave), None));
    assert_eq!(no.words(), ["close refused"], "nothing was ever sent");
}

#[test]
fn between_accepted_and_proven_there_is_a_deadline() {
    let mut t = Told::new(vec![acts("a")]);
    t.accepted("a");
    let State::Proving { since, until } = t.run.state(&"a".into()) else { panic!() };
    assert_eq!(
        (since, until, t.run.wake()),
        (at(2), at(13), Some(at(13))),
        "facts count from its start, time from the answer"
    );
    assert_eq!(t.next_at(12, &[]), []);
    let Todo::Write(What::Failed { problem, .. }) = only(t.next_at(13, &[])) else { panic!() };
    assert_eq!(problem.because.as_deref(), Some("after 10s: not seen"));
    t.holds.insert("a");
    assert_eq!(t.words(), ["proven a"]);
    t.holds.clear();
    t.never.insert("a");
    assert_eq!(t.words(), ["failed a"]);
    t.tell(What::Failed { step: "a".into(), problem });
    assert_eq!(t.words(), ["ask a wrdsl"]);
    t.never.clear();
    t.decided("a", Decision::Wait);
    let State::Proving { since, until } = t.run.state(&"a".into()) else { panic!() };
    assert_eq!((since, until), (at(2), at(t.second + 10)), "more time, and still only facts after its start");
}

#[test]
fn an_interrupted_step_is_found_out_and_never_done_blindly() {
    let found = |found| What::Found { step: "a".into(), undo: false, found };
    let mut t = Told::new(vec![acts("a")]);
    t.began("a").tell(What::Resumed { by: By::default() });
    assert_eq!(t.words(), ["find a"]);
    t.holds.insert("a");
    assert_eq!(t.words(), ["proven a"], "it shows already");
    t.holds.clear();
    t.tell(found(Found::CantTell("out of reach".into())));
    let until = t.run.wake().unwrap();
    assert_eq!((t.words(), until), (vec![], at(t.second + 10)), "its check is waited for");
    t.holds.insert("a");
    assert_eq!(t.words(), ["proven a"]);
    t.holds.clear();
    let late = only(t.next_at(until.as_second(), &[]));
    let Todo::Write(What::Failed { problem, .. }) = &late else { panic!("{late:?}") };
    assert!(problem.line().contains("out of reach"), "{problem}");
    assert_eq!(t.tell(What::Resumed { by: By::default() }).words(), ["find a"], "another process looks again");
    t.tell(found(Found::NotDone));
    assert_eq!(t.words(), ["first a"], "nothing was changed yet: the plan's premise is asked again");
    let mut done = Told::new(vec![acts("a")]);
    done.began("a").tell(found(Found::Done("gone".into())));
    assert!(matches!(done.run.state(&"a".into()), State::Proving { since, .. } if since == at(2)));
}

#[test]
fn without_a_real_check_an_interrupted_step_always_asks() {
    for (found, first) in [(Found::NotDone, 'r'), (Found::Done("gone".into()), 'd'), (Found::CantTell("?".into()), 'w')]
    {
        let mut t = Told::new(vec![step("a").does(order("a"))]);
        t.began("a");
        assert_eq!(t.words(), ["find a"]);
        t.tell(What::Found { step: "a".into(), undo: false, found });
        let Todo::Ask(question) = only(t.next()) else { panic!() };
        assert_eq!(question.choices[0].letter(), first);
        assert_eq!(t.decided("a", Decision::TakenAsDone).words(), ["close passed"]);
    }
    let mut whole = Told::new(vec![step("a").does(order("a"))]);
    assert_eq!(whole.accepted("a").words(), ["close passed"], "an answer proves it where nothing else does");
}

#[test]
fn what_holds_already_is_not_done_where_the_step_says_so() {
    let mut t = Told::new(vec![acts("a").or_already(), acts("b")]);
    t.holds = ["a", "b"].into();
    assert_eq!(t.words(), ["proven a", "first b"], "b does not say so");
}

#[test]
fn taking_back_goes_backwards_one_by_one() {
    let undoable = |id: &str| acts(id).undone_by(order(&format!("un{id}")));
    let mut t = Told::new(vec![
        undoable("a"),
        undoable("b").after(&["a"]),
        acts("c").after(&["b"]),
        undoable("d").after(&["c"]),
    ]);
    t.proven("a").proven("b").accepted("c").tell(What::Aborted { undo: true });
    assert_eq!(t.words(), ["undo b"], "what has no way back stays, what never began needs none");
    let request = order("unb").request();
    t.tell(What::UndoBegan { step: "b".into(), request });
    assert_eq!(t.words(), ["find undo b"]);
    assert_eq!(t.next_at(9, &["b"]), []);
    t.tell(What::Found { step: "b".into(), undo: true, found: Found::NotDone });
    assert_eq!(t.words(), ["undo b"]);
    t.tell(What::Undone { step: "b".into(), problem: None });
    assert_eq!(t.words(), ["undo a"]);
    t.tell(What::Found { step: "a".into(), undo: true, found: Found::CantTell("?".into()) });
    assert_eq!(t.words(), ["kept a"]);
    t.tell(What::Undone { step: "a".into(), problem: Some(refused()) });
    assert_eq!(t.words(), ["close failed"], "not everything could be taken back");
}

#[test]
fn an_interrupted_step_is_found_out_before_anything_is_taken_back() {
    let mut t = Told::new(vec![acts("a").undone_by(order("una"))]);
    t.began("a").tell(What::Aborted { undo: true });
    assert_eq!(t.words(), ["find a"]);
    let mut done = Told::new(vec![acts("a").undone_by(order("una"))]);
    done.began("a").tell(What::Aborted { undo: true });
    done.tell(What::Found { step: "a".into(), undo: false, found: Found::Done("gone".into()) });
    assert_eq!(done.words(), ["undo a"]);
    t.tell(What::Found { step: "a".into(), undo: false, found: Found::NotDone });
    assert_eq!(t.words(), ["close refused"]);
}

#[test]
fn cleaning_up_happens_however_the_run_went() {
    let steps = || {
        vec![
            acts("beat"),
            acts("kill").after(&["beat"]),
            acts("count").after(&["beat"]).cleans_up(),
            acts("sweep").after(&["beat", "count"]).cleans_up().gated(Gate::Approve),
        ]
    };
    let mut t = Told::new(steps());
    assert_eq!(t.words(), ["first beat"]);
    t.proven("beat");
    assert_eq!(t.words(), ["do kill"], "not before the rest is over");
    t.began("kill").tell(What::Refused { step: "kill".into(), problem: refused() });
    assert_eq!(t.words(), ["ask kill rsl"]);
    t.decided("kill", Decision::Leave);
    assert_eq!(t.words(), ["do count"]);
    t.accepted("count").tell(What::Failed { step: "count".into(), problem: refused() });
    assert_eq!(t.words(), ["ask count wrdsl"]);
    t.decided("count", Decision::Leave);
    assert_eq!(t.words(), ["do sweep"], "one that can't clean up hinders no other, and no gate stands before it");
    assert_eq!(t.proven("sweep").words(), ["close failed"]);
    let mut never = Told::new(steps());
    never.tell(What::Aborted { undo: false });
    assert_eq!(never.words(), ["close refused"], "nothing began: there is nothing to clean up");
}

#[test]
fn a_step_that_cleans_up_runs_in_its_turn_where_another_needs_it() {
    let mut t = Told::new(vec![
        acts("cordon"),
        acts("uncordon").after(&["cordon"]).cleans_up(),
        acts("whole").after(&["uncordon"]),
    ]);
    t.proven("cordon");
    assert_eq!(t.words(), ["do uncordon"]);
    let failed = What::Failed { step: "uncordon".into(), problem: refused() };
    t.accepted("uncordon").tell(failed);
    let mut left = Told { run: t.run.clone(), second: t.second, holds: BTreeSet::new(), never: BTreeSet::new() };
    assert_eq!(left.decided("uncordon", Decision::Leave).words(), ["close failed"], "what waits for it never begins");
    t.proven("uncordon");
    assert_eq!(t.words(), ["do whole"]);
}

#[test]
fn a_heartbeat_beats_again_after_the_run_is_taken_up() {
    let mut t = Told::new(vec![
        step("beat").does(Order::Heartbeat(beat())),
        acts("kill").after(&["beat"]),
        step("count").does(Order::Count(beat())).after(&["kill"]),
    ]);
    t.accepted("beat").began("kill").tell(What::Resumed { by: By::default() });
    assert_eq!(t.words(), ["revive beat", "find kill"]);
    t.tell(What::Revived { step: "beat".into(), problem: None });
    assert_eq!(t.words(), ["find kill"]);
    t.proven("kill").began("count");
    assert_eq!(t.words(), ["do count"], "its own table alone: interrupted, it is counted again");
    t.tell(What::Resumed { by: By::default() });
    assert_eq!(t.words(), ["do count"], "what is being counted beats no more");
}

#[test]
fn a_plan_that_goes_in_a_circle_is_no_plan() {
    for steps in [
        vec![acts("a").after(&["b"]), acts("b").after(&["a"])],
        vec![acts("a"), acts("a")],
        vec![acts("a").after(&["a"])],
    ] {
        let what = What::Opened { run: "r".into(), plan: Box::new(plan(steps)), by: By::default() };
        assert!(Run::open(Entry { at: at(1), what }).is_err());
    }
}
