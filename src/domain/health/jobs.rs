//! Jobs that build instances and fail or wait: the phase says "Setting up primary" all the while.

use jiff::SignedDuration;

use super::evidence::Evidence;
use super::{Level, Reason, ReasonCode};
use crate::domain::cluster::{Attempt, Job};
use crate::domain::quantity;
use crate::text::shorten;

/// The pause of a Job before its second attempt; it doubles with each one
/// (kubernetes `pkg/controller/job`, `DefaultJobPodFailureBackOff`).
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Attempts up to which that holds: the longest pause differs between versions.
const DOUBLES: u32 = 6;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    for job in e.cluster.jobs.iter().filter(|j| !j.done) {
        if let Some((code, level, text)) = judged(e, job) {
            out.push(e.by_object(format!("Job/{}", job.name), code, level, text));
        }
    }
}

fn judged(e: &Evidence, job: &Job) -> Option<(ReasonCode, Level, String)> {
    // Without a primary the cluster waits for this very job; else it is one standby's.
    let level = if e.cluster.primary.is_none() { Level::Bad } else { Level::Warn };
    let (code, who) = match job.is_recovery() {
        true => (ReasonCode::RecoveryFailing, "recovery".to_owned()),
        false => (ReasonCode::JobFailing, format!("job {}", job.name)),
    };
    if job.failed > 0 {
        return Some((code, level, failing(e, job, &who)));
    }
    if let Some(why) = &job.trouble {
        return Some((code, level, format!("{who} does not get on: {}", shorten(why, 200))));
    }
    let late = job.created.filter(|t| e.age(*t) > e.limits.setup_time)?;
    Some((ReasonCode::JobFailing, Level::Warn, format!("job {} has run for {}", job.name, quantity::age(late, e.now))))
}

/// `recovery has failed 2 times: …; next attempt in ~20s`.
fn failing(e: &Evidence, job: &Job, who: &str) -> String {
    let times = if job.failed == 1 { "once".to_owned() } else { format!("{} times", job.failed) };
    let cause = job.attempt.as_ref().map(Attempt::cause).or_else(|| job.trouble.clone());
    let why = cause.map(|c| format!(": {}", shorten(&c, 200))).unwrap_or_default();
    let next = if job.gave_up {
        "; it is not tried again".to_owned()
    } else if job.active {
        format!("; attempt {} is under way", job.failed + 1)
    } else {
        wait(e, job).unwrap_or_default()
    };
    format!("{who} has failed {times}{why}{next}")
}

/// How long until the next attempt, where the pause is known.
fn wait(e: &Evidence, job: &Job) -> Option<String> {
    let ended = job.attempt.as_ref()?.ended?;
    let doubled = 1_i32.checked_shl(job.failed.checked_sub(1)?).filter(|_| job.failed <= DOUBLES)?;
    let due = ended.checked_add(PAUSE * doubled).ok()?;
    let left = due.duration_since(e.now);
    Some(match left > SignedDuration::from_secs(1) {
        true => format!("; next attempt in ~{}", quantity::age_of(left)),
        false => "; the next attempt is due".to_owned(),
    })
}
