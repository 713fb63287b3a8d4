//! Walks: a runbook as a run, with jumps, notes, interruptions, and the record made of its journal.

use jiff::{SignedDuration, Timestamp};

use super::super::answer::gone;
use super::super::record::{happened, markdown};
use super::super::{Answer, Hearing, Runbook, StepView, Walk, step_view, walk};
use super::{Stage, at, runbook};
use crate::domain::health::scene::ago;
use crate::procedure::entry::{By, Entry, Outcome, What};
use crate::procedure::question::Replies;
use crate::procedure::{Kind, Run};

const FORK: &str = r#"
title = "A fork"
when = ["archive-failing"]
[[step]]
name = "look"
title = "Look at {primary}"
words = "See whether it works."
values = ["archiver.last"]
look = [{ title = "Archiving works", value = "archiver.working = yes" }]
next = { yes = "verify", no = "mend" }
[[step]]
name = "ask"
title = "Ask somebody"
[[step]]
name = "mend"
title = "Mend it"
[[step]]
name = "verify"
title = "See it work"
look = [{ title = "Archiving works", value = "archiver.working = yes" }]
"#;

/// A run without a disk.
struct Driver {
    runbook: Runbook,
    run: Run,
    now: Timestamp,
}

fn failing() -> Stage {
    Stage::with(|s| {
        let a = s.leads().archiver.as_mut().unwrap();
        (a.failed, a.last_failed) = (9, Some(("000000020000000000000005".into(), ago(5))));
    })
}

impl Driver {
    fn open(runbook: Runbook, stage: &Stage) -> Driver {
        let plan = walk::plan(&runbook, &stage.sight());
        assert_eq!((plan.kind, plan.mistake()), (Kind::Runbook, None));
        let by = By { user: "ann".into(), host: "desk".into(), through: "a test".into(), ..By::default() };
        let what = What::Opened { run: "20261121-120000-runbook-pg-k3f9".into(), plan: Box::new(plan), by };
        let mut driver = Driver { runbook, run: Run::open(Entry { at: at(0), what }).unwrap(), now: at(0) };
        walk::begins(&driver.runbook.clone(), &stage.sight()).into_iter().for_each(|what| driver.write(what));
        driver
    }

    fn write(&mut self, what: What) {
        self.now += SignedDuration::from_secs(1);
        self.run.absorb(Entry { at: self.now, what });
    }

    fn walk(&self) -> Walk<'_> {
        Walk { runbook: &self.runbook, run: &self.run }
    }

    /// What a surface does after each answer.
    fn settle(&mut self, stage: &Stage) {
        loop {
            let due = self.walk().due(&stage.facts, self.now, || gone(&self.runbook, &stage.sight()));
            if due.is_empty() {
                return;
            }
            due.into_iter().for_each(|what| self.write(what));
        }
    }

    fn here(&self) -> Option<&str> {
        self.walk().here().map(|n| self.runbook.steps[n].name.as_str())
    }

    fn view(&self, stage: &Stage) -> StepView {
        step_view(&self.runbook, self.walk().here().unwrap(), &stage.sight(), &Replies::new()).unwrap()
    }

    fn answer(&mut self, stage: &Stage, answer: Answer) {
        let here = self.walk().here().unwrap();
        let judged = self.view(stage).checks;
        let entries = self.walk().leave(here, &answer, &judged, "as the check says", self.now);
        entries.into_iter().for_each(|what| self.write(what));
    }
}

#[test]
fn an_answer_leads_and_what_is_between_is_left_out() {
    let bad = failing();
    let mut d = Driver::open(runbook(FORK), &bad);
    d.settle(&bad);
    assert_eq!(d.here(), Some("look"));
    let view = d.view(&bad);
    assert_eq!((view.title.as_str(), &view.answer), ("Look at pg-1", &Some(Answer::No)));
    assert_eq!(view.ways[0], ("yes", "See it work".to_owned()));
    d.answer(&bad, Answer::No);
    d.settle(&bad);
    assert_eq!(d.here(), Some("mend"), "the way of the answer");
    let note = d.walk().note("the key was\nrotated \u{1b}[31m");
    d.write(note);
    d.answer(&bad, Answer::Yes);
    d.settle(&bad);
    assert_eq!(d.here(), Some("verify"));
    let well = Stage::healthy();
    d.write(happened(d.now, "Condition: ContinuousArchiving is true"));
    d.answer(&well, Answer::Yes);
    d.settle(&well);
    assert_eq!(d.here(), None);
    assert_eq!(d.run.closed.map(|(_, outcome)| outcome), Some(Outcome::Passed));
    insta::assert_snapshot!("record", markdown(&d.run, &[]));
}

#[test]
fn a_verdict_that_changes_meanwhile_is_told_once_and_stands_in_the_record() {
    let (bad, well) = (failing(), Stage::healthy());
    let mut d = Driver::open(runbook(FORK), &bad);
    let mut hearing = Hearing::new(&d.run);
    assert!(hearing.judge(&bad.health, d.now).is_empty(), "what it was at the beginning is no change");
    let told = hearing.judge(&well.health, at(9));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(hearing.judge(&well.health, at(10)).is_empty());
    told.into_iter().for_each(|what| d.write(what));
    // Taken up again the journal says how it stood.
    let mut again = Hearing::new(&d.run);
    assert!(again.judge(&well.health, at(12)).is_empty());
    again.judge(&bad.health, at(13)).into_iter().for_each(|what| d.write(what));
    let record = markdown(&d.run, &[]);
    let verdicts: Vec<_> = record.lines().filter(|l| l.contains("| verdict | recoverability")).collect();
    let [mended, worse] = verdicts.as_slice() else { panic!("{record}") };
    assert!(mended.ends_with("→ ok |") && mended.starts_with("| 1970-01-01T00:00:09Z"), "{mended}");
    assert!(worse.contains("recoverability ok → ") && worse.contains(": "), "{worse}");
}

#[test]
fn a_walk_whose_reason_stays_did_not_pass() {
    let bad = failing();
    let mut d = Driver::open(runbook(FORK), &bad);
    while let Some(name) = {
        d.settle(&bad);
        d.here().map(str::to_owned)
    } {
        let answer = if name == "look" { Answer::Unknown("x".into()) } else { Answer::Yes };
        d.answer(&bad, answer);
    }
    assert_eq!(d.run.closed.map(|(_, outcome)| outcome), Some(Outcome::Failed));
}

#[test]
fn a_journal_cut_anywhere_goes_on_to_the_same_end() {
    let bad = failing();
    let mut whole = Driver::open(runbook(FORK), &bad);
    whole.settle(&bad);
    whole.answer(&bad, Answer::Yes);
    whole.settle(&bad);
    whole.answer(&bad, Answer::No);
    whole.settle(&bad);
    let entries = whole.run.entries.clone();
    for cut in 1..=entries.len() {
        let run = Run::fold(entries[..cut].to_vec()).unwrap();
        let mut d = Driver { runbook: whole.runbook.clone(), run, now: entries[cut - 1].at };
        d.settle(&bad);
        while let Some(name) = d.here() {
            let answer = if name == "look" { Answer::Yes } else { Answer::No };
            d.answer(&bad, answer);
            d.settle(&bad);
        }
        let skipped = |run: &Run| {
            let all = run.entries.iter().filter(|e| matches!(e.what, What::Decided { .. })).count();
            (all, run.closed.map(|(_, outcome)| outcome))
        };
        assert_eq!(skipped(&d.run), skipped(&whole.run), "cut after {cut}");
    }
}

#[test]
fn leaving_early_is_no_pass() {
    let bad = failing();
    let mut d = Driver::open(runbook(FORK), &bad);
    d.settle(&bad);
    d.write(What::Aborted { undo: false });
    d.settle(&bad);
    assert_eq!(d.here(), None);
    assert_eq!(d.run.closed.map(|(_, outcome)| outcome), Some(Outcome::Left));
}
