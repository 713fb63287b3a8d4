//! Pictures of a buffer: as text, as a grid of style letters with a legend (for snapshots), as SVG.

mod shapes;
mod svg;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::collections::BTreeMap;
use std::fmt::Write;

use super::text::width;

pub use svg::{Svg, svg};

/// The text of a buffer, a line per row, without trailing blanks.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area.top()..buf.area.bottom() {
        let row: String = cells(buf, y).map(|(_, c, _)| c.symbol()).collect();
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

/// The text, then the same grid with a letter for each style (`.` is the most frequent), then what the letters mean:
/// a change of colour appears in a review as letters at a place, with names.
pub fn styled(buf: &Buffer) -> String {
    let mut count: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let all = (buf.area.top()..buf.area.bottom()).flat_map(|y| cells(buf, y));
    for (n, (_, cell, w)) in all.enumerate() {
        count.entry(name_of(cell)).or_insert((0, n)).0 += usize::from(w);
    }
    let mut styles: Vec<_> = count.into_iter().collect();
    let most = styles.iter().max_by_key(|(_, (n, _))| *n).map(|(s, _)| s.clone()).unwrap_or_default();
    // Letters in order of appearance, so that a change below leaves those above as they were.
    styles.sort_by_key(|(_, (_, first))| *first);
    let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(std::iter::repeat('#'));
    let rest = styles.into_iter().map(|(s, _)| s).filter(|s| *s != most).zip(letters);
    let letters: BTreeMap<String, char> = rest.chain([(most.clone(), '.')]).collect();
    let mut out = text(buf);
    out.push_str("---\n");
    for y in buf.area.top()..buf.area.bottom() {
        let letter = |cell| letters.get(&name_of(cell)).copied().unwrap_or('#');
        let row: String = cells(buf, y).flat_map(|(_, c, w)| std::iter::repeat_n(letter(c), usize::from(w))).collect();
        let _ = writeln!(out, "{}", row.trim_end_matches('.'));
    }
    out.push_str("---\n");
    let mut legend: Vec<_> = letters.iter().collect();
    legend.sort_by_key(|(_, letter)| (**letter != '.', letter.is_ascii_digit(), letter.is_uppercase(), **letter));
    for (style, letter) in legend {
        let _ = writeln!(out, "{letter} {style}");
    }
    out
}

/// Cells of a row that start a character, with their column and width.
fn cells(buf: &Buffer, y: u16) -> impl Iterator<Item = (u16, &Cell, u16)> {
    let mut next = buf.area.left();
    (buf.area.left()..buf.area.right()).filter_map(move |x| {
        let cell = &buf[(x, y)];
        let w = (width(cell.symbol()) as u16).max(1);
        if x < next {
            return None;
        }
        next = x + w;
        Some((x, cell, w))
    })
}

fn name_of(cell: &Cell) -> String {
    let mut name = format!("{} on {}", colour(cell.fg), colour(cell.bg));
    if !cell.modifier.is_empty() {
        for (modifier, word) in [
            (Modifier::BOLD, "bold"),
            (Modifier::DIM, "dim"),
            (Modifier::ITALIC, "italic"),
            (Modifier::UNDERLINED, "underlined"),
            (Modifier::REVERSED, "reversed"),
            (Modifier::CROSSED_OUT, "crossed out"),
        ] {
            if cell.modifier.contains(modifier) {
                name.push(' ');
                name.push_str(word);
            }
        }
    }
    name
}

fn colour(c: Color) -> String {
    match c {
        Color::Reset => "terminal".into(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn styles_are_letters_with_names() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 7, 2));
        buf.set_string(0, 0, "数据 x", Style::new().fg(Color::Rgb(255, 0, 0)));
        buf.set_string(2, 1, "ok", Style::new().fg(Color::Green).add_modifier(Modifier::BOLD));
        let expected = "数据 x
  ok
---
aaaaaa
..bb
---
. terminal on terminal
a #ff0000 on terminal
b green on terminal bold
";
        // Six red cells, two green ones and six of the terminal's own: of equals the later name is the dot.
        assert_eq!(styled(&buf), expected);
    }
}
