//! The binary on a lab: until it is ready, what `status` takes, what an idle console costs.

use std::time::{Duration, Instant};

use super::measure::{Times, cpu, line, timed};
use super::support::terminal::Terminal;
use super::support::world::{HOWDAH, Lab};

/// How long the idle console is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// In pieces of this length.
const PIECE: Duration = Duration::from_millis(100);
/// What begins every frame.
const FRAME: &str = "\x1b[?2026h";

pub fn run() {
    println!("the binary on a lab of this machine");
    let started = Instant::now();
    let Some(lab) = Lab::start(&[]) else {
        println!("  skipped: this machine has no PostgreSQL server binaries (see above)");
        return;
    };
    line("howdah lab serve, until ready", format!("{:.2?}", started.elapsed()), "15 s");
    // The lab has just begun: let its first checkpoints and backups pass.
    std::thread::sleep(Duration::from_secs(5));
    let mut codes = Vec::new();
    let times: Times =
        (0..10).map(|_| timed(|| codes.push(lab.howdah(&["status"]).status.code().unwrap_or(-1)))).collect();
    line("howdah status, from start to exit", times.words(), "80 ms");
    line("… its exit codes", format!("{codes:?}"), "");
    idle(&lab, "Fleet", "1");
    idle(&lab, "Topology", "2");
}

/// A console nobody touches. It still asks: one cluster on screen is sampled each second.
fn idle(lab: &Lab, name: &str, pane: &str) {
    let Ok(home) = tempfile::tempdir() else { return };
    let Some(home) = home.path().to_str() else { return };
    let kubeconfig = lab.kubeconfig();
    let Some(kubeconfig) = kubeconfig.to_str() else { return };
    let env = [("HOME", home), ("XDG_CONFIG_HOME", home), ("XDG_STATE_HOME", home)];
    let mut terminal = Terminal::start(HOWDAH, &["--kubeconfig", kubeconfig], (200, 60), &env);
    terminal.wait_for("pg-primary");
    terminal.keys(pane);
    std::thread::sleep(Duration::from_secs(5));
    let Some(pid) = terminal.child.process_id() else { return };
    let Some(began) = cpu(pid) else {
        println!("  skipped: this system does not tell the processor time of a process");
        return;
    };
    let before = terminal.written();
    let started = Instant::now();
    let (mut pieces, mut last) = (Times::default(), began);
    while started.elapsed() < WATCHED {
        std::thread::sleep(PIECE);
        let now = cpu(pid).unwrap_or(last);
        pieces.add(now.saturating_sub(last));
        last = now;
    }
    let took = started.elapsed().as_secs_f64();
    let written = terminal.written().split_off(before.len());
    let share = |time: Duration, of: f64| time.as_secs_f64() / of * 100.0;
    println!("  an idle console on {name}, 200x60, watched for {took:.0} s");
    let all = share(last.saturating_sub(began), took);
    line("  CPU in all, its samples and frames included", format!("{all:.2} % of a core"), "");
    let between = share(pieces.at(0.5), PIECE.as_secs_f64());
    line("  CPU between samples (median tenth of a second)", format!("{between:.2} % of a core"), "0.5 %");
    let frames = written.matches(FRAME).count();
    line("  frames", format!("{frames}, {:.2} a second", frames as f64 / took), "1 a second");
    line("  bytes written", format!("{}, {} a frame", written.len(), written.len() / frames.max(1)), "");
    terminal.keys("q");
    terminal.wait_end();
}
