//! Mistakes in a person's files, with file, line and column: settings, themes, keymaps, runbooks.

use std::fmt;
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

use crate::problem::Problem;
use crate::text::clean;
pub use crate::text::nearest;

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file as the person named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub what: String,
    /// The line itself.
    pub source: String,
    /// How many characters of the line are meant.
    pub width: usize,
}

impl Mistake {
    /// A mistake at a byte range of a file's text.
    pub fn at(file: &str, text: &str, span: Range<usize>, what: impl Into<String>) -> Mistake {
        let start = floor(text, span.start);
        let end = floor(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        Mistake {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            what: what.into(),
            source: clean(text[line_start..line_end].trim_end()),
            width: text[start..end.min(line_end)].chars().count().max(1),
        }
    }

    /// A mistake of a whole file.
    pub fn of_file(file: &str, what: impl Into<String>) -> Mistake {
        Mistake { file: file.into(), line: 1, column: 1, what: what.into(), source: String::new(), width: 1 }
    }

    /// What TOML itself refuses.
    pub fn of_toml(file: &str, text: &str, error: &toml::de::Error) -> Mistake {
        let span = error.span().unwrap_or(0..0);
        let said = error.message().trim().replace('\n', ", ");
        // The parser takes a word without quotes for the number it could have become.
        let word = text
            .get(span.start..)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic() || "~/".contains(c)));
        let what = if word && said.starts_with("invalid") { "a text must stand in quotes".to_owned() } else { said };
        Mistake::at(file, text, span, what)
    }

    /// `file:line:column: what`.
    pub fn line(&self) -> String {
        format!("{}:{}:{}: {}", self.file, self.line, self.column, clean(&self.what))
    }
}

impl fmt::Display for Mistake {
    /// The line, then the source with a caret under what is meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.line())?;
        if self.source.is_empty() {
            return Ok(());
        }
        let number = self.line.to_string();
        writeln!(f, "  {number} │ {}", self.source)?;
        let before: usize = self.source.chars().take(self.column - 1).map(cells).sum();
        let carets: usize = self.source.chars().skip(self.column - 1).take(self.width).map(cells).sum();
        writeln!(f, "  {} │ {}{}", " ".repeat(number.len()), " ".repeat(before), "^".repeat(carets.max(1)))
    }
}

impl From<&Mistake> for Problem {
    fn from(m: &Mistake) -> Problem {
        Problem::usage(m.line()).try_this("howdah check")
    }
}

/// Cells a character takes.
fn cells(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The largest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// `; did you mean `x`?`, or nothing.
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, names).map_or_else(String::new, |n| format!("; did you mean `{n}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        let text = "größe = 1\nthäme = \"x\"\n";
        let at = text.find('"').unwrap();
        let m = Mistake::at("a.toml", text, at..at + 3, "no such theme: x");
        assert_eq!(m.line(), "a.toml:2:9: no such theme: x");
        assert_eq!(m.to_string(), "a.toml:2:9: no such theme: x\n  2 │ thäme = \"x\"\n    │         ^^^\n");
    }

    #[test]
    fn any_span_is_survived() {
        for span in [0..0, 3..900, 900..901, 1..2] {
            let _ = Mistake::at("a", "aä\nb", span, "x").to_string();
        }
        assert_eq!(Mistake::at("a", "", 0..0, "x").line(), "a:1:1: x");
    }

    #[test]
    fn near_names() {
        assert_eq!(nearest("quti", ["quit", "open"]), Some("quit"));
        assert_eq!(nearest("zzz", ["quit", "open"]), None);
        assert_eq!(nearest("vmi", ["vim", "emacs"]), Some("vim"));
        assert_eq!(did_you_mean("Gruvbocks", ["gruvbox", "nord"]), "; did you mean `gruvbox`?");
    }
}
