//! Reading a recording's folder.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::adapters::kubernetes::last_words::Telling;
use crate::adapters::kubernetes::objects::Kind;
use crate::adapters::kubernetes::status;
use crate::domain::sample::{InstanceStatus, Silence, SilenceKind};
use crate::problem::Problem;

/// A recording, read whole.
#[derive(Debug)]
pub struct Recording {
    /// The wall clock at `t_ms` 0, the moment of the first action.
    pub epoch: Timestamp,
    /// The kinds that were watched.
    pub watched: Vec<Kind>,
    /// The objects that were there when it began.
    pub listed: Vec<(Kind, Value)>,
    /// What came then, in order of time.
    pub steps: Vec<Step>,
}

/// Something that came.
#[derive(Debug)]
pub struct Step {
    /// When it came.
    pub at: Timestamp,
    /// What it was.
    pub what: What,
}

/// What came.
#[derive(Debug)]
pub enum What {
    /// An object as it is now.
    Applied(Kind, Value),
    /// An object that is gone.
    Deleted(Kind, Value),
    /// An answer of `/pg/status`, or none.
    Status {
        /// Of this pod.
        pod: String,
        /// When it was asked.
        asked: Timestamp,
        /// The answer.
        answer: Result<Box<InstanceStatus>, Silence>,
    },
    /// What the log of a pod that had ended told of the cause, read to its end.
    Log {
        /// Of this pod.
        pod: String,
        /// The cause.
        told: Option<String>,
    },
    /// What was done to the cluster, in the recorder's words.
    Note(String),
}

#[derive(Deserialize)]
struct Head {
    epoch: Timestamp,
    watched: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    t_ms: i64,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    object: Option<Value>,
    #[serde(default)]
    spec: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    merge_patch: Option<Value>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Deserialize)]
struct Log {
    t_ms: i64,
    pod: String,
    lines: Vec<String>,
}

#[derive(Deserialize)]
struct Poll {
    t_ms: i64,
    pod: String,
    took_ms: i64,
    #[serde(default)]
    http: Option<u16>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    same: bool,
    #[serde(default)]
    error: Option<String>,
}

impl Recording {
    /// How long a question may hang before it is given up and asked again, as the live source does.
    pub const PATIENCE: SignedDuration = SignedDuration::from_secs(2);

    /// Reads the recording in `folder`.
    pub fn read(folder: &Path) -> Result<Recording, Problem> {
        let problem = |what: &str, e: &dyn std::fmt::Display| {
            Problem::usage(format!("the recording {} can't be read", folder.display())).because(format!("{what}: {e}"))
        };
        let text = |name: &str| fs::read_to_string(folder.join(name)).map_err(|e| problem(name, &e));
        let head: Head = serde_json::from_str(&text("recording.json")?).map_err(|e| problem("recording.json", &e))?;
        let mut recording = Recording { epoch: head.epoch, watched: Vec::new(), listed: Vec::new(), steps: Vec::new() };
        for plural in &head.watched {
            let kind = Kind::of_plural(plural).ok_or_else(|| problem(plural, &"no such kind"))?;
            recording.watched.push(kind);
            let name = format!("{plural}.jsonl");
            recording.objects(kind, &text(&name)?).map_err(|e| problem(&name, &e))?;
        }
        for (name, read) in [
            ("pg-status-poll.jsonl", Recording::polls as fn(&mut Recording, &str) -> Result<(), String>),
            ("notes.jsonl", Recording::notes),
            ("logs.jsonl", Recording::logs),
        ] {
            if folder.join(name).exists() {
                read(&mut recording, &text(name)?).map_err(|e| problem(name, &e))?;
            }
        }
        recording.steps.sort_by_key(|s| s.at);
        Ok(recording)
    }

    /// The moment `ms` milliseconds after the first action.
    pub fn at(&self, ms: i64) -> Timestamp {
        self.epoch.saturating_add(SignedDuration::from_millis(ms)).unwrap_or(self.epoch)
    }

    fn objects(&mut self, kind: Kind, text: &str) -> Result<(), String> {
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line: Line = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", number + 1))?;
            let object = whole(&line, &known).ok_or_else(|| format!("line {}: no object to go by", number + 1))?;
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let at = self.at(line.t_ms);
            match line.kind.as_str() {
                "DELETED" => {
                    known.remove(&name);
                    self.steps.push(Step { at, what: What::Deleted(kind, object) });
                }
                "LISTED" => {
                    self.listed.push((kind, object.clone()));
                    known.insert(name, object);
                }
                _ => {
                    known.insert(name, object.clone());
                    self.steps.push(Step { at, what: What::Applied(kind, object) });
                }
            }
        }
        Ok(())
    }

    fn polls(&mut self, text: &str) -> Result<(), String> {
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let mut poll: Poll = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", number + 1))?;
            if poll.same {
                poll.body = last.get(&poll.pod).cloned();
            } else if let Some(body) = &poll.body {
                last.insert(poll.pod.clone(), body.clone());
            }
            self.poll(&poll);
        }
        Ok(())
    }

    /// A question that hung longer than our patience would have been given up and asked again, to hang as well.
    fn poll(&mut self, poll: &Poll) {
        let took = SignedDuration::from_millis(poll.took_ms);
        let mut asked = self.at(poll.t_ms);
        let came = asked.saturating_add(took).unwrap_or(asked);
        let mut push = |at, asked, answer| {
            self.steps.push(Step { at, what: What::Status { pod: poll.pod.clone(), asked, answer } });
        };
        if took <= Self::PATIENCE && poll.error.is_none() {
            push(came, asked, answer(poll));
            return;
        }
        loop {
            let given_up = asked.saturating_add(Self::PATIENCE).unwrap_or(came);
            if given_up > came {
                return;
            }
            let why = format!("no answer within {} s", Self::PATIENCE.as_secs());
            push(given_up, asked, Err(Silence { kind: SilenceKind::TimedOut, why }));
            asked = given_up;
        }
    }

    fn logs(&mut self, text: &str) -> Result<(), String> {
        for (number, line) in text.lines().enumerate() {
            let log: Log = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", number + 1))?;
            let mut telling = Telling::default();
            log.lines.iter().for_each(|line| telling.line(line));
            self.steps.push(Step { at: self.at(log.t_ms), what: What::Log { pod: log.pod, told: telling.cause() } });
        }
        Ok(())
    }

    fn notes(&mut self, text: &str) -> Result<(), String> {
        for (number, line) in text.lines().enumerate() {
            let line: Line = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", number + 1))?;
            if let Some(note) = line.note {
                self.steps.push(Step { at: self.at(line.t_ms), what: What::Note(note) });
            }
        }
        Ok(())
    }
}

/// The whole object of a line: as it stands, with the spec of the version before, or patched.
fn whole(line: &Line, known: &BTreeMap<String, Value>) -> Option<Value> {
    if let Some(patch) = &line.merge_patch {
        let mut object = known.get(line.name.as_deref()?)?.clone();
        json_patch::merge(&mut object, patch);
        return Some(object);
    }
    let mut object = line.object.clone()?;
    if line.spec.as_deref() == Some("same") {
        let uid = object.pointer("/metadata/uid")?;
        let before = known.values().find(|o| o.pointer("/metadata/uid") == Some(uid))?;
        let spec = before.get("spec").cloned().unwrap_or(Value::Null);
        object.as_object_mut()?.insert("spec".into(), spec);
    }
    Some(object)
}

fn answer(poll: &Poll) -> Result<Box<InstanceStatus>, Silence> {
    let body = match &poll.body {
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(body) => body.to_string().into_bytes(),
        None => Vec::new(),
    };
    status::read(poll.http.unwrap_or(0), &body).map(Box::new)
}
