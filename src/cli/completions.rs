//! `howdah completions`: what a shell needs to complete howdah's flags and commands.

use clap::Command;
use clap_complete::{Shell, generate};
use std::io::{self, Write};

use crate::problem::Exit;

/// Prints the completions for a shell.
pub fn run(mut command: Command, shell: Shell) -> Exit {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    generate(shell, &mut command, name, &mut text);
    // A reader that has gone needs no more lines.
    let _ = io::stdout().lock().write_all(&text);
    Exit::Ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, ValueEnum};

    #[test]
    fn every_shell_gets_its_own() {
        for shell in Shell::value_variants() {
            let mut out = Vec::new();
            generate(*shell, &mut crate::cli::Cli::command(), "howdah", &mut out);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("kubeconfig") && text.contains("status"), "{shell}");
        }
    }
}
