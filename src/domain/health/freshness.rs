//! How old the picture is. What nobody watches any more, or yet, can't be known.

use jiff::Timestamp;

use super::evidence::{Evidence, proven};
use super::{Level, Reason, ReasonCode};
use crate::domain::quantity;
use crate::domain::source::{SourceId, SourceState, Witness};
use crate::text::shorten;

/// Kinds that make no difference to a verdict when they are late: events only repeat what objects say.
const UNJUDGED: [&str; 1] = ["events"];

/// The watches must have been proven alive lately: an unchanged object sends nothing, so a picture is as fresh as they.
pub(super) fn picture(e: &Evidence, out: &mut Vec<Reason>) {
    let unknown = |text: String, seen: Timestamp| e.by(Witness::Sources, seen, ReasonCode::Stale, Level::Unknown, text);
    let Some(at) = proven(e.facts, e.cluster) else {
        out.push(unknown("nobody watches this cluster yet".into(), e.now));
        return;
    };
    if let Some(why) = broken(e).filter(|_| e.age(at) > e.limits.silence_bad) {
        let text = format!("Kubernetes fails, all this was true {} ago: {why}", quantity::age(at, e.now));
        out.push(unknown(text, at));
        return;
    }
    if e.age(at) > e.limits.watch_stale {
        out.push(unknown(format!("watches silent for {}: all this may be old", quantity::age(at, e.now)), at));
        return;
    }
    let late: Vec<&str> = e
        .facts
        .sources
        .iter()
        .filter_map(|(id, health)| match id {
            SourceId::Watch(context, kind) if *context == e.cluster.key.context => Some((kind.as_str(), health)),
            _ => None,
        })
        .filter(|(kind, h)| !UNJUDGED.contains(kind) && !matches!(h.state, SourceState::Absent(_)))
        // Kinds that change seldom are proven less often.
        .filter(|(_, h)| h.proven.is_none_or(|p| e.age(p) > e.limits.watch_stale * 2))
        .map(|(kind, _)| kind)
        .collect();
    if !late.is_empty() {
        out.push(unknown(format!("no word of {} lately", late.join(", ")), at));
    }
}

/// Why the API does not answer, where it is known to fail: then nobody needs to wait until the picture is old.
fn broken(e: &Evidence) -> Option<String> {
    let context = &e.cluster.key.context;
    match &e.facts.sources.get(&SourceId::Kubernetes(context.clone()))?.state {
        SourceState::Failing { why, .. } => Some(shorten(why, 120)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::scene::{Scene, ago, now};
    use super::super::{Health, Limits, judge};
    use super::*;
    use crate::domain::facts::{Fact, Facts};
    use crate::domain::source::SourceHealth;

    fn judged(scene: &Scene, facts: &Facts) -> Health {
        judge(facts, &scene.cluster, None, &Limits::default(), now())
    }

    #[test]
    fn a_lease_is_not_called_lapsed_for_a_time_when_nobody_listened() {
        let mut scene = Scene::healthy();
        scene.cluster.lease.iter_mut().for_each(|l| l.renewed = Some(ago(28)));
        let leases = |proven: i64| {
            let mut facts = scene.facts();
            let id = SourceId::Watch(scene.cluster.key.context.clone(), "leases".into());
            let health = SourceHealth { state: SourceState::Live, proven: Some(ago(proven)) };
            facts.absorb(Fact::Source(id, health));
            judged(&scene, &facts).reasons().any(|r| r.code == ReasonCode::PrimaryNotAnswering)
        };
        assert!(!leases(25), "its watch was heard last while it held");
        assert!(leases(1), "its watch is heard, and no renewal came");
    }

    #[test]
    fn an_api_known_to_fail_is_told_before_the_picture_is_old() {
        let scene = Scene { watched: None, ..Scene::healthy() };
        let failing = |proven: i64| {
            let mut facts = scene.facts();
            let again_at = now() + SignedDuration::from_secs(2);
            let state = SourceState::Failing { why: "connection refused".into(), again_at, try_this: None };
            let id = SourceId::Kubernetes(scene.cluster.key.context.clone());
            facts.absorb(Fact::Source(id, SourceHealth { state, proven: Some(ago(proven)) }));
            judged(&scene, &facts)
        };
        assert_eq!(failing(4).headline(), Level::Ok, "a hiccup changes nothing");
        let late = failing(14);
        assert_eq!(late.headline(), Level::Unknown);
        let told: Vec<_> = late.reasons().map(|r| r.text.as_str()).collect();
        assert_eq!(told, ["Kubernetes fails, all this was true 14s ago: connection refused"], "and said once");
    }
}
