//! Text from outside is data, never terminal control.

use unicode_width::UnicodeWidthStr;

/// Replaces control characters (C0, DEL, C1), bidirectional overrides and line separators, so that a pod's name or a
/// log line can't move the cursor, recolour the screen or reorder what is read. Tabs and line ends become spaces.
pub fn clean(text: &str) -> String {
    // Nearly everything is plain: told by its bytes, without reading characters.
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || text.chars().all(harmless) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if harmless(c) => c,
            _ => '\u{fffd}',
        })
        .collect()
}

/// Like [`clean`], keeping line ends: for YAML, logs and other text of many lines. Tabs become four spaces.
pub fn clean_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&clean(&line.replace('\t', "    ")));
    }
    out
}

/// As a piece of Markdown that is no Markdown of its own: a cell stays a cell, a name with underscores a name, and nobody
/// outside builds a table or a link. Line ends become spaces.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' | '#' => out.extend(['\\', c]),
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Cuts to at most `max` characters, with an ellipsis when something is missing.
pub fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// The name a person probably meant, if one is near enough to be worth saying.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Few changes (a swap is one), or the same beginning.
    let near = |name: &str| {
        let name = name.to_lowercase();
        let changes = strsim::osa_distance(&word, &name);
        let alike = strsim::jaro_winkler(&word, &name);
        (changes <= 1 + word.chars().count() / 5 && alike > 0.5 || alike >= 0.78).then_some(alike - changes as f64)
    };
    names
        .into_iter()
        .filter_map(|name| Some((near(name)?, name)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn harmless(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}'))
}

/// A paragraph in lines of at most this many cells, broken between words; a word that is longer stands alone.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|l| !l.is_empty());
        match line {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(word.to_owned()),
            None => {
                if let Some(first) = lines.last_mut() {
                    first.push_str(word);
                }
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_what_people_write() {
        assert_eq!(clean("pg-primary-1 größer 数据"), "pg-primary-1 größer 数据");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(clean_lines("a:\n\tb: \u{1b}[1m\n"), "a:\n    b: \u{fffd}[1m");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 4), ["a-very-long-word", "b"]);
        assert_eq!(wrap("数据 数据", 4), ["数据", "数据"]);
        assert_eq!(wrap("", 9), [""]);
    }

    #[test]
    fn shortens_by_characters() {
        assert_eq!(shorten("größer", 4), "grö…");
        assert_eq!(shorten("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn nothing_controls_the_terminal(s in any::<String>()) {
            prop_assert!(clean(&s).chars().all(harmless));
        }
    }
}
