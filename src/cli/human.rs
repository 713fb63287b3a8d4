//! Words, marks and colours for people.

use super::output::Style;
use crate::domain::health::Level;

/// A level's mark, as everywhere in howdah.
pub fn mark(level: Level) -> &'static str {
    match level {
        Level::Ok => "●",
        Level::Warn => "▲",
        Level::Bad => "✖",
        Level::Unknown => "?",
    }
}

/// Text in a level's colour, where colours are welcome.
pub fn coloured(style: Style, level: Level, text: &str) -> String {
    let code = match level {
        Level::Ok => "32",
        Level::Warn => "33",
        Level::Bad => "31",
        Level::Unknown => "35",
    };
    dressed(style, code, text)
}

/// Text that steps back.
pub fn faint(style: Style, text: &str) -> String {
    dressed(style, "2", text)
}

/// Text that stands out.
pub fn strong(style: Style, text: &str) -> String {
    dressed(style, "1", text)
}

fn dressed(style: Style, code: &str, text: &str) -> String {
    if style.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Rows in columns, two spaces apart; the columns named in `right` stand on the right.
pub fn columns(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    use unicode_width::UnicodeWidthStr;
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| rows.iter().filter_map(|r| r.get(n)).map(|c| c.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let cell = |(n, text): (usize, &String)| {
        let pad = " ".repeat(widths[n].saturating_sub(text.width()));
        if right.contains(&n) { format!("{pad}{text}") } else { format!("{text}{pad}") }
    };
    rows.iter().map(|r| r.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand() {
        let rows = [
            vec!["NAME".into(), "LAG".into()],
            vec!["größer".into(), "8 B".into()],
            vec!["数据".into(), "12 MB".into()],
        ];
        assert_eq!(columns(&rows, &[1]), ["NAME      LAG", "größer    8 B", "数据    12 MB"]);
    }

    #[test]
    fn no_colours_where_none_are_welcome() {
        let plain = Style { colour: false, terminal: true };
        assert_eq!(coloured(plain, Level::Bad, "bad"), "bad");
        assert_eq!(coloured(Style { colour: true, terminal: true }, Level::Ok, "ok"), "\u{1b}[32mok\u{1b}[0m");
    }
}
