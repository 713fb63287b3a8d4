//! How old the picture is. What nobody watches any more, or yet, can't be known.

use jiff::Timestamp;

use super::evidence::{Evidence, proven};
use super::{Level, Reason, ReasonCode};
use crate::domain::quantity;
use crate::domain::source::{SourceId, SourceState, Witness};

/// Kinds that make no difference to a verdict when they are late: events only repeat what objects say.
const UNJUDGED: [&str; 1] = ["events"];

/// The watches must have been proven alive lately: an unchanged object sends nothing, so a picture is as fresh as they.
pub(super) fn picture(e: &Evidence, out: &mut Vec<Reason>) {
    let unknown = |text: String, seen: Timestamp| e.by(Witness::Sources, seen, ReasonCode::Stale, Level::Unknown, text);
    let Some(at) = proven(e.facts, e.cluster) else {
        out.push(unknown("nobody watches this cluster yet".into(), e.now));
        return;
    };
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
