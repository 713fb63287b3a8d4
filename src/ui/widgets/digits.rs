//! A number three rows high: found at once from across the room.

use crate::ui::marks::Marks;

/// What a figure is made of, row by row: signs, then plain ASCII.
const FIGURES: [(char, [&str; 3], [&str; 3]); 12] = [
    ('0', ["┏━┓", "┃ ┃", "┗━┛"], [" _ ", "| |", "|_|"]),
    ('1', ["  ╻", "  ┃", "  ╹"], ["   ", "  |", "  |"]),
    ('2', ["╺━┓", "┏━┛", "┗━╸"], [" _ ", " _|", "|_ "]),
    ('3', ["╺━┓", "╺━┫", "╺━┛"], [" _ ", " _|", " _|"]),
    ('4', ["╻ ╻", "┗━┫", "  ╹"], ["   ", "|_|", "  |"]),
    ('5', ["┏━╸", "┗━┓", "╺━┛"], [" _ ", "|_ ", " _|"]),
    ('6', ["┏━╸", "┣━┓", "┗━┛"], [" _ ", "|_ ", "|_|"]),
    ('7', ["╺━┓", "  ┃", "  ╹"], [" _ ", "  |", "  |"]),
    ('8', ["┏━┓", "┣━┫", "┗━┛"], [" _ ", "|_|", "|_|"]),
    ('9', ["┏━┓", "┗━┫", "╺━┛"], [" _ ", "|_|", " _|"]),
    ('.', [" ", " ", "."], [" ", " ", "."]),
    (':', [" ", ".", "."], [" ", ".", "."]),
];

/// The rows of a text of figures, `.` and `:`. Anything else is left out.
pub fn rows(text: &str, marks: &Marks) -> [String; 3] {
    let mut out = [const { String::new() }; 3];
    for (n, figure) in text.chars().enumerate() {
        let Some((_, signs, ascii)) = FIGURES.iter().find(|(c, ..)| *c == figure) else { continue };
        let rows = if marks.ascii { ascii } else { signs };
        for (line, part) in out.iter_mut().zip(rows) {
            if n > 0 {
                line.push(' ');
            }
            line.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::text::width;

    #[test]
    fn rows_are_of_one_width() {
        for marks in [Marks::SIGNS, Marks::ASCII] {
            let rows = rows("0123456789:.", &marks);
            assert!(rows.iter().all(|r| width(r) == width(&rows[0])), "{rows:?}");
            assert!(!marks.ascii || rows.iter().all(|r| r.is_ascii()));
        }
    }

    #[test]
    fn a_number_stands_there() {
        assert_eq!(rows("3.9", &Marks::ASCII).join("\n"), " _     _ \n _|   |_|\n _| .  _|");
    }
}
