//! A runbook walked beside a fault: which way its answers lead, and what its checks say.

use std::process::Output;

use serde_json::Value;

/// What the walk of a runbook has to find while a fault stands.
pub struct Walk<'a> {
    pub runbook: &'a str,
    /// Every step that the answers lead through, to the one that names the cause and to the end; after a `…`, the last ones.
    pub way: &'a [&'a str],
    /// Checks that tell the trouble: step, title, answer. None of them may answer so once the fault is undone.
    pub tells: &'a [(&'a str, &'a str, &'a str)],
    /// Words that stand beside the checks on the way: what was seen.
    pub shows: &'a [&'a str],
}

/// What `howdah runbook run … -o json` told.
pub struct Transcript {
    code: Option<i32>,
    told: Value,
    errors: String,
}

impl Transcript {
    pub fn of(out: &Output) -> Transcript {
        Transcript {
            code: out.status.code(),
            told: serde_json::from_slice(&out.stdout).unwrap_or_default(),
            errors: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    fn steps(&self) -> impl Iterator<Item = &Value> {
        self.told["steps"].as_array().into_iter().flatten()
    }

    fn way(&self) -> Vec<&str> {
        self.steps().filter(|s| s["on_the_way"] == true).filter_map(|s| s["step"].as_str()).collect()
    }

    fn answer(&self, step: &str, title: &str) -> &str {
        let step = self.steps().find(|s| s["step"] == step);
        let mut checks = step.and_then(|s| s["checks"].as_array()).into_iter().flatten();
        let check = checks.find(|c| c["title"] == title).unwrap_or_else(|| panic!("no check {title:?}: {self}"));
        check["holds"].as_str().unwrap_or("nothing")
    }

    /// Everything that was seen on the way, as one text.
    fn seen(&self) -> String {
        let on_the_way = self.steps().filter(|s| s["on_the_way"] == true);
        let checks = on_the_way.flat_map(|s| s["checks"].as_array().into_iter().flatten());
        checks.map(|c| format!("{} {}\n", c["evidence"], c["rows"])).collect()
    }

    /// It has found the trouble: it is what the runbook is for, and its answers lead to it.
    pub fn finds(&self, walk: &Walk<'_>) -> bool {
        let seen = self.seen();
        self.told["steps"].is_array()
            && self.told["gone"] == "no"
            && self.code == Some(1)
            && goes(&self.way(), walk.way)
            && walk.tells.iter().all(|(step, title, answer)| self.answer(step, title) == *answer)
            && walk.shows.iter().all(|words| seen.contains(words))
    }

    /// The trouble is over: no reason of it is left, no check on the way tells it, and the last step sees all well.
    pub fn is_over(&self, walk: &Walk<'_>) -> bool {
        let Some(last) = self.steps().last() else { return false };
        let mut at_last = last["checks"].as_array().into_iter().flatten();
        self.told["gone"] == "yes"
            && self.code == Some(0)
            && !walk
                .tells
                .iter()
                .any(|(step, title, answer)| self.way().contains(step) && self.answer(step, title) == *answer)
            && at_last.all(|check| check["holds"] == "yes")
    }
}

fn goes(way: &[&str], wanted: &[&str]) -> bool {
    match wanted {
        ["…", last @ ..] => way.ends_with(last),
        all => way == all,
    }
}

impl std::fmt::Display for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "ended with {:?}, gone: {}\n{}", self.code, self.told["gone"], self.errors)?;
        writeln!(f, "way: {:?}", self.way())?;
        for step in self.steps() {
            for check in step["checks"].as_array().into_iter().flatten() {
                writeln!(f, "  {} / {}: {}", step["step"], check["title"], check["holds"])?;
            }
        }
        write!(f, "{}", self.seen())
    }
}
