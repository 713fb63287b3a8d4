//! Keys as text: short on the screen, tables for the manual.

use crate::command::{Command, Scope};
use crate::ui::chord::{Chord, Key, show_keys};

use super::Keymap;

/// Keys as hints show them: `↑`, `⏎`, `^C`, `g g`.
pub(super) fn short(keys: &[Chord], signs: bool) -> String {
    keys.iter().map(|c| one(*c, signs)).collect::<Vec<_>>().join(" ")
}

fn one(chord: Chord, signs: bool) -> String {
    match chord.key {
        Key::Char(k) if chord.ctrl && !chord.alt && k != ' ' => return format!("^{}", k.to_uppercase()),
        _ if !signs || chord.ctrl || chord.alt || chord.shift => return chord.to_string(),
        _ => {}
    }
    match chord.key {
        Key::Up => "↑".into(),
        Key::Down => "↓".into(),
        Key::Left => "←".into(),
        Key::Right => "→".into(),
        Key::Enter => "⏎".into(),
        _ => chord.to_string(),
    }
}

impl Keymap {
    /// The table of keys for the manual, one part per scope.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for scope in Scope::ALL {
            let commands: Vec<_> = Command::ALL.iter().filter(|c| c.scope() == *scope).collect();
            out.push_str(&format!("### {}\n\n| keys | command | what it does |\n|---|---|---|\n", scope.name()));
            for c in commands {
                let keys = self.keys_of(*c).iter().map(|(s, k)| key_cell(*s, *scope, k)).collect::<Vec<_>>().join(", ");
                out.push_str(&format!("| {keys} | `{}` | {} |\n", c.name(), c.title()));
            }
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }

    /// The keymap as a file that [`super::Keymaps`] reads, every line with its title: a start for one's own.
    pub fn toml(&self) -> String {
        let mut out = format!("about = {}\n", toml::Value::from(self.about.as_str()));
        for scope in Scope::ALL {
            let mut lines: Vec<_> = self.bindings.get(scope).into_iter().flatten().collect();
            lines.sort_by_key(|(_, bound)| bound.rank);
            if lines.is_empty() {
                continue;
            }
            out.push_str(&format!("\n[{}]\n", scope.name()));
            for c in Command::ALL {
                for (keys, _) in lines.iter().filter(|(_, bound)| bound.command == *c) {
                    let keys = toml::Value::from(show_keys(keys)).to_string();
                    let line = format!("{keys} = \"{}\"", c.name());
                    out.push_str(&format!("{line:<40} # {}\n", c.title()));
                }
            }
        }
        out
    }
}

fn key_cell(bound_in: Scope, home: Scope, keys: &[Chord]) -> String {
    // A bar would end the cell.
    let text = show_keys(keys).replace('|', "\\|");
    if bound_in == home { format!("`{text}`") } else { format!("`{text}` in {}", bound_in.name()) }
}
