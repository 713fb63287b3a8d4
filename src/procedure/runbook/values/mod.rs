//! Live values by name: what a runbook shows and checks, read off the same facts as every pane and verdict.
//!
//! `cluster.*`, `archiver.*` and so on are of the cluster; the fields of an instance stand behind `primary.` (who leads now),
//! `instance.` (the one this walk is about), `instances.` (each) and `standbys.` (each but the primary). What is too old or
//! was never told is unknown, with the reason: never a default.

mod backups;
mod cluster;
mod instances;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::language::{Datum, Kind};
use crate::document::mistake::did_you_mean;
use crate::domain::cluster::{Cluster, Instance};
use crate::domain::facts::Facts;
use crate::domain::happenings::Happenings;
use crate::domain::health::evidence::Evidence;
use crate::domain::health::{Health, Limits};
use crate::domain::names::InstanceName;
use crate::domain::picture::Picture;
use crate::domain::quantity;
use crate::domain::source::Witness;

/// Everything a walk can see at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Everything known.
    pub facts: &'a Facts,
    /// The cluster that is walked.
    pub cluster: &'a Cluster,
    /// Its verdicts.
    pub health: &'a Health,
    /// What happened, where it is kept.
    pub happenings: Option<&'a Happenings>,
    /// Where a figure becomes a warning, and when an answer is too old.
    pub limits: &'a Limits,
    /// The instance this walk is about.
    pub about: Option<&'a InstanceName>,
    /// Now.
    pub now: Timestamp,
}

/// One value of a name, with its witness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Whose, where a name has several.
    pub who: Option<String>,
    /// The value, or why it is not known.
    pub value: Result<Datum, String>,
    /// Who says so.
    pub witness: Witness,
    /// When.
    pub seen: Timestamp,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// Its kind.
    pub kind: Kind,
    /// It may have several values.
    pub many: bool,
    /// In a line.
    pub about: &'static str,
}

/// A value of the cluster.
struct Whole {
    name: &'static str,
    kind: Kind,
    about: &'static str,
    read: Read,
}

/// A name stands for one value or for several.
enum Read {
    One(fn(&Eye) -> Item),
    Many(fn(&Eye) -> Vec<Item>),
}

/// A field of an instance.
struct Field {
    name: &'static str,
    kind: Kind,
    about: &'static str,
    read: fn(&Eye, &Instance) -> Item,
}

const SCOPES: [&str; 4] = ["primary", "instance", "instances", "standbys"];

/// Every name with its meaning, for the documentation and for nearest names.
pub fn all() -> Vec<(String, Meaning)> {
    let many = |w: &Whole| matches!(w.read, Read::Many(_));
    let whole = wholes().map(|w| (w.name.to_owned(), Meaning { kind: w.kind, many: many(w), about: w.about }));
    let of_instances = SCOPES.iter().flat_map(|scope| {
        instances::FIELDS.iter().map(move |f| {
            let many = matches!(*scope, "instances" | "standbys");
            (format!("{scope}.{}", f.name), Meaning { kind: f.kind, many, about: f.about })
        })
    });
    whole.chain(of_instances).collect()
}

fn wholes() -> impl Iterator<Item = &'static Whole> {
    cluster::VALUES.iter().chain(backups::VALUES)
}

/// What a name stands for.
///
/// # Errors
/// There is no such name, with the nearest one.
pub fn meaning(name: &str) -> Result<Meaning, String> {
    let all = all();
    match all.iter().find(|(n, _)| n == name) {
        Some((_, meaning)) => Ok(meaning.clone()),
        None => {
            let near = did_you_mean(name, all.iter().map(|(n, _)| n.as_str()));
            Err(format!("no such value: `{name}`{near}"))
        }
    }
}

/// Reads the value of a name: one or several, each with its witness. Empty: there is nobody to have it.
pub fn read(sight: &Sight<'_>, name: &str) -> Vec<Item> {
    let eye = Eye::new(sight);
    if let Some(whole) = wholes().find(|w| w.name == name) {
        return match whole.read {
            Read::One(read) => vec![read(&eye)],
            Read::Many(read) => read(&eye),
        };
    }
    let Some((scope, field)) = name.split_once('.') else { return Vec::new() };
    let Some(field) = instances::FIELDS.iter().find(|f| f.name == field) else { return Vec::new() };
    let one = |name: Option<&InstanceName>, missing: &str| match name.and_then(|n| sight.cluster.instance(n)) {
        Some(instance) => vec![(field.read)(&eye, instance)],
        None => vec![eye.unknown(missing)],
    };
    match scope {
        "primary" => one(eye.picture.primary.as_ref(), "nobody is known to lead"),
        "instance" => one(sight.about, "no instance is meant: name one with --instance"),
        "instances" => sight.cluster.instances.iter().map(|i| named(i, (field.read)(&eye, i))).collect(),
        "standbys" => {
            let leads = eye.picture.primary.as_ref();
            let standbys = sight.cluster.instances.iter().filter(|i| Some(&i.name) != leads);
            standbys.map(|i| named(i, (field.read)(&eye, i))).collect()
        }
        _ => Vec::new(),
    }
}

fn named(instance: &Instance, item: Item) -> Item {
    Item { who: Some(instance.name.to_string()), ..item }
}

/// What the readers look through.
struct Eye<'a> {
    sight: &'a Sight<'a>,
    evidence: Evidence<'a>,
    picture: Picture<'a>,
}

impl<'a> Eye<'a> {
    fn new(sight: &'a Sight<'a>) -> Eye<'a> {
        let evidence = Evidence::new(sight.facts, sight.cluster, None, sight.limits, sight.now);
        Eye { sight, evidence, picture: Picture::of(sight.facts, sight.cluster) }
    }

    fn cluster(&self) -> &'a Cluster {
        self.sight.cluster
    }

    /// What a watched object says: as old as the last proof that it is watched.
    fn object(&self, witness: Witness, value: Result<Datum, String>) -> Item {
        let seen = self.evidence.proven;
        let age = self.evidence.age(seen);
        let value = match value {
            Ok(_) if age > self.sight.limits.watch_stale => {
                Err(format!("nothing was heard of Kubernetes for {}", quantity::age_of(age)))
            }
            value => value,
        };
        Item { who: None, value, witness, seen }
    }

    /// What the cluster object says.
    fn told(&self, value: Option<Datum>) -> Item {
        self.object(Witness::ClusterObject, value.ok_or_else(|| "the cluster object does not say".into()))
    }

    /// What an instance said at that time.
    fn sampled(&self, witness: Witness, at: Option<Timestamp>, value: Option<Datum>) -> Item {
        let Some(at) = at else { return Item { witness, ..self.unknown("it has not been asked, or did not answer") } };
        let age = self.evidence.age(at);
        let value = match value {
            _ if age > self.sight.limits.sample_stale => {
                Err(format!("the last answer is {} old", quantity::age_of(age)))
            }
            Some(value) => Ok(value),
            None => Err("the answer does not tell it".into()),
        };
        Item { who: None, value, witness, seen: at }
    }

    /// Who told of the primary's view: SQL, or its `/pg/status` where SQL hides too much or is behind.
    fn primarys_word(&self, view: &str) -> Witness {
        let Some(primary) = self.picture.primary.clone() else { return Witness::Sources };
        let sql = self.evidence.samples(&primary).and_then(|s| s.sql.as_ref()).map(|p| p.at);
        match sql.is_some() && sql == self.picture.primary_seen {
            true => Witness::Sql(primary, view.to_owned()),
            false => Witness::Status(primary),
        }
    }

    /// Who told of an instance itself: whichever way was answered last.
    fn own_word(&self, name: &InstanceName) -> Witness {
        let samples = self.evidence.samples(name);
        let sql = samples.and_then(|s| s.sql.as_ref()).filter(|p| p.answer.is_ok()).map(|p| p.at);
        let status = samples.and_then(|s| s.status.as_ref()).filter(|p| p.answer.is_ok()).map(|p| p.at);
        match sql >= status && sql.is_some() {
            true => Witness::Sql(name.clone(), "its own word".into()),
            false => Witness::Status(name.clone()),
        }
    }

    fn unknown(&self, why: &str) -> Item {
        Item { who: None, value: Err(why.to_owned()), witness: Witness::Sources, seen: self.sight.now }
    }
}

fn text(text: impl AsRef<str>) -> Datum {
    match text.as_ref() {
        "" => Datum::Nothing,
        text => Datum::Text(text.to_owned()),
    }
}

fn optional(t: Option<impl AsRef<str>>) -> Datum {
    t.map_or(Datum::Nothing, text)
}

fn share(used: f64, of: f64) -> Option<Datum> {
    (of > 0.0).then(|| Datum::Percent(used * 100.0 / of))
}
