//! Marks: every state has one besides its colour. Each is one cell wide, and has a plain ASCII form.

use crate::domain::health::Level;

macro_rules! marks {
    ($( $name:ident $sign:literal $ascii:literal $doc:literal, )+) => {
        /// The marks in use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Marks {
            /// Plain ASCII was asked for.
            pub ascii: bool,
            $( #[doc = $doc] pub $name: &'static str, )+
        }

        impl Marks {
            /// Signs, as any font of a terminal has them.
            pub const SIGNS: Marks = Marks { ascii: false, $( $name: $sign, )+ };
            /// Plain ASCII.
            pub const ASCII: Marks = Marks { ascii: true, $( $name: $ascii, )+ };

            /// All of them with their meaning.
            pub fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![ $( (self.$name, $doc), )+ ]
            }
        }
    };
}

marks! {
    good "●" "o" "ok",
    warn "▲" "!" "warning",
    bad "✖" "X" "bad",
    unknown "?" "?" "unknown",
    primary "★" "*" "primary",
    sync "◆" "S" "synchronous standby",
    quorum "◈" "Q" "standby of a quorum",
    potential "◊" "P" "synchronous when another fails",
    asynchronous "◇" "A" "asynchronous standby",
    broken "╳" "x" "follows nobody",
    pooler "◎" "@" "pooler",
    connecting "◌" "." "connecting",
    late "◐" "%" "late",
    absent "○" "-" "not to be had here",
    frozen "‖" "=" "held still",
    rising "↑" "^" "rising",
    falling "↓" "v" "falling",
    steady "→" ">" "steady",
    cursor "▸" ">" "the cursor; goes into",
    leads_to "▶" ">" "leads to",
    sorted_up "▴" "^" "sorted upwards",
    sorted_down "▾" "v" "sorted downwards",
    more "…" "~" "more than there is room for",
    nothing "–" "-" "no value",
    dot "·" "," "between things on a line",
    bar "┃" "|" "left edge of one thing",
    rule "─" "-" "a line between things",
    upright "│" "|" "an upright line",
    double "═" "=" "a connection",
    checked "✓" "x" "taken",
}

impl Marks {
    /// Signs, or plain ASCII.
    pub fn of(ascii: bool) -> Marks {
        if ascii { Marks::ASCII } else { Marks::SIGNS }
    }

    /// The mark of a level.
    pub fn level(&self, level: Level) -> &'static str {
        match level {
            Level::Ok => self.good,
            Level::Warn => self.warn,
            Level::Bad => self.bad,
            Level::Unknown => self.unknown,
        }
    }

    /// Eighths of a block from nothing to full, for bars and sparklines.
    pub fn eighths(&self) -> [&'static str; 9] {
        if self.ascii {
            [" ", "_", "_", ".", "-", "-", "=", "=", "#"]
        } else {
            [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_one_cell_wide() {
        for (mark, meaning) in Marks::SIGNS.all().into_iter().chain(Marks::ASCII.all()) {
            assert_eq!(crate::ui::text::width(mark), 1, "{meaning}");
        }
    }

    #[test]
    fn ascii_is_ascii() {
        assert!(Marks::ASCII.all().iter().all(|(mark, _)| mark.is_ascii()));
        assert!(Marks::ASCII.eighths().iter().all(|e| e.is_ascii()));
    }

    #[test]
    fn levels_and_roles_are_told_apart_without_colour() {
        for m in [Marks::SIGNS, Marks::ASCII] {
            let levels = [m.good, m.warn, m.bad, m.unknown];
            let roles = [m.primary, m.sync, m.quorum, m.potential, m.asynchronous];
            let sources = [m.good, m.late, m.bad, m.connecting, m.absent];
            for group in [&levels[..], &roles[..], &sources[..]] {
                let distinct: std::collections::BTreeSet<_> = group.iter().collect();
                assert_eq!(distinct.len(), group.len(), "{group:?}");
            }
        }
    }
}
