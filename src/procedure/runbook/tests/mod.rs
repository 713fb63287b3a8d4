//! Runbooks: what ships, files with mistakes, answers on scenes, walks, command lines.

mod answers;
mod commands;
mod files;
mod shipped;
mod walks;

use jiff::Timestamp;

use super::Runbook;
use super::Sight;
use super::file;
use crate::domain::facts::Facts;
use crate::domain::happenings::Happenings;
use crate::domain::health::scene::{Scene, now};
use crate::domain::health::{Health, Limits, judge};
use crate::domain::names::InstanceName;

/// A scene as a walk sees it.
struct Stage {
    scene: Scene,
    facts: Facts,
    health: Health,
    limits: Limits,
    happenings: Happenings,
    about: Option<InstanceName>,
}

impl Stage {
    fn healthy() -> Stage {
        Stage::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Scene)) -> Stage {
        let mut scene = Scene::healthy();
        change(&mut scene);
        let (facts, limits) = (scene.facts(), Limits::default());
        let health = judge(&facts, &scene.cluster, None, &limits, now());
        Stage { scene, facts, health, limits, happenings: Happenings::default(), about: None }
    }

    fn about(mut self, name: &str) -> Stage {
        self.about = Some(name.into());
        self
    }

    fn sight(&self) -> Sight<'_> {
        Sight {
            facts: &self.facts,
            cluster: &self.scene.cluster,
            health: &self.health,
            happenings: Some(&self.happenings),
            limits: &self.limits,
            about: self.about.as_ref(),
            now: now(),
        }
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A runbook that has no mistake.
fn runbook(text: &str) -> Runbook {
    let (runbook, mistakes) = file::read("runbooks/mine.toml", text);
    assert!(mistakes.is_empty(), "{}", mistakes.iter().map(ToString::to_string).collect::<String>());
    runbook
}
