//! The report as Markdown, fit for an auditor: who, when, what, evidence, versions.

use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;

use super::report::Report;
use super::restored::Restored;
use crate::domain::heartbeat::Tally;
use crate::domain::quantity::{bytes, span};
use crate::domain::trial::{Learned, Verdict};
use crate::procedure::plan::Weight;
use crate::procedure::run::StepReport;
use crate::text::markdown as escaped;

impl Report {
    /// The whole report.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        self.result(&mut out);
        self.steps(&mut out);
        self.story(&mut out);
        out
    }

    fn head(&self, out: &mut String) {
        let name =
            |n: &Option<crate::domain::names::InstanceName>| n.as_ref().map_or("unknown".into(), ToString::to_string);
        line(out, format!("# {}", escaped(&self.title)));
        line(out, "");
        line(out, "| | |\n|---|---|");
        let mut row = |what: &str, is: String| line(out, format!("| {what} | {} |", escaped(&is)));
        row("Outcome", self.outcome.map_or("not ended".into(), |o| o.word().to_owned()));
        row("Cluster", format!("{} (context {})", self.cluster, self.cluster.context));
        row("Began", time(self.began));
        row("Ended", self.ended.map_or("–".into(), time));
        row("By", format!("{} on {}, {}", self.by.user, self.by.host, self.by.through));
        row("howdah", self.by.howdah.clone());
        for (what, version) in &self.by.versions {
            row(what, version.clone());
        }
        if self.restored.is_none() {
            row("Primary before, after", format!("{}, {}", name(&self.leader.0), name(&self.leader.1)));
        }
        for (what, value) in &self.parameters {
            row(what, value.clone());
        }
        row("Run", self.run.to_string());
    }

    fn result(&self, out: &mut String) {
        if !self.objectives.is_empty() {
            line(out, "\n## Objectives\n\n| objective | met | |\n|---|---|---|");
            for o in &self.objectives {
                let met = match o.met {
                    Some(true) => "yes",
                    Some(false) => "**no**",
                    None => "not measured",
                };
                line(out, format!("| {} | {met} | {} |", o.name, escaped(&o.text)));
            }
        }
        if self.phases.struck.is_some() {
            line(out, "\n## Phases\n\n| phase | took |\n|---|---|");
            for s in &self.spans {
                line(out, format!("| {} | {} |", s.phase, took(s.ms)));
            }
            line(out, format!("| client-seen outage (RTO) | {} |", took(self.rto_ms)));
        }
        if let Some(r) = &self.restored {
            restored(out, r);
        }
        if let Some(tally) = &self.tally {
            writes(out, tally);
            if let Some(viewpoint) = self.viewpoint() {
                line(out, format!("\n{}", escaped(&viewpoint)));
            }
        }
    }

    fn steps(&self, out: &mut String) {
        if !self.findings.is_empty() {
            line(out, "\n## Looked at beforehand\n");
            for f in &self.findings {
                let mark = match f.weight {
                    Weight::Good => "good",
                    Weight::Heed => "worth knowing",
                    Weight::Unknown => "unknown",
                    Weight::Justify => "justified",
                    Weight::Blocks => "blocks",
                };
                line(out, format!("- {}: {} ({mark})", escaped(&f.about), escaped(&f.text)));
            }
        }
        line(out, "\n## Steps\n");
        for step in &self.steps {
            self.step(out, step);
        }
    }

    fn step(&self, out: &mut String, step: &StepReport) {
        let took =
            step.began.zip(step.ended).map(|(b, e)| format!(", {}", span(e.duration_since(b)))).unwrap_or_default();
        line(out, format!("- **{}**: {}{took}", escaped(&step.title), step.state));
        if let Some(how) = &step.granted {
            line(out, format!("  - let through: {}", escaped(how)));
        }
        if let Some(r) = &step.request {
            let body = r.body.as_ref().map(|b| format!(" `{}`", b.to_string().replace('`', "'"))).unwrap_or_default();
            line(out, format!("  - sent: `{} {}`{body}", r.method, r.path));
        }
        for decided in &step.decided {
            line(out, format!("  - decided: {}", escaped(decided)));
        }
        for seen in &step.evidence {
            line(out, format!("  - seen: {}", escaped(seen)));
        }
        if let Some(p) = &step.problem {
            let because = p.because.as_ref().map(|b| format!(": {b}")).unwrap_or_default();
            line(out, format!("  - problem: {}{}", escaped(&p.what), escaped(&because)));
        }
    }

    fn story(&self, out: &mut String) {
        if !self.marks.is_empty() {
            line(out, "\n## What was seen\n\n| time | since the blow | what |\n|---|---|---|");
            for m in &self.marks {
                let since = m.since_blow_ms.map_or("before".into(), |ms| format!("+{:.3} s", ms as f64 / 1000.0));
                line(out, format!("| {} | {since} | {} |", time(m.at), escaped(&m.text)));
            }
        }
        if !self.notes.is_empty() {
            line(out, "\n## Notes\n");
            for (at, text) in &self.notes {
                line(out, format!("- {}: {}", time(*at), escaped(text)));
            }
        }
    }
}

fn restored(out: &mut String, r: &Restored) {
    line(out, "\n## Restore\n\n| | |\n|---|---|");
    let mut row = |what: &str, is: Option<String>| {
        line(out, format!("| {what} | {} |", escaped(&is.unwrap_or_else(|| "not known".into()))));
    };
    row("base backup", r.base.clone());
    row("moment recovered to", r.target.map(time));
    row("until it took writes (RTO)", Some(took(r.rto_ms)));
    row("until it was compared", Some(took(r.verified_ms)));
    for s in &r.spans {
        row(&s.phase, Some(took(s.ms)));
    }
    row("failed attempts", Some(r.failed.to_string()));
    row("WAL replayed", r.wal_bytes.map(bytes));
    row("last WAL needed", r.archived.as_ref().map(|a| format!("{}: {}", a.wal, a.how)));
    if let Some(reached) = &r.reached {
        row("newest marker", reached.newest_marker.map(time));
        row("last transaction", reached.last_transaction.clone());
        row("stopped", reached.stopped.clone());
        row("left the source's timeline", reached.left.clone());
    }
    row("source read by, restored read by", Some(format!("{}, {}", who(&r.by.0), who(&r.by.1))));
    if !r.elsewhere.is_empty() {
        row("databases not compared", Some(r.elsewhere.join(", ")));
    }
    if let Some(c) = &r.checked {
        row("data files", Some(Learned::Checked(c.clone()).words()));
    }
    if !r.tables.is_empty() {
        line(out, "\n## Tables\n\n| table | | |\n|---|---|---|");
    }
    for (name, t) in &r.tables {
        let verdict = match t.verdict {
            Verdict::Different => "**different**",
            Verdict::Same => "same",
            Verdict::Counted => "same count",
            Verdict::Changed => "changed meanwhile",
            Verdict::Skipped => "not compared",
        };
        line(out, format!("| {} | {verdict} | {} |", escaped(name), escaped(&t.text)));
    }
    if let Some(torn) = &r.torn_down {
        line(out, "\n## Torn down\n");
        torn.gone.iter().for_each(|one| line(out, format!("- {}", escaped(one))));
    }
}

fn who(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or("nobody")
}

fn writes(out: &mut String, t: &Tally) {
    line(out, "\n## Writes\n\n| | |\n|---|---|");
    let mut row = |what: &str, is: String| line(out, format!("| {what} | {} |", escaped(&is)));
    row("acknowledged", t.acknowledged.to_string());
    row("acknowledged and lost (RPO)", t.lost.to_string());
    row("unanswered: there, not there", format!("{}, {}", t.unknown_there, t.unknown_gone));
    row("twice, or nobody's", t.duplicated.to_string());
    row("refused", t.refused.to_string());
    row("reads answered, failed", format!("{}, {}", t.reads.0, t.reads.1));
    if !t.lost_names.is_empty() {
        row("the lost ones (writer/number)", t.lost_names.join(", "));
    }
    for gap in &t.unmeasured {
        row("not measured", format!("{} to {}", time(gap.from), gap.to.map_or("the end".into(), time)));
    }
}

fn took(ms: Option<i64>) -> String {
    ms.map_or("not seen".into(), |ms| format!("{} ({ms} ms)", span(SignedDuration::from_millis(ms))))
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn line(out: &mut String, text: impl AsRef<str>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{}", text.as_ref());
}
