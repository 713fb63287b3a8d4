//! `howdah keys`: which key does what, from the table of commands and a keymap.

use std::io::{self, Write};

use super::args::{Global, KeysArgs};
use crate::command::{Command, Scope};
use crate::document::mistake::did_you_mean;
use crate::problem::{Exit, Problem};
use crate::settings::{Loaded, Places};
use crate::ui::chord::show_keys;
use crate::ui::keymap::{Keymap, Keymaps};
use crate::ui::text::fit;

/// Prints the keys of the chosen keymap.
///
/// # Errors
/// There is no such keymap, or no place for settings.
pub fn run(global: &Global, args: &KeysArgs) -> Result<Exit, Problem> {
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    let loaded = Loaded::read(&places);
    let (keymaps, _) = Keymaps::with(loaded.keymaps.iter().cloned());
    let name = global.keymap.as_deref().unwrap_or(&loaded.settings.keymap);
    let Some(keymap) = keymaps.get(name) else {
        if loaded.keymaps.iter().any(|(file, _)| file.ends_with(&format!("/{name}.toml"))) {
            return Err(Problem::usage(format!("the keymap {name} is not used"))
                .because("there are mistakes in it")
                .try_this("howdah check"));
        }
        let names: Vec<_> = keymaps.names().collect();
        let hint = did_you_mean(name, names.iter().copied());
        return Err(Problem::usage(format!("no such keymap: {name}{hint}"))
            .because(format!("there are {}", names.join(", ")))
            .try_this("howdah check"));
    };
    let text = match (args.markdown, args.toml) {
        (true, _) => keymap.markdown(),
        (_, true) => keymap.toml(),
        _ => table(keymap),
    };
    // A reader that has gone needs no more lines.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(Exit::Ok)
}

/// The keys for people: a block per scope.
fn table(keymap: &Keymap) -> String {
    let mut out = format!("keymap {}: {}\n", keymap.name, keymap.about);
    for scope in Scope::ALL {
        out.push_str(&format!("\n{}\n", scope.name()));
        for c in Command::ALL.iter().filter(|c| c.scope() == *scope) {
            let keys = keymap.keys_of(*c).into_iter().map(|(bound, keys)| match bound {
                s if s == *scope => show_keys(keys),
                s => format!("{} ({})", show_keys(keys), s.name()),
            });
            let keys = fit(&keys.collect::<Vec<_>>().join(", "), 26, "…");
            out.push_str(&format!("  {keys} {} {}\n", fit(c.name(), 22, "…"), c.title()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_table() {
        let text = table(&Keymaps::shipped().or_default("default"));
        for c in Command::ALL {
            assert!(text.lines().any(|l| l.contains(c.name()) && l.ends_with(c.title())), "{}", c.name());
        }
        assert!(text.lines().all(|l| !l.ends_with(' ')));
    }
}
