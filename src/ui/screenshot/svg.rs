//! A buffer as SVG: what the console looks like, for the manual and for review, written by a test.
//!
//! Cells have a fixed size and every run of text says how long it is, so the picture is the same whatever monospace
//! font the reader has. Lines, blocks and braille are drawn as shapes: no font is asked for them and no seams show.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

use super::{cells, shapes};
use crate::ui::theme::rgb_of;

/// Cell size in pixels. Whole ones: fractions would show as seams between shapes.
pub(super) const CELL: (f64, f64) = (8.0, 17.0);
/// The baseline within a cell.
const BASELINE: f64 = 12.7;
const MARGIN: f64 = 14.0;
const FONTS: &str = "'JetBrains Mono','Cascadia Mono','DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace";

/// What the terminal's own colours look like in the picture.
#[derive(Clone, Copy, Debug)]
pub struct Svg<'a> {
    /// Said to readers who can't see it.
    pub title: &'a str,
    /// The terminal's own text colour.
    pub foreground: Color,
    /// The terminal's own background.
    pub background: Color,
}

/// A piece of a row in one style.
struct Run {
    x: u16,
    cells: u16,
    text: String,
    fg: (u8, u8, u8),
    modifier: Modifier,
}

/// The picture.
pub fn svg(buf: &Buffer, how: &Svg<'_>) -> String {
    let (w, h) = (f64::from(buf.area.width) * CELL.0, f64::from(buf.area.height) * CELL.1);
    let (full_w, full_h) = (w + 2.0 * MARGIN, h + 2.0 * MARGIN);
    let ground = hex(rgb(ground_of(buf, how), how.background));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {full_w:.1} {full_h:.1}\" width=\"{full_w:.0}\" height=\"{full_h:.0}\" role=\"img\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escape(how.title));
    let _ = writeln!(
        out,
        "<style>text{{font-family:{FONTS};font-size:13.3px;white-space:pre}}.b{{font-weight:700}}.i{{font-style:italic}}</style>"
    );
    let _ = writeln!(out, "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{ground}\"/>");
    let _ = writeln!(out, "<g transform=\"translate({MARGIN},{MARGIN})\" xml:space=\"preserve\">");
    for y in buf.area.top()..buf.area.bottom() {
        backgrounds(&mut out, buf, y, how, &ground);
    }
    for y in buf.area.top()..buf.area.bottom() {
        for run in runs(buf, y, how) {
            draw_run(&mut out, &run, f64::from(y - buf.area.top()) * CELL.1);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// The background most cells have.
fn ground_of(buf: &Buffer, how: &Svg<'_>) -> Color {
    let corner = buf.content.first().map_or(Color::Reset, |c| c.bg);
    if corner == Color::Reset { how.background } else { corner }
}

fn rgb(c: Color, own: Color) -> (u8, u8, u8) {
    rgb_of(c).or_else(|| rgb_of(own)).unwrap_or_default()
}

/// What a cell's foreground and background really are.
fn colours(cell: &Cell, how: &Svg<'_>) -> ((u8, u8, u8), (u8, u8, u8)) {
    let (fg, bg) = (rgb(cell.fg, how.foreground), rgb(cell.bg, how.background));
    let (fg, bg) = if cell.modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) };
    let mix = |a: u8, b: u8| ((u16::from(a) * 3 + u16::from(b) * 2) / 5) as u8;
    let dim = (mix(fg.0, bg.0), mix(fg.1, bg.1), mix(fg.2, bg.2));
    (if cell.modifier.contains(Modifier::DIM) { dim } else { fg }, bg)
}

fn backgrounds(out: &mut String, buf: &Buffer, y: u16, how: &Svg<'_>, ground: &str) {
    // The second cell of a wide character has no style of its own.
    let mut row = cells(buf, y).map(|(x, cell, w)| (x, w, colours(cell, how).1)).peekable();
    while let Some((x, w, colour)) = row.next() {
        let mut end = x + w;
        while let Some((next, w, _)) = row.next_if(|(_, _, c)| *c == colour) {
            end = next + w;
        }
        let colour = hex(colour);
        if colour != ground {
            let (left, top) = (f64::from(x - buf.area.left()) * CELL.0, f64::from(y - buf.area.top()) * CELL.1);
            let width = f64::from(end - x) * CELL.0;
            let _ = writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                CELL.1
            );
        }
    }
}

/// Runs of one style. A character drawn as a shape, a wide one, or one that fonts disagree about is a run of its own.
fn runs(buf: &Buffer, y: u16, how: &Svg<'_>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for (x, cell, w) in cells(buf, y) {
        let symbol = cell.symbol();
        let (fg, _) = colours(cell, how);
        let look = cell.modifier & (Modifier::BOLD | Modifier::ITALIC | Modifier::UNDERLINED | Modifier::CROSSED_OUT);
        let blank = symbol.trim().is_empty();
        let plain = w == 1 && symbol.chars().all(|c| c.is_ascii() || ('\u{a0}'..'\u{250}').contains(&c));
        let x = x - buf.area.left();
        if let Some(run) = out.last_mut() {
            let fits = run.x + run.cells == x && run.fg == fg && run.modifier == look;
            let run_plain = run.text.chars().all(|c| c.is_ascii() || ('\u{a0}'..'\u{250}').contains(&c));
            if fits && plain && run_plain {
                run.text.push_str(symbol);
                run.cells += 1;
                continue;
            }
        }
        if !blank || look.contains(Modifier::UNDERLINED) {
            out.push(Run { x, cells: w, text: symbol.to_owned(), fg, modifier: look });
        }
    }
    out
}

fn draw_run(out: &mut String, run: &Run, top: f64) {
    let x = f64::from(run.x) * CELL.0;
    let fill = hex(run.fg);
    let mut chars = run.text.chars();
    if let (Some(c), None) = (chars.next(), chars.next())
        && let Some(shape) = shapes::of(c, x, top, &fill)
    {
        let _ = writeln!(out, "{shape}");
        return;
    }
    let text = run.text.trim_end();
    let width = f64::from(run.cells) * CELL.0;
    if !text.is_empty() {
        let trimmed = run.text.chars().count() - text.chars().count();
        let length = f64::from(run.cells - trimmed as u16) * CELL.0;
        let class = match (run.modifier.contains(Modifier::BOLD), run.modifier.contains(Modifier::ITALIC)) {
            (true, true) => " class=\"b i\"",
            (true, false) => " class=\"b\"",
            (false, true) => " class=\"i\"",
            (false, false) => "",
        };
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fill}\"{class}>{}</text>",
            top + BASELINE,
            escape(text)
        );
    }
    for (modifier, at) in [(Modifier::UNDERLINED, BASELINE + 2.2), (Modifier::CROSSED_OUT, BASELINE - 4.5)] {
        if run.modifier.contains(modifier) {
            let y = top + at;
            let _ =
                writeln!(out, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"1\" fill=\"{fill}\"/>");
        }
    }
}

fn hex((r, g, b): (u8, u8, u8)) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    const HOW: Svg<'_> = Svg { title: "a <b>", foreground: Color::White, background: Color::Black };

    #[test]
    fn runs_are_merged_and_escaped() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "a < b & c", Style::new());
        let out = svg(&buf, &HOW);
        assert_eq!(out.matches("<text").count(), 1);
        assert!(out.contains("a &lt; b &amp; c</text>"), "{out}");
        assert!(out.contains("<title>a &lt;b&gt;</title>"));
    }

    #[test]
    fn lines_and_blocks_are_shapes() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "╭─┼═█▌▁░⣿┊", Style::new());
        let out = svg(&buf, &HOW);
        assert_eq!(out.matches("<text").count(), 0, "{out}");
        assert_eq!(out.matches("<path").count(), 10, "{out}");
    }

    #[test]
    fn wide_characters_keep_two_cells() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
        buf.set_string(0, 0, "数b", Style::new());
        let out = svg(&buf, &HOW);
        assert!(out.contains("textLength=\"16.0\""), "{out}");
        assert!(out.contains("<text x=\"16.0\""), "{out}");
    }

    #[test]
    fn reversed_cells_change_places() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 3, 1));
        buf.set_string(1, 0, "x", Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED));
        let out = svg(&buf, &HOW);
        assert!(out.contains("<rect x=\"8.0\" y=\"0.0\" width=\"8.0\" height=\"17.0\" fill=\"#cd0000\"/>"), "{out}");
    }
}
