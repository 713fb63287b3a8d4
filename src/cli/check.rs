//! `howdah check`: everything that is wrong with settings, themes, keymaps and runbooks, with its place.

use std::io::{self, Write};

use super::args::Global;
use crate::problem::{Exit, Problem};
use crate::settings::{Loaded, Places};

/// Reads all files and prints every mistake with the line it is on. Usage (2) when there is any.
///
/// # Errors
/// There is no place for settings.
pub fn run(global: &Global) -> Result<Exit, Problem> {
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    let loaded = Loaded::read(&places);
    let mut out = io::stdout().lock();
    // A reader that has gone needs no more lines.
    let _ = tell(&mut out, &places, &loaded);
    Ok(if loaded.all_mistakes().is_empty() { Exit::Ok } else { Exit::Usage })
}

/// The report.
///
/// # Errors
/// The writer's own.
pub fn tell(out: &mut impl Write, places: &Places, loaded: &Loaded) -> io::Result<()> {
    let mistakes = loaded.all_mistakes();
    for m in &mistakes {
        writeln!(out, "{m}")?;
    }
    if mistakes.is_empty() {
        match loaded.files.as_slice() {
            [] => writeln!(out, "ok: no settings of your own; they would be in {}", places.settings.display())?,
            files => {
                for file in files {
                    writeln!(out, "ok: {file}")?;
                }
            }
        }
        return Ok(());
    }
    let files: std::collections::BTreeSet<_> = mistakes.iter().map(|m| &m.file).collect();
    let plural = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    writeln!(out, "{} in {}", plural(mistakes.len(), "mistake"), plural(files.len(), "file"))
}
