//! How a described cluster is at the moment, and what becomes of that.

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::plan::Plan;

/// How a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Healthy,
    /// WAL can't be archived.
    ArchiverFails,
    /// This instance has no pod.
    Missing(u32),
    /// This standby is far behind.
    Lags(u32),
    /// This instance is fenced.
    Fenced(u32),
    Hibernated,
    /// A phase nobody knows.
    Strange,
    /// Nobody answers for it: its pods are gone from view, its status is empty.
    Unknown,
    /// The primary is gone, and so many steps are left until another leads.
    FailsOver(u8),
    /// The old primary comes back.
    Recovers(u8),
}

impl Mood {
    /// A mood for the beginning: most are well.
    pub fn draw(random: &mut StdRng, plan: &Plan) -> Self {
        if random.random_bool(0.85) { Mood::Healthy } else { Self::trouble(random, plan) }
    }

    fn trouble(random: &mut StdRng, plan: &Plan) -> Self {
        let standby = standby(random, plan);
        match (random.random_range(0..10), standby) {
            (0..=2, _) => Mood::ArchiverFails,
            (3 | 4, Some(standby)) => Mood::Missing(standby),
            (5 | 6, Some(standby)) => Mood::Lags(standby),
            (7, Some(standby)) => Mood::Fenced(standby),
            (8, _) => Mood::Hibernated,
            (9, _) => Mood::Unknown,
            _ => Mood::Strange,
        }
    }

    /// What comes after some time.
    pub fn next(self, random: &mut StdRng, plan: &Plan) -> Self {
        match self {
            Mood::Healthy if plan.instances > 1 && random.random_bool(0.4) => Mood::FailsOver(2),
            Mood::Healthy => Self::trouble(random, plan),
            passing @ (Mood::FailsOver(_) | Mood::Recovers(_)) => passing,
            _ => Mood::Healthy,
        }
    }

    /// Whether it goes on by itself.
    pub fn is_passing(self) -> bool {
        matches!(self, Mood::FailsOver(_) | Mood::Recovers(_))
    }

    /// The next step of what passes.
    pub fn go_on(self, plan: &mut Plan) -> Self {
        match self {
            Mood::FailsOver(0) => {
                plan.fail_over();
                Mood::Recovers(6)
            }
            Mood::FailsOver(left) => Mood::FailsOver(left - 1),
            Mood::Recovers(0) => Mood::Healthy,
            Mood::Recovers(left) => Mood::Recovers(left - 1),
            other => other,
        }
    }
}

fn standby(random: &mut StdRng, plan: &Plan) -> Option<u32> {
    let others: Vec<u32> = (1..=plan.instances).filter(|serial| *serial != plan.primary).collect();
    (!others.is_empty()).then(|| others[random.random_range(0..others.len())])
}
