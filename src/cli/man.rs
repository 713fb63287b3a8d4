//! `howdah man`: the manual pages, made from the same definitions as `--help`.

use clap::Command;
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::problem::{Exit, Problem};

/// Prints the manual page of `howdah`, or writes one page for it and for each command into a folder.
///
/// # Errors
/// The folder can't be written.
pub fn run(command: Command, folder: Option<&Path>) -> Result<Exit, Problem> {
    let cannot = |e: io::Error| Problem::new("can't write the manual").because(e);
    match folder {
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page).map_err(cannot)?;
            // A reader that has gone needs no more lines.
            let _ = io::stdout().lock().write_all(&page);
        }
        Some(folder) => {
            for path in pages(command, folder).map_err(cannot)? {
                // As above.
                let _ = writeln!(io::stdout(), "{}", path.display());
            }
        }
    }
    Ok(Exit::Ok)
}

fn pages(command: Command, folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let name = command.get_name().to_owned();
    let before = |p: &PathBuf| p.extension().is_some_and(|e| e == "1");
    clap_mangen::generate_to(command, folder)?;
    let entries = std::fs::read_dir(folder)?.filter_map(|e| Some(e.ok()?.path()));
    let ours = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&name));
    let mut paths: Vec<_> = entries.filter(before).filter(ours).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn each_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        let command = crate::cli::Cli::command();
        let commands: Vec<_> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
        let pages = pages(command, dir.path()).unwrap();
        for c in commands.iter().filter(|c| *c != "help") {
            assert!(pages.iter().any(|p| p.ends_with(format!("howdah-{c}.1"))), "{c}: {pages:?}");
        }
        let main = std::fs::read_to_string(dir.path().join("howdah.1")).unwrap();
        assert!(main.starts_with(".ie") || main.contains(".TH howdah 1"), "{main}");
    }
}
