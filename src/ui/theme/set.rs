//! All themes: the shipped ones, a person's own, and what each inherits.

use include_dir::{Dir, include_dir};
use ratatui::style::{Color, Style};
use std::collections::BTreeMap;

use super::file::{Paint, Stroke, Written, read};
use super::{Depth, Look, Role, colour};
use crate::document::mistake::{Mistake, did_you_mean};
use crate::ui::marks::Marks;
use crate::ui::resolve::{self, Inherits};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/themes");

/// The theme used when none is chosen.
pub const DEFAULT: &str = "default";
/// The theme that uses the terminal's own sixteen colours.
const TERMINAL: &str = "terminal";

/// A theme with all it inherits.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Its file's name without `.toml`.
    pub name: String,
    /// One line about it.
    pub about: String,
    styles: Vec<Style>,
}

/// All themes by name.
#[derive(Clone, Debug)]
pub struct Themes {
    all: BTreeMap<String, Theme>,
}

impl Themes {
    /// The shipped themes.
    pub fn shipped() -> Themes {
        Themes::with([]).0
    }

    /// The shipped themes and a person's own `(path, text)`; a file of a shipped theme's name replaces it. A theme with
    /// a mistake is left out as a whole (the shipped one of that name stays), and every mistake is reported.
    pub fn with(own: impl IntoIterator<Item = (String, String)>) -> (Themes, Vec<Mistake>) {
        let (all, mistakes) = resolve::resolve(shipped_files(), own);
        (Themes { all }, mistakes)
    }

    /// Names in order, the default first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        resolve::names(&self.all, DEFAULT)
    }

    /// A theme by its name.
    pub fn get(&self, name: &str) -> Option<&Theme> {
        self.all.get(name)
    }

    /// The theme after this one, round and round.
    pub fn after(&self, name: &str) -> &str {
        let mut names = self.names().skip_while(|n| *n != name);
        names.nth(1).unwrap_or(DEFAULT)
    }

    /// A theme made ready for a terminal. An unknown name gives the default. Where the terminal has sixteen colours,
    /// a theme of finer ones is replaced by the one that uses the terminal's own: sixteen guesses would be unreadable.
    pub fn look(&self, name: &str, depth: Depth, marks: Marks) -> Look {
        let chosen = self.get(name).or_else(|| self.get(DEFAULT));
        let theme = match chosen {
            Some(t) if depth == Depth::Sixteen && !t.fits_sixteen() => self.get(TERMINAL).or(chosen),
            other => other,
        };
        let styles = match theme {
            Some(t) => Role::ALL.iter().map(|r| colour::downsample(*r, t.style(*r), depth)).collect(),
            None => vec![Style::new(); Role::ALL.len()],
        };
        Look { name: theme.map_or_else(|| name.to_owned(), |t| t.name.clone()), marks, depth, styles }
    }
}

impl Theme {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// Whether it uses only the terminal's own colours.
    fn fits_sixteen(&self) -> bool {
        let fine = |c: Option<Color>| matches!(c, Some(Color::Rgb(..) | Color::Indexed(16..)));
        !self.styles.iter().any(|s| fine(s.fg) || fine(s.bg))
    }
}

fn shipped_files() -> impl Iterator<Item = (String, &'static str)> {
    resolve::files("themes", &SHIPPED)
}

impl Inherits for Theme {
    type Written = Written;

    fn read(file: &str, text: &str) -> (Written, Vec<Mistake>) {
        read(file, text)
    }

    fn file(written: &Written) -> &str {
        &written.file
    }

    fn resolve(name: &str, all: &BTreeMap<String, Written>) -> Result<Theme, Vec<Mistake>> {
        resolve(name, all)
    }
}

/// The chain from a theme to what it inherits at last, the theme itself first.
fn chain<'w>(name: &str, all: &'w BTreeMap<String, Written>) -> Result<Vec<&'w Written>, Vec<Mistake>> {
    let mut chain: Vec<(&str, &Written)> = Vec::new();
    let mut next = all.get_key_value(name);
    while let Some((name, theme)) = next {
        chain.push((name, theme));
        let Some(parent) = &theme.inherits else {
            // What says nothing of its parent stands on the default theme.
            next = all.get_key_value(DEFAULT).filter(|(n, _)| *n != name);
            continue;
        };
        let wrong = |what: String| vec![Mistake::at(&theme.file, &theme.text, parent.at.clone(), what)];
        next = all.get_key_value(&parent.text);
        match next {
            None => {
                let hint = did_you_mean(&parent.text, all.keys().map(String::as_str));
                return Err(wrong(format!("no such theme: `{}`{hint}", parent.text)));
            }
            Some((n, _)) if chain.iter().any(|(seen, _)| *seen == n) => {
                return Err(wrong(format!("`{name}` inherits itself through `{}`", parent.text)));
            }
            Some(_) => {}
        }
    }
    Ok(chain.into_iter().map(|(_, t)| t).collect())
}

fn resolve(name: &str, all: &BTreeMap<String, Written>) -> Result<Theme, Vec<Mistake>> {
    let chain = chain(name, all)?;
    let palette: BTreeMap<&str, &str> =
        chain.iter().rev().flat_map(|t| t.palette.iter().map(|(k, p)| (k.as_str(), p.text.as_str()))).collect();
    let mut mistakes = Vec::new();
    let mut styles = vec![Style::new(); Role::ALL.len()];
    let mut set = vec![false; Role::ALL.len()];
    for theme in chain.iter().rev() {
        for (role, stroke) in &theme.roles {
            styles[*role as usize] = style(stroke, &palette, theme, &mut mistakes);
            set[*role as usize] = true;
        }
    }
    for (role, _) in Role::ALL.iter().zip(&set).filter(|(_, set)| !**set) {
        mistakes.push(Mistake::of_file(&chain[0].file, format!("role `{}` is not set", role.name())));
    }
    if mistakes.is_empty() {
        Ok(Theme { name: name.to_owned(), about: chain[0].about.clone(), styles })
    } else {
        Err(mistakes)
    }
}

fn style(stroke: &Stroke, palette: &BTreeMap<&str, &str>, theme: &Written, mistakes: &mut Vec<Mistake>) -> Style {
    let mut resolve = |paint: &Paint| {
        let text = palette.get(paint.text.as_str()).copied().unwrap_or(&paint.text);
        let found = colour::parse(text);
        if found.is_none() {
            let known = palette.keys().copied().chain(colour::NAMED.iter().map(|(n, _)| *n));
            let what = format!("no such colour: `{}`{}", paint.text, did_you_mean(&paint.text, known));
            mistakes.push(Mistake::at(&theme.file, &theme.text, paint.at.clone(), what));
        }
        found
    };
    let fg = stroke.fg.as_ref().and_then(&mut resolve);
    let bg = stroke.bg.as_ref().and_then(&mut resolve);
    Style { fg, bg, ..Style::new().add_modifier(stroke.modifiers) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
