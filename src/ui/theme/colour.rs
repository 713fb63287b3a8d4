//! Colours: reading them, how far apart they are, and what a terminal with fewer of them shows instead.

use ratatui::style::{Color, Modifier, Style};

use super::Role;

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: meaning is carried by marks, words and modifiers (`NO_COLOR`, `TERM=dumb`).
    None,
    /// The terminal's own sixteen.
    Sixteen,
    /// The xterm palette of 256.
    Indexed,
    /// 24 bits.
    #[default]
    True,
}

impl Depth {
    /// What the environment promises. `NO_COLOR` counts when set and not empty (no-color.org).
    pub fn of_environment(var: impl Fn(&str) -> Option<String>) -> Depth {
        let get = |name: &str| var(name).unwrap_or_default();
        let term = get("TERM");
        if !get("NO_COLOR").is_empty() || term == "dumb" {
            return Depth::None;
        }
        let program = get("TERM_PROGRAM");
        let truecolor = matches!(get("COLORTERM").as_str(), "truecolor" | "24bit")
            || !get("WT_SESSION").is_empty()
            || ["direct", "kitty", "alacritty", "ghostty", "wezterm", "foot"].iter().any(|t| term.contains(t))
            || ["iTerm.app", "WezTerm", "ghostty", "vscode"].contains(&program.as_str());
        match term {
            _ if truecolor => Depth::True,
            t if t.contains("256") => Depth::Indexed,
            _ => Depth::Sixteen,
        }
    }

    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Depth::None => "none",
            Depth::Sixteen => "16",
            Depth::Indexed => "256",
            Depth::True => "truecolor",
        }
    }

    /// The depth of this name in settings.
    pub fn named(name: &str) -> Option<Depth> {
        Some(match name {
            "none" => Depth::None,
            "16" => Depth::Sixteen,
            "256" => Depth::Indexed,
            "truecolor" => Depth::True,
            _ => return None,
        })
    }
}

/// Names of the terminal's own colours.
pub(super) const NAMED: &[(&str, Color)] = &[
    ("terminal", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("gray", Color::Gray),
    ("dark-gray", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];

/// `#rrggbb`, `#rgb`, one of the terminal's own names, or `0` … `255` of the xterm palette.
pub(super) fn parse(text: &str) -> Option<Color> {
    if let Some(hex) = text.strip_prefix('#') {
        if !hex.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let n = u32::from_str_radix(hex, 16).ok()?;
        return match hex.len() {
            6 => Some(Color::Rgb((n >> 16) as u8, (n >> 8) as u8, n as u8)),
            3 => Some(Color::Rgb((n >> 8) as u8 * 17, (n >> 4 & 15) as u8 * 17, (n & 15) as u8 * 17)),
            _ => None,
        };
    }
    if let Ok(n) = text.parse::<u8>() {
        return Some(Color::Indexed(n));
    }
    NAMED.iter().find(|(name, _)| *name == text).map(|(_, c)| *c)
}

/// The xterm palette: 16 usual colours, a 6×6×6 cube, 24 greys.
fn indexed(n: u8) -> (u8, u8, u8) {
    const BASE: [(u8, u8, u8); 16] = [
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
        (127, 127, 127),
        (255, 0, 0),
        (0, 255, 0),
        (255, 255, 0),
        (92, 92, 255),
        (255, 0, 255),
        (0, 255, 255),
        (255, 255, 255),
    ];
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match n {
        0..=15 => BASE[usize::from(n)],
        16..=231 => (level((n - 16) / 36), level((n - 16) / 6 % 6), level((n - 16) % 6)),
        grey => (8 + 10 * (grey - 232), 8 + 10 * (grey - 232), 8 + 10 * (grey - 232)),
    }
}

/// The red, green and blue of a colour; `None` for the terminal's own default.
pub fn rgb_of(colour: Color) -> Option<(u8, u8, u8)> {
    Some(match colour {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(n) => indexed(n),
        named => indexed(NAMED.iter().position(|(_, c)| *c == named).unwrap_or(1) as u8 - 1),
    })
}

/// WCAG 2 contrast of two colours, 1 to 21. `None` where one is the terminal's own default and can't be known.
pub fn contrast(a: Color, b: Color) -> Option<f64> {
    let luminance = |c: Color| {
        let (r, g, b) = rgb_of(c)?;
        let part = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b))
    };
    let (a, b) = (luminance(a)?, luminance(b)?);
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

/// The nearest of the xterm palette's cube and greys (the first sixteen are the terminal's own and unknown).
fn to_indexed(colour: Color) -> Color {
    let Color::Rgb(r, g, b) = colour else { return colour };
    let distance = |n: u8| {
        let (x, y, z) = indexed(n);
        let d = |a: u8, b: u8| (i32::from(a) - i32::from(b)).pow(2);
        // Green weighs most and blue least, as the eye does.
        3 * d(r, x) + 4 * d(g, y) + 2 * d(b, z)
    };
    (16..=255u8).min_by_key(|n| distance(*n)).map_or(colour, Color::Indexed)
}

/// A style in the colours that are there.
pub(super) fn downsample(role: Role, style: Style, depth: Depth) -> Style {
    match depth {
        Depth::True | Depth::Sixteen => style,
        Depth::Indexed => Style { fg: style.fg.map(to_indexed), bg: style.bg.map(to_indexed), ..style },
        Depth::None => Style::new().add_modifier(plain(role)),
    }
}

/// What tells a role without colour. The marks and words beside it tell the rest.
fn plain(role: Role) -> Modifier {
    match role {
        Role::Accent | Role::Title | Role::Primary | Role::Key | Role::BorderFocus => Modifier::BOLD,
        Role::Selected => Modifier::REVERSED,
        Role::Match => Modifier::UNDERLINED,
        Role::Warn => Modifier::BOLD,
        Role::Bad => Modifier::BOLD.union(Modifier::UNDERLINED),
        Role::Danger => Modifier::BOLD.union(Modifier::REVERSED),
        Role::Dim | Role::Stale | Role::Border => Modifier::DIM,
        _ => Modifier::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> Depth {
        Depth::of_environment(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_environment_says_what_there_is() {
        assert_eq!(env(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(env(&[("TERM", "xterm-kitty")]), Depth::True);
        assert_eq!(env(&[("TERM", "tmux-256color")]), Depth::Indexed);
        assert_eq!(env(&[("TERM", "xterm")]), Depth::Sixteen);
        assert_eq!(env(&[]), Depth::Sixteen);
        assert_eq!(env(&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(env(&[("TERM", "xterm-kitty"), ("NO_COLOR", "")]), Depth::True);
    }

    #[test]
    fn colours_are_read() {
        assert_eq!(parse("#0af"), Some(Color::Rgb(0, 170, 255)));
        assert_eq!(parse("#102030"), Some(Color::Rgb(16, 32, 48)));
        assert_eq!(parse("light-red"), Some(Color::LightRed));
        assert_eq!(parse("208"), Some(Color::Indexed(208)));
        for wrong in ["", "#12", "#+12345", "#ggg", "256", "rot"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn contrast_as_wcag_has_it() {
        let (black, white) = (Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255));
        assert_eq!(contrast(black, white).map(f64::round), Some(21.0));
        assert_eq!(contrast(black, Color::Reset), None);
        assert_eq!(rgb_of(Color::White), Some((255, 255, 255)));
    }

    #[test]
    fn fewer_colours() {
        assert_eq!(to_indexed(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(to_indexed(Color::Rgb(8, 8, 8)), Color::Indexed(232));
        let bad = downsample(Role::Bad, Style::new().fg(Color::Red), Depth::None);
        assert_eq!((bad.fg, bad.bg), (None, None));
        assert!(bad.add_modifier.contains(Modifier::UNDERLINED));
    }
}
