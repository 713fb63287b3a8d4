//! What is told of a Backup while a run waits for it: each phase and each event, once, into the run's journal.

use jiff::Timestamp;

use super::check::{Check, stage_of};
use super::entry::What;
use super::plan::{Plan, StepId};
use super::run::Run;
use crate::domain::event::{Happening, What as Happened};
use crate::domain::facts::Facts;
use crate::domain::source::SourceId;
use crate::text::shorten;

/// Words of the journal for a phase, and for an event.
const PHASE: &str = "backup-phase";
const EVENT: &str = "backup-event";
/// Entries kept of one backup: one that is tried again and again does not fill its journal.
const MOST: usize = 200;

/// Watches the Backup of a plan.
#[derive(Clone, Debug)]
pub(super) struct Watching {
    step: StepId,
    backup: String,
}

impl Watching {
    /// The first step of this plan that waits for a Backup.
    pub fn of(plan: &Plan) -> Option<Watching> {
        plan.steps.iter().find_map(|step| {
            let backup = named(step.check.as_ref()?)?;
            Some(Watching { step: step.id.clone(), backup: backup.to_owned() })
        })
    }

    /// What was seen since it was last asked: to be written.
    pub fn look(&self, run: &Run, heard: &[Happening], facts: &Facts) -> Vec<What> {
        let begun = run.progress(&self.step).filter(|p| p.ended.is_none()).and_then(|p| p.began);
        let Some(begun) = begun.filter(|_| told(run).count() < MOST) else { return Vec::new() };
        let object = format!("Backup/{}", self.backup);
        let events = heard.iter().filter(|h| h.cluster.as_ref() == Some(&run.plan.cluster));
        let events = events.filter_map(|h| match &h.what {
            Happened::Kubernetes { object: about, reason, message, .. } if *about == object => {
                Some((EVENT, h.at, shorten(&format!("{reason}: {message}"), 200)))
            }
            _ => None,
        });
        let mut new: Vec<(&str, Timestamp, String)> = Vec::new();
        for (mark, at, text) in self.phase(run, facts).into_iter().chain(events) {
            let again = |m: &str, t: &str| m == mark && t == text;
            if !told(run).any(|(m, t)| again(m, t)) && !new.iter().any(|(m, _, t)| again(m, t)) {
                new.push((mark, at, text));
            }
        }
        // Events are told in whole seconds: none of them was before the request.
        let observed = |(mark, seen, text): (&str, Timestamp, String)| What::Observed {
            mark: mark.into(),
            seen: seen.max(begun),
            text,
        };
        new.into_iter().map(observed).collect()
    }

    /// How far it is, and when that was last heard of.
    fn phase(&self, run: &Run, facts: &Facts) -> Option<(&'static str, Timestamp, String)> {
        let cluster = facts.clusters.get(&run.plan.cluster)?;
        let stage = stage_of(facts, cluster, &self.backup)?;
        let context = cluster.key.context.clone();
        let watch = facts.sources.get(&SourceId::Watch(context.clone(), "backups".into()));
        let at = watch.or_else(|| facts.sources.get(&SourceId::Kubernetes(context))).and_then(|h| h.proven);
        Some((PHASE, at.unwrap_or(run.opened), format!("Backup {} {stage}", self.backup)))
    }
}

fn told(run: &Run) -> impl Iterator<Item = (&str, &str)> {
    run.entries.iter().filter_map(|e| match &e.what {
        What::Observed { mark, text, .. } if mark == PHASE || mark == EVENT => Some((mark.as_str(), text.as_str())),
        _ => None,
    })
}

fn named(check: &Check) -> Option<&str> {
    match check {
        Check::BackupDone { backup } | Check::BackupCompleted { backup } => Some(backup),
        Check::All(all) => all.iter().find_map(named),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::backup::Take;
    use super::super::catalog::{Act, View, Wish, plan};
    use super::super::entry::{Answer, By, Entry, RunId};
    use super::*;
    use crate::domain::cluster::{BackupObject, Methods};
    use crate::domain::health::Limits;
    use crate::domain::health::scene::{Scene, ago, now};
    use std::sync::Arc;

    fn scene(phase: &str) -> Scene {
        let mut scene = Scene::healthy();
        scene.cluster.backups.methods = Methods { barman: true, ..Methods::default() };
        if !phase.is_empty() {
            let object = BackupObject { name: "mine".into(), phase: Some(phase.into()), ..BackupObject::default() };
            scene.cluster.backups.objects = vec![Arc::new(object)];
        }
        scene
    }

    /// A run whose one step was accepted.
    fn run() -> Run {
        let (scene, limits) = (scene(""), Limits::default());
        let facts = scene.facts();
        let act = Act::TakeBackup(Take { name: Some("mine".into()), ..Take::default() });
        let wish = Wish { cluster: scene.cluster.key, act, because: None };
        let plan = plan(&wish, View { facts: &facts, history: None, limits: &limits, now: now() }).unwrap();
        let opened = What::Opened { run: RunId::from("r"), plan: Box::new(plan), by: By::default() };
        let mut run = Run::open(Entry { at: ago(9), what: opened }).unwrap();
        let step = StepId::from("backup");
        run.absorb(Entry { at: ago(8), what: What::Began { step: step.clone(), request: None } });
        run.absorb(Entry { at: ago(7), what: What::Accepted { step, answer: Answer::Done } });
        run
    }

    fn event(name: &str, seconds: i64) -> Happening {
        let key = scene("").cluster.key;
        let what = Happened::Kubernetes {
            warning: false,
            reason: "Starting".into(),
            object: format!("Backup/{name}"),
            message: "Backup started".into(),
            count: 1,
            uid: name.into(),
        };
        Happening { at: ago(seconds), context: key.context.clone(), cluster: Some(key), what }
    }

    fn texts(all: &[What]) -> Vec<(Timestamp, &str)> {
        let text = |w| match w {
            &What::Observed { seen, ref text, .. } => (seen, text.as_str()),
            other => panic!("{other:?}"),
        };
        all.iter().map(text).collect()
    }

    #[test]
    fn each_phase_and_event_is_told_once_also_by_whoever_takes_the_run_up() {
        let mut run = run();
        let watching = Watching::of(&run.plan).unwrap();
        let heard = [event("mine", 60), event("mine", 3), event("other", 3)];
        let seen = watching.look(&run, &heard, &scene("started").facts());
        let phase = "Backup mine is started: the instance was told to begin";
        assert_eq!(texts(&seen), [(ago(2), phase), (ago(8), "Starting: Backup started")], "none before the request");
        seen.into_iter().for_each(|what| run.absorb(Entry { at: now(), what }));
        let again = Watching::of(&run.plan).unwrap();
        assert!(again.look(&run, &heard, &scene("started").facts()).is_empty());
        let next = again.look(&run, &[], &scene("running").facts());
        assert_eq!(texts(&next), [(ago(2), "Backup mine is running")]);
        let step = StepId::from("backup");
        run.absorb(Entry { at: now(), what: What::Proven { step, evidence: Vec::new() } });
        assert!(again.look(&run, &heard, &scene("failed").facts()).is_empty(), "it is over");
    }
}
