//! The program: reads its arguments, does what they ask, and ends with the exit code of what came of it.

use std::process::ExitCode;

use howdah::{cli, run, ui};

fn main() -> ExitCode {
    // One provider of cryptography for the whole process; a second call would only say that it is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(e) = ui::terminal::install_hooks() {
        eprintln!("reports of crashes will be plain: {e}");
    }
    match cli::parse(std::env::args_os()) {
        Ok(cli) => cli::run(&cli, run::show),
        Err(code) => code,
    }
}
