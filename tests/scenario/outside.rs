//! The outside of a played console: journals are written in memory, questions are answered, files are kept.

use howdah::app::{Effect, Msg, RunNews};
use howdah::domain::names::ClusterKey;
use howdah::panes::RunEffect;
use howdah::problem::Problem;
use howdah::procedure::catalog::restore::{Ground, Source};
use howdah::procedure::question::{Asked, Question, Reply, Told};
use howdah::procedure::{Answer, By, Entry, Outcome, Rehearsal, Run, RunId, Summary, Todo, Tried, What};
use std::collections::BTreeMap;

use super::play::Play;

/// Journals by name.
#[derive(Default)]
pub struct Outside {
    pub journals: BTreeMap<RunId, Vec<Entry>>,
    /// Drafts of notes, as they would outlive a console.
    pub drafts: BTreeMap<RunId, String>,
    /// Questions are not answered yet.
    pub silent: bool,
    /// Questions that were put.
    pub asked: Vec<Asked>,
    /// Files that were written: name and text.
    pub files: Vec<(String, String)>,
    /// Verbs that are forbidden.
    pub forbidden: Vec<String>,
    /// Why the API refuses what is sent.
    pub refusal: Option<Problem>,
    /// Steps that were performed.
    pub performed: Vec<String>,
    /// Journals that were let go.
    pub released: Vec<RunId>,
    /// Effects of the play that were performed.
    pub done: usize,
}

impl Outside {
    /// Performs what the console asked for, until it asks for nothing more.
    pub fn serve(&mut self, play: &mut Play) {
        while self.done < play.effects.len() {
            let effect = play.effects[self.done].clone();
            self.done += 1;
            match effect {
                Effect::Run(effect) => self.perform(play, effect),
                Effect::Export { text, name } => self.files.push((name, text)),
                _ => {}
            }
        }
    }

    /// Presses keys, one after the other, each with all that comes of it.
    pub fn keys(&mut self, play: &mut Play, keys: &str) {
        for key in keys.split_whitespace() {
            play.keys(key);
            self.serve(play);
        }
    }

    fn perform(&mut self, play: &mut Play, effect: RunEffect) {
        let now = play.now();
        let by = |versions| By {
            user: "ann".into(),
            host: "desk".into(),
            through: "console".into(),
            versions,
            ..By::default()
        };
        match effect {
            RunEffect::Begin(plan, versions) => {
                let id: RunId =
                    format!("2026112{}-094130-{}-{}-k3f9", self.journals.len(), plan.kind.name(), plan.cluster.name)
                        .as_str()
                        .into();
                let opened = Entry { at: now, what: What::Opened { run: id.clone(), plan, by: by(versions) } };
                self.journals.insert(id.clone(), vec![opened.clone()]);
                play.send(Msg::Run(RunNews::Open(id, vec![opened])));
            }
            RunEffect::TakeUp(id, versions) => {
                let journal = self.journals.get_mut(&id).unwrap();
                journal.push(Entry { at: now, what: What::Resumed { by: by(versions) } });
                let entries = journal.clone();
                play.send(Msg::Run(RunNews::Open(id.clone(), entries)));
                if let Some(draft) = self.drafts.get(&id) {
                    play.send(Msg::Run(RunNews::Draft(id, draft.clone())));
                }
            }
            RunEffect::Write(id, what) => {
                let entry = Entry { at: now, what };
                self.journals.get_mut(&id).unwrap().push(entry.clone());
                play.send(Msg::Run(RunNews::Entry(id.clone(), entry)));
                play.send(Msg::Run(RunNews::Wrote(id)));
            }
            RunEffect::List => {
                let all = self.journals.values().rev().map(|entries| summary(entries)).collect();
                play.send(Msg::Run(RunNews::Listed(all, Vec::new())));
            }
            RunEffect::Read(id) => {
                let entries = self.journals[&id].clone();
                play.send(Msg::Run(RunNews::Read(id, Ok(entries))));
            }
            RunEffect::Put(id, _, asked) => {
                self.asked.push(asked.clone());
                if !self.silent {
                    play.send(Msg::Run(RunNews::Reply(id, asked.clone(), reply(&asked, now))));
                }
            }
            RunEffect::Rights(cluster, wanted) => {
                let missing = wanted.iter().filter(|right| self.forbidden.contains(&right.verb)).cloned().collect();
                play.send(Msg::Run(RunNews::Rights(cluster, wanted, Ok(missing))));
            }
            RunEffect::Try(number, plan) => {
                let diff = Rehearsal::Diff(vec![
                    "- status.targetPrimary: pg-primary-1".into(),
                    "+ status.targetPrimary: pg-primary-2".into(),
                ]);
                let tried = vec![Tried { step: plan.steps[0].id.clone(), shown: diff }];
                play.send(Msg::Run(RunNews::Tried(number, Ok(tried))));
            }
            RunEffect::Perform(id, todo) => {
                let Todo::Perform { step, .. } = &todo else { panic!("{todo:?}") };
                self.performed.push(step.to_string());
                let taken = Answer::Taken { version: "4711".into(), uid: "u-1".into() };
                let outcome = match &self.refusal {
                    Some(problem) => What::Refused { step: step.clone(), problem: problem.clone() },
                    None => What::Accepted { step: step.clone(), answer: taken },
                };
                for what in [What::Began { step: step.clone(), request: None }, outcome] {
                    let entry = Entry { at: now, what };
                    self.journals.get_mut(&id).unwrap().push(entry.clone());
                    play.send(Msg::Run(RunNews::Entry(id.clone(), entry)));
                }
                play.send(Msg::Run(RunNews::Ended(id, step.clone())));
            }
            RunEffect::Draft(id, text) if text.is_empty() => drop(self.drafts.remove(&id)),
            RunEffect::Draft(id, text) => drop(self.drafts.insert(id, text)),
            RunEffect::Release(id) => self.released.push(id),
            RunEffect::Ground(wish) => {
                let ground = Ground { source: source(wish.cluster()), claims: Some(Vec::new()) };
                play.send(Msg::Run(RunNews::Ground(wish, Ok(Box::new(ground)))));
            }
        }
    }

    /// What a journal says, an entry a line.
    pub fn told(&self, id: &RunId) -> Vec<String> {
        let line = |e: &Entry| match &e.what {
            What::Opened { plan, .. } => format!("opened {}", plan.title),
            What::Observed { mark, text, .. } => format!("{mark} | {text}"),
            What::Granted { step, how } => format!("granted {step}: {how}"),
            What::Decided { step, reason, .. } => format!("decided {step}: {}", reason.clone().unwrap_or_default()),
            What::Proven { step, evidence } => format!("proven {step}: {}", evidence.join("; ")),
            What::Noted { step, text } => {
                format!("noted at {}: {text}", step.clone().map(|s| s.to_string()).unwrap_or_default())
            }
            What::Closed { outcome } => format!("closed: {}", outcome.word()),
            other => format!("{other:?}"),
        };
        self.journals[id].iter().map(line).collect()
    }
}

/// The object of a cluster that archives, as the API has it.
pub fn source(key: &ClusterKey) -> Source {
    let mut cluster: serde_json::Value = serde_json::from_str(include_str!("../fixtures/restore/source.json")).unwrap();
    cluster["metadata"]["name"] = (*key.name).into();
    cluster["metadata"]["namespace"] = (*key.namespace).into();
    cluster["spec"]["storage"]["size"] = "20Gi".into();
    Source { cluster, object_store: None }
}

fn summary(entries: &[Entry]) -> Summary {
    let run = Run::fold(entries.to_vec()).unwrap();
    Summary {
        run: run.id.clone(),
        kind: run.plan.kind,
        cluster: run.plan.cluster.clone(),
        title: run.plan.title.clone(),
        by: "ann@desk".into(),
        opened: run.opened,
        last: entries.last().unwrap().at,
        outcome: run.closed.map(|(_, outcome): (_, Outcome)| outcome),
        holder: None,
    }
}

/// Two rows of a query; one of a metric.
fn reply(asked: &Asked, at: jiff::Timestamp) -> Reply {
    let cells = |cells: [&str; 3]| cells.map(|c| Some(c.to_owned())).to_vec();
    let told = match asked.question {
        Question::Sql { .. } => Told::Rows {
            columns: ["name", "state", "since"].map(str::to_owned).to_vec(),
            rows: vec![cells(["00000005000000020000003F", "failed", "2 s"]), cells(["予備", "archived", "14 min"])],
            more: false,
        },
        Question::Metric { .. } => Told::Number(3.0),
    };
    Reply { at, told: Ok(told), by: format!("{} by SQL as postgres", asked.of) }
}
