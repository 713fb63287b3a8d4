//! Small pictures of numbers on one line: a bar of how full something is, a sparkline of how it went.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::ui::theme::{Look, Role};

/// How full something is, `0.0` to `1.0`, as a bar of this many cells.
pub fn fraction<'a>(full: f64, cells: usize, look: &Look, style: Style) -> Line<'a> {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let full = if full.is_finite() { full.clamp(0.0, 1.0) } else { 0.0 };
    let eighths = (full * cells as f64 * 8.0).round() as usize;
    let whole = eighths / 8;
    let (block, track) = if look.marks.ascii { ("#", ".") } else { ("█", "░") };
    let part = if look.marks.ascii { "" } else { EIGHTHS[eighths % 8] };
    let rest = cells - whole - usize::from(!part.is_empty());
    Line::from(vec![
        Span::styled(format!("{}{part}", block.repeat(whole)), style),
        Span::styled(track.repeat(rest), look.style(Role::Border)),
    ])
}

/// How a number went: the newest values at the right, one cell each; a gap where there was none. Scaled from 0 to the
/// largest, or to `top` where that is larger, so that noise near zero does not look like a storm.
pub fn sparkline(values: &[Option<f64>], cells: usize, top: f64, look: &Look) -> String {
    let eighths = look.marks.eighths();
    let shown = &values[values.len().saturating_sub(cells)..];
    let max = shown.iter().flatten().copied().filter(|v| v.is_finite()).fold(top.max(f64::MIN_POSITIVE), f64::max);
    let mut out = " ".repeat(cells - shown.len());
    out.extend(shown.iter().map(|v| match v {
        Some(v) if v.is_finite() => eighths[((v.max(0.0) / max * 7.0).round() as usize + 1).min(8)],
        _ => eighths[0],
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::marks::Marks;
    use crate::ui::theme::{Depth, Themes};

    #[test]
    fn bars_are_exact() {
        let look = Themes::shipped().look("default", Depth::True, Marks::SIGNS);
        let text = |f| fraction(f, 4, &look, Style::new()).to_string();
        assert_eq!([text(0.0), text(0.5), text(0.28), text(1.0)], ["░░░░", "██░░", "█▏░░", "████"]);
        assert_eq!([text(f64::NAN), text(-1.0), text(7.0)], ["░░░░", "░░░░", "████"]);
    }

    #[test]
    fn sparklines_keep_gaps_and_width() {
        let look = Themes::shipped().look("default", Depth::True, Marks::SIGNS);
        let values = [Some(0.0), None, Some(5.0), Some(10.0)];
        assert_eq!(sparkline(&values, 6, 0.0, &look), "  ▁ ▅█");
        assert_eq!(sparkline(&values, 2, 20.0, &look), "▃▅");
        assert_eq!(sparkline(&[Some(0.0); 3], 3, 0.0, &look), "▁▁▁");
        let ascii = Themes::shipped().look("default", Depth::True, Marks::ASCII);
        assert!(sparkline(&values, 6, 0.0, &ascii).is_ascii());
    }
}
