//! `howdah themes`: the themes there are, each in its own colours.

use ratatui::style::{Color, Modifier, Style};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use super::args::{Global, ThemesArgs};
use crate::document::mistake::did_you_mean;
use crate::problem::{Exit, Problem};
use crate::settings::{Loaded, Places};
use crate::ui::marks::Marks;
use crate::ui::text::fit;
use crate::ui::theme::{Depth, Look, Role, Themes};

/// Lists the themes, or shows one role by role.
///
/// # Errors
/// There is no such theme, or no place for settings.
pub fn run(global: &Global, args: &ThemesArgs) -> Result<Exit, Problem> {
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    let loaded = Loaded::read(&places);
    let (themes, _) = Themes::with(loaded.themes.iter().cloned());
    let chosen = global.theme.as_deref().unwrap_or(&loaded.settings.theme);
    let depth = match loaded.settings.colours {
        _ if !io::stdout().is_terminal() => Depth::None,
        Some(depth) => depth,
        None => Depth::of_environment(|name| std::env::var(name).ok()),
    };
    let marks = Marks::of(loaded.settings.ascii);
    let text = match &args.show {
        None => list(&themes, chosen, depth, marks),
        Some(name) => {
            let Some(theme) = themes.get(name) else {
                let names: Vec<_> = themes.names().collect();
                let hint = did_you_mean(name, names.iter().copied());
                return Err(Problem::usage(format!("no such theme: {name}{hint}"))
                    .because(format!("there are {}", names.join(", ")))
                    .try_this("howdah themes"));
            };
            format!("{name}: {}\n{}", theme.about, roles(&themes.look(name, depth, marks)))
        }
    };
    // A reader that has gone needs no more lines.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(Exit::Ok)
}

/// A line for each theme; `*` is before the one in use.
fn list(themes: &Themes, chosen: &str, depth: Depth, marks: Marks) -> String {
    let mut out = String::new();
    for name in themes.names() {
        let look = themes.look(name, depth, marks);
        let about = themes.get(name).map_or("", |t| t.about.as_str());
        let mark = if name == chosen { "*" } else { " " };
        let _ = write!(out, "{mark} {} ", fit(name, 16, "…"));
        if depth != Depth::None {
            let samples = [
                (Role::Good, marks.good),
                (Role::Warn, marks.warn),
                (Role::Bad, marks.bad),
                (Role::Unknown, marks.unknown),
                (Role::Primary, marks.primary),
                (Role::Sync, marks.quorum),
                (Role::Accent, "Ab"),
                (Role::Text, "Ab"),
                (Role::Dim, "Ab"),
            ];
            out.extend(samples.map(|(role, text)| paint(&look, role, &format!(" {text}"))));
            out.push_str(&paint(&look, Role::Text, " "));
            out.push_str("  ");
        }
        out.push_str(about);
        out.push('\n');
    }
    out
}

/// A line for each role, in its own style.
fn roles(look: &Look) -> String {
    let line = |role: &Role| {
        let name = fit(role.name(), 14, "…");
        if look.depth == Depth::None {
            format!("{name} {}\n", role.meaning())
        } else {
            format!(
                "{}{}\n",
                paint(look, *role, &format!(" {name}")),
                paint(look, Role::Text, &fit(role.meaning(), 52, "…"))
            )
        }
    };
    Role::ALL.iter().map(line).collect()
}

/// A text in a role's style on the theme's background, as a terminal's escape sequence (ECMA-48 SGR).
fn paint(look: &Look, role: Role, text: &str) -> String {
    let style = look.style(Role::Text).patch(look.style(role));
    format!("\x1b[0{}m{text}\x1b[0m", codes(style))
}

fn codes(style: Style) -> String {
    let mut out = String::new();
    for (modifier, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if style.add_modifier.contains(modifier) {
            let _ = write!(out, ";{code}");
        }
    }
    for (colour, base) in [(style.fg, 30), (style.bg, 40)] {
        if let Some(colour) = colour {
            out.push_str(&code(colour, base));
        }
    }
    out
}

/// A colour's code; `base` is 30 for text and 40 for backgrounds.
fn code(colour: Color, base: u8) -> String {
    const NAMED: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match (colour, NAMED.iter().position(|c| *c == colour)) {
        (Color::Rgb(r, g, b), _) => format!(";{};2;{r};{g};{b}", base + 8),
        (Color::Indexed(n), _) => format!(";{};5;{n}", base + 8),
        (_, Some(n)) if n < 8 => format!(";{}", base + n as u8),
        (_, Some(n)) => format!(";{}", base + 52 + n as u8),
        _ => format!(";{}", base + 9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_as_terminals_know_them() {
        assert_eq!(code(Color::Rgb(1, 2, 3), 30), ";38;2;1;2;3");
        assert_eq!(code(Color::Indexed(7), 40), ";48;5;7");
        assert_eq!([code(Color::Red, 30), code(Color::LightRed, 30), code(Color::White, 40)], [";31", ";91", ";107"]);
        assert_eq!(code(Color::Reset, 40), ";49");
    }

    #[test]
    fn without_a_terminal_there_are_no_escapes() {
        let themes = Themes::shipped();
        let text = list(&themes, "nord", Depth::None, Marks::SIGNS);
        assert!(text.lines().any(|l| l.starts_with("* nord")) && !text.contains('\x1b'), "{text}");
        assert_eq!(text.lines().count(), themes.names().count());
        assert!(list(&themes, "nord", Depth::True, Marks::SIGNS).contains("\x1b[0"));
        let roles = roles(&themes.look("nord", Depth::None, Marks::SIGNS));
        assert_eq!(roles.lines().count(), Role::ALL.len());
    }
}
