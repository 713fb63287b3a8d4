//! A `howdah status --watch` beside the test, and what it has told.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::site::Site;

/// Settings under which a transaction counts as long when it is not an hour old.
fn config(site: &Site) -> PathBuf {
    let file = site.home.path().join("config.toml");
    std::fs::write(&file, "[limits]\ntransaction-warn = \"5s\"\n").unwrap();
    file
}

/// A reason of a verdict: its code, its words, the runbook it offers.
#[derive(Clone, Debug)]
pub struct Reason {
    pub code: String,
    pub text: String,
    pub runbook: String,
}

/// What a `howdah status --watch` beside the test has told so far: each report's reasons.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<Vec<Reason>>>>);

impl Told {
    pub fn reports(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The last report has nothing to tell.
    pub fn quiet(&self) -> bool {
        self.0.lock().unwrap().last().is_some_and(Vec::is_empty)
    }

    /// A reason of one of these codes that offers this runbook, in the reports after the first `from`.
    pub fn since(&self, from: usize, codes: &[&str], runbook: &str) -> Option<Reason> {
        let of = |told: &&Reason| codes.contains(&&*told.code) && told.runbook == runbook;
        self.0.lock().unwrap().iter().skip(from).flatten().find(of).cloned()
    }
}

/// A `howdah status --watch`, ended when dropped.
pub struct Watching {
    process: Child,
    pub config: PathBuf,
    pub told: Told,
}

impl Watching {
    pub fn start(site: &Site) -> Watching {
        let config = config(site);
        let mut command = site.howdah(&["--config", &config.to_string_lossy(), "status", "--watch", "-o", "json"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (told, lines) = (Told::default(), process.stdout.take().map(BufReader::new).map(BufReader::lines));
        let hear = told.clone();
        std::thread::spawn(move || {
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                hear.0.lock().unwrap().push(said(&serde_json::from_str(&line).unwrap_or_default()));
            }
        });
        Watching { process, config, told }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every reason in a report.
pub fn said(report: &Value) -> Vec<Reason> {
    let clusters = report["clusters"].as_array().into_iter().flatten();
    let verdicts = clusters.flat_map(|c| [&c["availability"], &c["recoverability"]]);
    let reasons = verdicts.flat_map(|v| v["reasons"].as_array().into_iter().flatten());
    let word = |reason: &Value, key: &str| reason[key].as_str().unwrap_or_default().to_owned();
    reasons.map(|r| Reason { code: word(r, "code"), text: word(r, "text"), runbook: word(r, "runbook") }).collect()
}
