//! Characters of terminals as shapes: box drawing, blocks, braille.

use std::fmt::Write;

use super::svg::CELL;

/// Arms of a box-drawing character: left, right, up, down; 0 none, 1 light, 2 heavy, 3 double.
fn arms(c: char) -> Option<[u8; 4]> {
    Some(match c {
        '─' => [1, 1, 0, 0],
        '━' => [2, 2, 0, 0],
        '═' => [3, 3, 0, 0],
        '│' => [0, 0, 1, 1],
        '┃' => [0, 0, 2, 2],
        '║' => [0, 0, 3, 3],
        '┌' => [0, 1, 0, 1],
        '┐' => [1, 0, 0, 1],
        '└' => [0, 1, 1, 0],
        '┘' => [1, 0, 1, 0],
        '├' => [0, 1, 1, 1],
        '┤' => [1, 0, 1, 1],
        '┬' => [1, 1, 0, 1],
        '┴' => [1, 1, 1, 0],
        '┼' => [1, 1, 1, 1],
        '╴' => [1, 0, 0, 0],
        '╵' => [0, 0, 1, 0],
        '╶' => [0, 1, 0, 0],
        '╷' => [0, 0, 0, 1],
        _ => return None,
    })
}

/// The shape of a character whose cell has this left and top; `None`: a font draws it.
pub(super) fn of(c: char, x: f64, y: f64, fill: &str) -> Option<String> {
    if let Some(arms) = arms(c) {
        return Some(filled(&lines(arms, x, y), fill));
    }
    match c {
        '╭' | '╮' | '╰' | '╯' => Some(rounded(c, x, y, fill)),
        '┄' | '┈' | '┊' | '┆' => Some(filled(&dashes(c, x, y), fill)),
        '░' | '▒' | '▓' => {
            let opacity = [0.25, 0.5, 0.75][c as usize - '░' as usize];
            let path = rect(x, y, CELL.0, CELL.1);
            Some(format!("<path d=\"{path}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"))
        }
        '\u{2580}'..='\u{2590}' | '▔' | '▕' => Some(filled(&block(c, x, y)?, fill)),
        '\u{2800}'..='\u{28ff}' => Some(filled(&braille(c as u32 - 0x2800, x, y), fill)),
        _ => None,
    }
}

fn filled(path: &str, fill: &str) -> String {
    format!("<path d=\"{path}\" fill=\"{fill}\"/>")
}

fn rect(x: f64, y: f64, w: f64, h: f64) -> String {
    format!("M{x:.1} {y:.1}h{w:.1}v{h:.1}h{:.1}z", -w)
}

fn lines(arms: [u8; 4], x: f64, y: f64) -> String {
    let (w, h) = CELL;
    let (cx, cy) = (x + w / 2.0, y + h / 2.0);
    // Half of what crosses in the middle, so that corners are filled.
    let thick = |kind: u8| if kind == 2 { 2.2 } else { 1.2 };
    let half = |kind: u8| if kind == 3 { 2.2 } else { thick(kind) / 2.0 };
    let across = half(arms[2].max(arms[3]));
    let along = half(arms[0].max(arms[1]));
    let mut out = String::new();
    for (n, kind) in arms.into_iter().enumerate().filter(|(_, kind)| *kind > 0) {
        let t = thick(kind);
        let offsets: &[f64] = if kind == 3 { &[-1.6, 1.6] } else { &[0.0] };
        for o in offsets {
            let path = match n {
                0 => rect(x, cy + o - t / 2.0, w / 2.0 + across, t),
                1 => rect(cx - across, cy + o - t / 2.0, w / 2.0 + across, t),
                2 => rect(cx + o - t / 2.0, y, t, h / 2.0 + along),
                _ => rect(cx + o - t / 2.0, cy - along, t, h / 2.0 + along + 0.1),
            };
            out.push_str(&path);
        }
    }
    out
}

fn rounded(c: char, x: f64, y: f64, fill: &str) -> String {
    let (w, h) = CELL;
    let (cx, cy, r) = (x + w / 2.0, y + h / 2.0, w / 2.0);
    let (side, end) = match c {
        '╭' => (x + w, y + h),
        '╮' => (x, y + h),
        '╰' => (x + w, y),
        _ => (x, y),
    };
    let near = if end > cy { cy + r } else { cy - r };
    let path = format!("M{side:.1} {cy:.1}Q{cx:.1} {cy:.1} {cx:.1} {near:.1}V{end:.1}");
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"{fill}\" stroke-width=\"1.2\"/>")
}

fn dashes(c: char, x: f64, y: f64) -> String {
    let (w, h) = CELL;
    let upright = matches!(c, '┊' | '┆');
    let count = if matches!(c, '┄' | '┆') { 3 } else { 4 };
    let long = if upright { h } else { w };
    let step = long / f64::from(count);
    let mut out = String::new();
    for n in 0..count {
        let at = step * (f64::from(n) + 0.25);
        let path = if upright {
            rect(x + w / 2.0 - 0.6, y + at, 1.2, step / 2.0)
        } else {
            rect(x + at, y + h / 2.0 - 0.6, step / 2.0, 1.2)
        };
        out.push_str(&path);
    }
    out
}

fn block(c: char, x: f64, y: f64) -> Option<String> {
    let (w, h) = CELL;
    let eighth = |n: u32| f64::from(n) / 8.0;
    Some(match c {
        '▀' => rect(x, y, w, h / 2.0),
        // ▁ ▂ ▃ ▄ ▅ ▆ ▇ █
        '\u{2581}'..='\u{2588}' => {
            let part = h * eighth(c as u32 - 0x2580);
            rect(x, y + h - part, w, part + 0.1)
        }
        // ▉ ▊ ▋ ▌ ▍ ▎ ▏
        '\u{2589}'..='\u{258f}' => rect(x, y, w * eighth(0x2590 - c as u32), h),
        '▐' => rect(x + w / 2.0, y, w / 2.0, h),
        '▔' => rect(x, y, w, h / 8.0),
        '▕' => rect(x + w * 7.0 / 8.0, y, w / 8.0, h),
        _ => return None,
    })
}

fn braille(bits: u32, x: f64, y: f64) -> String {
    const PLACES: [(u32, u32); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let (dx, dy) = (CELL.0 / 2.0, CELL.1 / 4.0);
    let r = 1.35;
    let mut out = String::new();
    for (n, (column, row)) in PLACES.into_iter().enumerate() {
        if bits >> n & 1 == 1 {
            let (cx, cy) = (x + dx * (f64::from(column) + 0.5), y + dy * (f64::from(row) + 0.5));
            let _ = write!(out, "M{:.1} {cy:.1}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0", cx - r, d = r * 2.0);
        }
    }
    out
}
