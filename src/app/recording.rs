//! A session as a file: a header, then one message a line. Played back it ends at the same screen.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use super::model::{Model, Setup};
use super::msg::{Msg, Taste};
use super::update::update;
use crate::domain::backup::StoreListing;
use crate::domain::facts::Fact;
use crate::domain::names::ClusterKey;
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
    /// The listings that were written: a store that holds what it held is not written again and again.
    stores: BTreeMap<ClusterKey, Arc<StoreListing>>,
}

impl<W: Write> Recorder<W> {
    /// Begins with the header.
    ///
    /// # Errors
    /// What writing says.
    pub fn start(mut out: W, setup: &Setup) -> io::Result<Self> {
        line(&mut out, &Header::of(setup))?;
        Ok(Recorder { out, stores: BTreeMap::new() })
    }

    /// Adds a message.
    ///
    /// # Errors
    /// What writing says.
    pub fn add(&mut self, msg: &Msg) -> io::Result<()> {
        match msg {
            Msg::Facts(facts) if facts.iter().any(|f| matches!(f, Fact::Store(..))) => {
                let facts = facts.iter().map(|f| self.brief(f)).collect();
                line(&mut self.out, &Msg::Facts(facts))
            }
            msg => line(&mut self.out, msg),
        }
    }

    /// A listing that holds what the one before it held tells only when it was made.
    fn brief(&mut self, fact: &Fact) -> Fact {
        let Fact::Store(key, listing) = fact else { return fact.clone() };
        let before = self.stores.insert(key.clone(), listing.clone());
        match before.and_then(|before| before.again(listing)) {
            Some(again) => Fact::StoreAgain(key.clone(), again),
            None => fact.clone(),
        }
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

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::backup::archive::Archive;
    use crate::domain::facts::Facts;

    fn listing(second: i64, segments: u32) -> StoreListing {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut archive = Archive::default();
        (0..segments).for_each(|n| {
            archive.feed(&format!("wals/0000000100000000/{:024X}", (1_u128 << 64) + u128::from(n)), 1, at(0))
        });
        archive.keys += second.unsigned_abs();
        let (took, whole) = (SignedDuration::from_millis(second), true);
        StoreListing {
            destination: "s3://b".into(),
            server: "pg".into(),
            archive,
            asked: at(second),
            took,
            pages: 1,
            whole,
        }
    }

    #[test]
    fn a_store_that_holds_what_it_held_is_written_once_and_read_as_it_was() {
        let key = ClusterKey::new("aks", "db", "pg");
        let all = [listing(10, 300), listing(70, 300), listing(130, 300), listing(190, 301)];
        let setup = Header {
            howdah_recording: VERSION,
            program: String::new(),
            size: (80, 24),
            depth: "true".into(),
            zone: "UTC".into(),
            now: Timestamp::UNIX_EPOCH,
            place: String::new(),
            taste: Taste::default(),
            choice: Choice::default(),
        }
        .setup();
        let mut recorder = Recorder::start(Vec::new(), &setup).unwrap();
        for l in &all {
            recorder.add(&Msg::Facts(vec![Fact::Store(key.clone(), Arc::new(l.clone()))])).unwrap();
        }
        let text = recorder.finish().unwrap();
        let lengths: Vec<usize> = text.split(|b| *b == b'\n').map(<[u8]>::len).collect();
        assert!(lengths[2] < lengths[1] / 2 && lengths[3] < lengths[1] / 2 && lengths[4] >= lengths[1], "{lengths:?}");
        let (_, messages) = read(text.as_slice()).unwrap();
        let mut facts = Facts::default();
        for (msg, wanted) in messages.into_iter().zip(&all) {
            let Msg::Facts(told) = msg else { panic!("{msg:?}") };
            assert!(told.into_iter().all(|f| facts.absorb(f)));
            assert_eq!(*facts.stores[&key], *wanted);
        }
    }
}
