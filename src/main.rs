//! The program: reads its arguments, runs the command, and ends with the exit code of what came of it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A terminal console for highly available PostgreSQL on Kubernetes
#[derive(Parser)]
#[command(name = "howdah", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A small real world on this machine: PostgreSQL behind a Kubernetes API
    #[command(subcommand)]
    Lab(howdah::cli::lab::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Lab(command) = Cli::parse().command;
    match howdah::cli::lab::run(&command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(problem.exit.code())
        }
    }
}
