//! A drill while it goes on, in a line.

use jiff::Timestamp;

use crate::domain::facts::Facts;
use crate::domain::quantity::span;
use crate::procedure::Run;
use crate::procedure::drill::STRIKE;

/// A line of progress, where the run writes a heartbeat.
pub fn progress(run: &Run, facts: &Facts, now: Timestamp) -> Option<String> {
    let pulse = facts.heartbeats.get(&run.plan.cluster).filter(|_| run.plan.kind.is_drill())?;
    let since = run.progress(&STRIKE.into()).and_then(|p| p.began);
    let clock = since.map(|at| format!("{} since the blow, ", span(now.duration_since(at)))).unwrap_or_default();
    let state = match pulse.outages.last().filter(|o| o.to.is_none()) {
        Some(outage) => format!("no write for {}", span(now.duration_since(outage.from))),
        None => "writes are acknowledged".to_owned(),
    };
    let (answered, failed) = pulse.reads;
    Some(format!(
        "          {clock}{state}: {} acknowledged, {} refused, {} unknown; {answered} reads, {failed} failed",
        pulse.acknowledged, pulse.refused, pulse.unknown
    ))
}
