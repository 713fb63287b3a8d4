use std::process::ExitCode;

use howdah::cli;
use howdah::problem::Problem;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(cli) => match &cli.command {
            Some(command) => cli::run(&cli.global, command),
            None => cli::fail(&Problem::usage("no command was given").try_this("howdah --help")),
        },
        Err(code) => code,
    }
}
