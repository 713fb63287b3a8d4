//! How fast the console is, as a report of measured figures beside their goals. Nothing is asserted, because machines
//! differ: read the figures with what else the machine was doing in mind.
//!
//! `cargo bench` runs all of it; `cargo bench -- frames` (or `topology`, `storm`, `memory`, `archive`, `lab`) a part.

mod archive;
mod feed;
mod frames;
mod lab;
mod measure;
mod objects;
#[expect(dead_code, reason = "a part of the world is enough here")]
#[path = "../../tests/scenario/mod.rs"]
mod scenario;
#[path = "../../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "a part of the archive is enough here")]
#[path = "../../tests/objects/tree.rs"]
mod tree;

use std::process::Command;
use tokio::runtime::Runtime;

pub use scenario::CONTEXT;

/// Columns and rows of every screen drawn here.
const SIZE: (u16, u16) = (200, 60);
/// The parts that measure their own process: see [`feed::resident`] and [`archive::run`].
const MEMORY: &str = "memory-of-this-process";
const ARCHIVE: &str = "archive-in-this-process";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = || Runtime::new().expect("threads for a runtime");
    if args.iter().any(|a| a == MEMORY) {
        return runtime().block_on(feed::resident());
    }
    if args.iter().any(|a| a == ARCHIVE) {
        return runtime().block_on(archive::run());
    }
    if !args.iter().any(|a| a == "--bench") {
        // `cargo test --all-targets` starts benches too.
        return println!("not a test: cargo bench measures");
    }
    let parts: Vec<_> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| *p == part);
    if wanted("memory") {
        apart(MEMORY);
    }
    if wanted("archive") {
        apart(ARCHIVE);
    }
    if wanted("topology") || wanted("storm") {
        runtime().block_on(async {
            let (mut feed, mut model) = feed::first_topology().await;
            if wanted("storm") {
                feed::storm(&mut feed, &mut model).await;
            }
        });
    }
    if wanted("frames") {
        frames::run();
    }
    if wanted("lab") {
        lab::run();
    }
}

/// In a process of its own, so that it holds nothing of the other parts.
fn apart(part: &str) {
    let ran = std::env::current_exe().and_then(|me| Command::new(me).arg(part).status());
    if !ran.is_ok_and(|status| status.success()) {
        println!("  the process that measures its memory failed");
    }
}
