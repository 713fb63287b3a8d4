//! How far a graph's scale reaches, and what stands above it.
//!
//! One peak of long ago (a standby's first copy, say) would flatten everything that came after it. So a scale holds
//! what is new and what is usual; what is neither, and far higher, is cut at the top and told in figures there.

use jiff::Timestamp;

use super::{Graph, nice_top};

/// The newest part of the time: it always fits, so that nothing that goes on now is cut.
const NEW: f64 = 0.25;
/// This part of a series' values always fits.
const USUAL: f64 = 0.9;
/// Only what is this many times as high as the rest is cut.
const FAR: f64 = 10.0;

/// A scale.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// The value at the top.
    pub top: f64,
    /// Values above it, ascending in time.
    pub above: Vec<(Timestamp, f64)>,
}

/// The scale of a graph.
pub(super) fn scale(graph: &Graph<'_>) -> Scale {
    let mut rest = graph.least_top;
    let mut all = Vec::new();
    for series in graph.series {
        let inside = series.points.iter().filter(|p| p.at >= graph.from && p.at <= graph.to);
        let known = inside.filter_map(|p| Some((p.at, p.value.filter(|v| v.is_finite())?)));
        let values: Vec<(Timestamp, f64)> = known.collect();
        let new = values.iter().filter(|(at, _)| graph.part(*at) >= 1.0 - NEW);
        rest = new.map(|(_, v)| *v).chain(usual(&values)).fold(rest, f64::max);
        all.extend(values);
    }
    let highest = all.iter().map(|(_, v)| *v).fold(graph.least_top, f64::max);
    if graph.whole || highest <= rest * FAR {
        return Scale { top: nice_top(highest, graph.unit), above: Vec::new() };
    }
    let top = nice_top(rest, graph.unit);
    all.retain(|(_, v)| *v > top);
    all.sort_by_key(|(at, _)| *at);
    Scale { top, above: all }
}

/// The value that most of a series stay below.
fn usual(values: &[(Timestamp, f64)]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().map(|(_, v)| *v).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() as f64 * USUAL) as usize).or(sorted.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::super::{Point, Series, Unit};
    use super::*;
    use jiff::tz::TimeZone;
    use ratatui::style::Style;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn scale_of(values: impl Fn(i64) -> f64, whole: bool) -> Scale {
        let points: Vec<Point> = (0..100).map(|s| Point { at: at(s), value: Some(values(s)) }).collect();
        let series = [Series { points: &points, style: Style::new() }];
        scale(&Graph {
            from: at(0),
            to: at(100),
            series: &series,
            marks: &[],
            cursor: None,
            unit: Unit::Bytes,
            least_top: 1e6,
            whole,
            gap: jiff::SignedDuration::from_secs(5),
            zone: &TimeZone::UTC,
            times: true,
        })
    }

    #[test]
    fn a_rare_peak_of_long_ago_does_not_flatten_the_rest() {
        let copy = |s| if s == 10 { 50e6 } else { 20e3 };
        assert_eq!(scale_of(copy, false), Scale { top: 1e6, above: vec![(at(10), 50e6)] });
        assert_eq!(scale_of(copy, true), Scale { top: 50e6, above: vec![] });
    }

    #[test]
    fn what_is_new_or_lasts_or_is_not_far_above_is_never_cut() {
        assert_eq!(scale_of(|s| if s == 80 { 50e6 } else { 0.0 }, false).top, 50e6);
        assert_eq!(scale_of(|s| if s < 20 { 50e6 } else { 0.0 }, false).top, 50e6);
        assert_eq!(scale_of(|s| if s == 10 { 9e6 } else { 0.0 }, false).top, 10e6);
        assert_eq!(scale_of(|_| f64::NAN, false), Scale { top: 1e6, above: vec![] });
    }
}
