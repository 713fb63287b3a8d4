//! A session as a file: a header, then one message a line. Played back it ends at the same screen.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

use super::model::{Model, Setup};
use super::msg::{Msg, Taste};
use super::update::update;
use crate::panes::{Choice, Effect};
use crate::problem::Problem;
use crate::ui::Depth;

/// The format's version: files of another one are refused.
const VERSION: u32 = 1;

/// The first line of a recording: what the console started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The format's version.
    pub howdah_recording: u32,
    /// The program's version, for the reader.
    pub program: String,
    /// The terminal's size in columns and rows.
    pub size: (u16, u16),
    /// Colours of the terminal, by name.
    pub depth: String,
    /// Local time's IANA name; `UTC` where there is none.
    pub zone: String,
    /// The time at the start.
    pub now: Timestamp,
    /// What the place was called.
    pub place: String,
    /// Looks and keys.
    pub taste: Taste,
    /// Contexts and namespaces shown at first.
    pub choice: Choice,
}

impl Header {
    /// Of what the console starts with.
    pub fn of(setup: &Setup) -> Self {
        Header {
            howdah_recording: VERSION,
            program: env!("CARGO_PKG_VERSION").into(),
            size: setup.size,
            depth: setup.depth.name().into(),
            zone: setup.zone.iana_name().unwrap_or("UTC").into(),
            now: setup.now,
            place: setup.place.clone(),
            taste: setup.taste.clone(),
            choice: setup.choice.clone(),
        }
    }

    /// What the console started with.
    pub fn setup(&self) -> Setup {
        Setup {
            depth: Depth::named(&self.depth).unwrap_or(Depth::True),
            zone: TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC),
            now: self.now,
            size: self.size,
            taste: self.taste.clone(),
            place: self.place.clone(),
            choice: self.choice.clone(),
        }
    }
}

/// Writes a session as it happens.
pub struct Recorder<W: Write> {
    out: W,
}

impl<W: Write> Recorder<W> {
    /// Begins with the header.
    ///
    /// # Errors
    /// What writing says.
    pub fn start(mut out: W, setup: &Setup) -> io::Result<Self> {
        line(&mut out, &Header::of(setup))?;
        Ok(Recorder { out })
    }

    /// Adds a message.
    ///
    /// # Errors
    /// What writing says.
    pub fn add(&mut self, msg: &Msg) -> io::Result<()> {
        line(&mut self.out, msg)
    }

    /// Ends, with everything written.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn line<W: Write>(out: &mut W, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Reads a recording: the header and the messages. A last line cut off by a crash is left out.
///
/// # Errors
/// Where the file can't be read or is no recording, with the line.
pub fn read(input: impl BufRead) -> Result<(Header, Vec<Msg>), Problem> {
    let wrong = |n: usize, why: String| {
        Problem::usage(format!("not a recording of this version of howdah: line {n}")).because(why)
    };
    let lines = input.lines().collect::<Result<Vec<_>, _>>();
    let lines = lines.map_err(|e| Problem::new("the recording can't be read").because(e))?;
    let Some((first, rest)) = lines.split_first() else { return Err(wrong(1, "the file is empty".into())) };
    let header: Header = serde_json::from_str(first).map_err(|e| wrong(1, e.to_string()))?;
    if header.howdah_recording != VERSION {
        let why = format!("it has version {}, this program reads version {VERSION}", header.howdah_recording);
        return Err(wrong(1, why));
    }
    let mut messages = Vec::with_capacity(rest.len());
    for (n, text) in rest.iter().enumerate() {
        match serde_json::from_str(text) {
            Ok(msg) => messages.push(msg),
            Err(_) if n + 1 == rest.len() => break,
            Err(e) => return Err(wrong(n + 2, e.to_string())),
        }
    }
    Ok((header, messages))
}

/// Plays messages to a fresh console. Effects are not performed; they are handed back.
pub fn replay(header: &Header, messages: impl IntoIterator<Item = Msg>) -> (Model, Vec<Effect>) {
    let mut model = Model::new(header.setup());
    let effects = messages.into_iter().flat_map(|msg| update(&mut model, msg)).collect();
    (model, effects)
}
