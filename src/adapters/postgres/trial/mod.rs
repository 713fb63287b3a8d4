//! The SQL of a restore drill: markers and fingerprints in the source, their proof in the restored cluster.
//!
//! [`tongue`] is how a server is spoken to, [`prints`] what is asked of tables, [`source`] and [`restored`] the parts of the
//! drill. It must not know where a scratch cluster comes from, or what a report makes of what was learned.

mod prints;
mod restored;
mod source;
#[cfg(test)]
mod tests;
mod tongue;

use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use self::tongue::Tongue;
use super::heartbeat::Around;
use crate::adapters::executor::Refusal;
use crate::domain::cluster::{Cluster, Pod};
use crate::domain::names::ClusterKey;
use crate::domain::trial::{Learned, Recovered};
use crate::problem::Problem;
use crate::procedure::trial::{Answers, Part, Trial};
use crate::procedure::{Answer, Found};

/// How long a single small statement may take.
const SOON: Duration = Duration::from_secs(20);

/// Does a part that speaks SQL, within this time.
///
/// # Errors
/// Nobody could be asked, or the server refused.
pub async fn perform(trial: &Trial, around: &Around, answers: &Answers, time: Duration) -> Result<Answer, Refusal> {
    let learned = match trial.part {
        Part::Mark => source::mark(trial, around).await.map(Learned::Marked),
        Part::Print => source::print(trial, around, time).await.map(Learned::Printed),
        Part::Archive => source::archive(trial, around, answers, time).await.map(Learned::Archived),
        Part::Compare => restored::compare(trial, around, answers, time).await.map(Learned::Compared),
        Part::Check => Ok(Learned::Checked(restored::check(trial, around, time).await)),
        _ => {
            return match source::sweep(trial, around).await {
                Ok(()) => Ok(Answer::Done),
                Err(why) => Err(refused(trial, &why)),
            };
        }
    };
    learned.map(|l| Answer::Learned(Box::new(l))).map_err(|why| refused(trial, &why))
}

/// Waits until the recovered cluster says itself that it is out of recovery.
///
/// # Errors
/// It does not, within this time.
pub async fn answers(
    trial: &Trial,
    around: &Around,
    recovered: Recovered,
    time: Duration,
) -> Result<Recovered, Refusal> {
    let end = Instant::now() + time;
    loop {
        match primary(&trial.scratch, around, &trial.database).await {
            Ok(tongue) => {
                return Ok(Recovered { by: format!("it takes writes, says {}", tongue.by), ..recovered });
            }
            Err(why) if Instant::now() >= end => return Err(refused(trial, &why)),
            Err(_) => sleep(Duration::from_millis(500)).await,
        }
    }
}

/// What became of a part that was interrupted. All but the last are simply done again.
pub async fn find(trial: &Trial, around: &Around) -> Found {
    match trial.part {
        Part::Sweep => source::swept(trial, around).await,
        _ => Found::NotDone,
    }
}

fn refused(trial: &Trial, why: &str) -> Refusal {
    let what = match trial.part {
        Part::Mark => "the marker rows can't be written",
        Part::Print => "the source's tables can't be read",
        Part::Archive => "the last markers are not in the archive",
        Part::Compare => "the restored tables can't be read",
        Part::Recover => "the restored cluster does not answer",
        Part::Sweep => "the table of the markers may be left",
        _ => "it can't be looked at",
    };
    let hint = match trial.part {
        Part::Sweep => format!("in psql on {}, database {}: {}", trial.source, trial.database, trial.drop_table()),
        Part::Archive => format!("howdah backups check {}: does the archiver work?", trial.source),
        _ => "psql must get in: pods/exec, or a secret with a login that may read the tables".to_owned(),
    };
    Refusal::Nothing(Problem::new(what).because(why).try_this(hint))
}

/// The cluster as it is watched, and its pod that takes writes by its own word.
async fn primary(key: &ClusterKey, around: &Around, database: &str) -> Result<Tongue, String> {
    let picture = around.pictures.borrow().get(key).cloned();
    let cluster: Arc<Cluster> = picture.ok_or_else(|| format!("{key} is not known"))?;
    let mut why = vec![format!("no instance of {key} runs")];
    for name in super::heartbeat::front(&cluster) {
        let Some(pod) = cluster.instance(&name).and_then(|i| i.pod.clone()).filter(|p: &Arc<Pod>| p.running) else {
            continue;
        };
        match Tongue::find(&around.clients, &around.logins, (&cluster, &pod), database).await {
            Ok(tongue) => match tongue.one("SELECT pg_is_in_recovery()::text", SOON).await {
                Ok(Some(word)) if word == "false" => return Ok(tongue),
                Ok(_) => why.push(format!("{name} is in recovery")),
                Err(e) => why.push(format!("{name}: {e}")),
            },
            Err(e) => why.push(format!("{name}: {e}")),
        }
    }
    Err(why.split_off(usize::from(why.len() > 1)).join("; "))
}
