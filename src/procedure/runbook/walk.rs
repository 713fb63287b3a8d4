//! A walk: a runbook as a run of the one engine. Every step is a gate for a person; what was seen and answered stands in the
//! journal, so that a walk that was left is taken up where it was, on whichever surface.

use jiff::Timestamp;
use std::collections::BTreeMap;

use super::{Answer, Judged, Runbook, Sight, StepView, fill};
use crate::domain::facts::Facts;
use crate::domain::health::Level;
use crate::domain::names::InstanceName;
use crate::procedure::entry::{Decision, Outcome, What};
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Premise, Step, StepId};
use crate::procedure::run::{Run, State, Todo};
use crate::text::shorten;

/// The longest line of evidence that goes into a journal.
const LINE: usize = 400;
/// Rows of a query that go into a journal.
const ROWS: usize = 5;

/// How the title of a walk's plan begins; the runbook's name follows.
const TITLE: &str = "walk ";

/// The runbook that a plan of this title walks, as lists of runs tell it.
pub fn runbook_in(title: &str) -> Option<&str> {
    title.strip_prefix(TITLE)
}

/// The instance that a walk is about.
pub fn about_of(run: &Run) -> Option<InstanceName> {
    run.plan.parameters.get("instance").map(|i| i.as_str().into())
}

/// What a person says to a step, on whichever surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Go on as the check says, or: what was to be done by hand is done.
    GoOn,
    /// Yes.
    Yes,
    /// No.
    No,
    /// It can't be told.
    Unknown,
}

impl Said {
    /// The answer that is meant, and who decided; `None`: no check decides, and a person has to say which it is.
    pub fn answer(self, view: &StepView) -> Option<(Answer, &'static str)> {
        const BY_HAND: &str = "said by a person";
        match self {
            Said::GoOn => match (&view.answer, view.ways.is_empty()) {
                (Some(answer), _) => Some((answer.clone(), "as the check says")),
                (None, true) => Some((Answer::Yes, "done by hand")),
                (None, false) => None,
            },
            Said::Yes => Some((Answer::Yes, BY_HAND)),
            Said::No => Some((Answer::No, BY_HAND)),
            Said::Unknown => Some((Answer::Unknown("a person could not tell".into()), BY_HAND)),
        }
    }
}

/// The plan of a walk: the runbook's steps in their order, each done by hand.
pub fn plan(runbook: &Runbook, sight: &Sight<'_>) -> Plan {
    let mut parameters = BTreeMap::from([("runbook".to_owned(), runbook.name.clone())]);
    if let Some(about) = sight.about {
        parameters.insert("instance".into(), about.to_string());
    }
    let mut steps: Vec<Step> = Vec::new();
    for step in &runbook.steps {
        let title = fill(&step.title, sight);
        let words: Vec<_> = step.words.iter().map(|w| fill(w, sight)).collect();
        let gate = Gate::ByHand(if words.is_empty() { title.clone() } else { words.join("\n\n") });
        let mut planned = Step::new(&step.name, title, words.join(" ")).gated(gate);
        planned.needs = steps.last().map(|s| s.id.clone()).into_iter().collect();
        steps.push(planned);
    }
    Plan {
        kind: Kind::Runbook,
        cluster: sight.cluster.key.clone(),
        title: format!("{TITLE}{}", runbook.name),
        made: sight.now,
        parameters,
        findings: Vec::new(),
        candidates: Vec::new(),
        objectives: None,
        premise: Premise { uid: sight.cluster.uid.clone(), ..Premise::default() },
        steps,
    }
}

/// What the journal says first: the reasons that led here.
pub fn begins(runbook: &Runbook, sight: &Sight<'_>) -> Vec<What> {
    let told = sight.health.reasons().filter(|r| r.level > Level::Ok && runbook.when.contains(&r.code));
    told.map(|r| What::Observed {
        mark: format!("reason:{}", r.code.name()),
        seen: r.seen.min(sight.now),
        text: format!("{}: {} ({})", r.level.word(), r.text, r.witness),
    })
    .collect()
}

/// A runbook and how far its walk has come.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    /// What is walked.
    pub runbook: &'a Runbook,
    /// The run.
    pub run: &'a Run,
}

impl Walk<'_> {
    /// The step a person stands at; `None`: the walk is over.
    pub fn here(&self) -> Option<usize> {
        if self.run.closed.is_some() || self.run.aborted.is_some() {
            return None;
        }
        self.runbook.steps.iter().position(|s| self.run.state(&s.name.as_str().into()) == State::AtGate)
    }

    /// The answers given so far, by step.
    pub fn answers(&self) -> BTreeMap<usize, Answer> {
        let given = self.run.entries.iter().filter_map(|e| match &e.what {
            What::Observed { mark, text, .. } => {
                let (step, word) = mark.strip_prefix("answer:")?.rsplit_once(':')?;
                let answer = match word {
                    "yes" => Answer::Yes,
                    "no" => Answer::No,
                    _ => Answer::Unknown(text.clone()),
                };
                Some((self.runbook.index(step)?, answer))
            }
            _ => None,
        });
        given.collect()
    }

    /// What is written when a person leaves a step: what the checks said, the answer, and that the step is done. `how` says
    /// who decided: `as the check says`, `done by hand`.
    pub fn leave(&self, step: usize, answer: &Answer, judged: &[Judged], how: &str, now: Timestamp) -> Vec<What> {
        let Some(at) = self.runbook.steps.get(step) else { return Vec::new() };
        let mut entries: Vec<What> = judged.iter().map(|j| checked(&at.name, j, now)).collect();
        let why = match answer {
            Answer::Unknown(why) => format!(": {why}"),
            _ => String::new(),
        };
        let title = self.run.plan.step(&at.name.as_str().into()).map_or(&at.title, |s| &s.title);
        entries.push(What::Observed {
            mark: format!("answer:{}:{}", at.name, answer.word()),
            seen: now,
            text: format!("{title}: {}{why}", answer.word()),
        });
        entries.push(What::Granted { step: at.name.as_str().into(), how: how.to_owned() });
        entries
    }

    /// What the answers given so far leave out: steps that are not on the way.
    fn owed(&self) -> Vec<What> {
        let mut entries = Vec::new();
        for (step, answer) in self.answers() {
            let to = self.runbook.after(step, &answer).unwrap_or(self.runbook.steps.len());
            for left_out in &self.runbook.steps[(step + 1).min(to)..to] {
                let id: StepId = left_out.name.as_str().into();
                if matches!(self.run.state(&id), State::Waiting | State::AtGate | State::ToDo) {
                    let reason =
                        format!("not on the way: {} answered {}", self.runbook.steps[step].name, answer.word());
                    entries.push(What::Decided { step: id, decision: Decision::Skip, reason: Some(reason) });
                }
            }
        }
        entries
    }

    /// What follows from what was said without a person: written by whoever drives the walk, and asked for again until it is
    /// empty. At the end of the walk `gone` says whether what it was for is gone.
    pub fn due(&self, facts: &Facts, now: Timestamp, gone: impl FnOnce() -> Answer) -> Vec<What> {
        let owed = self.owed();
        if !owed.is_empty() {
            return owed;
        }
        let next = self.run.next(facts, now, &Default::default());
        let what = next.into_iter().find_map(|todo| match todo {
            Todo::Write(what) => Some(what),
            _ => None,
        });
        match what {
            Some(What::Closed { .. }) => {
                let over = gone();
                vec![ends(&over, now), What::Closed { outcome: self.outcome(&over) }]
            }
            what => what.into_iter().collect(),
        }
    }

    /// A person's note, of the step they stand at.
    pub fn note(&self, text: &str) -> What {
        let step = self.here().and_then(|n| self.runbook.steps.get(n)).map(|s| s.name.as_str().into());
        What::Noted { step, text: crate::text::clean_lines(text.trim()) }
    }

    /// How the walk ended, where its steps are over: well when what it was for is gone.
    pub fn outcome(&self, gone: &Answer) -> Outcome {
        match (self.run.aborted, gone) {
            (_, Answer::Yes) => Outcome::Passed,
            (None, Answer::No) => Outcome::Failed,
            // Nothing in the verdict stands for it: whoever walked to the end has seen it.
            (None, Answer::Unknown(_)) if self.runbook.when.is_empty() => Outcome::Passed,
            _ => Outcome::Left,
        }
    }
}

/// What the journal says last: whether what the walk was for is gone.
fn ends(gone: &Answer, now: Timestamp) -> What {
    let text = match gone {
        Answer::Yes => "its reasons are gone from the verdict".to_owned(),
        Answer::No => "its reasons are still in the verdict".to_owned(),
        Answer::Unknown(why) => format!("whether it is over can't be told: {why}"),
    };
    What::Observed { mark: format!("gone:{}", gone.word()), seen: now, text }
}

fn checked(step: &str, judged: &Judged, now: Timestamp) -> What {
    let word = judged.answer.as_ref().map_or("seen", Answer::word);
    let mut said = judged.evidence.clone();
    if let Some((columns, rows)) = judged.rows.split_first() {
        said.extend(rows.iter().take(ROWS).map(|row| {
            let cells = columns.iter().zip(row).map(|(name, cell)| format!("{name} {}", shorten(cell, 60)));
            cells.collect::<Vec<_>>().join(", ")
        }));
    }
    let text = format!("{}: {word} — {}", judged.title, said.join("; "));
    What::Observed { mark: format!("check:{step}:{word}"), seen: now, text: shorten(&text, LINE) }
}
