//! A restore drill's own orders: markers and fingerprints in the source, the scratch cluster, its proof and its end.
//!
//! They change nothing of the cluster that is drilled but one small table of the drill's own. Each may be done again
//! whatever became of the first time, and each says by data ([`Learned`]) what it learned: a report is read off the
//! journal alone. One thing is only known while the run goes on: the moment that is recovered to lies between two
//! batches of markers. It is filled into the scratch cluster's manifest from what was learned before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

use super::entry::Answer;
use super::order::{Create, Order, Request, Right};
use super::plan::StepId;
use crate::domain::names::ClusterKey;
use crate::domain::quantity::bytes;
use crate::domain::trial::{Learned, Mark, Printed};

/// What the steps of a run answered so far.
pub type Answers = BTreeMap<StepId, Answer>;

/// The scratch cluster bears this label, with its own name: only what bears it is ever torn down.
pub const LABEL: &str = "howdah.dev/restore-drill";

/// One of a restore drill's own orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What is done.
    pub part: Part,
    /// The cluster whose backups are tried.
    pub source: ClusterKey,
    /// The cluster that is made of them.
    pub scratch: ClusterKey,
    /// The database that is looked at.
    pub database: String,
    /// The table of the markers, its own.
    pub table: String,
    /// The tables that are compared, as SQL writes them; empty: all.
    pub tables: Vec<String>,
    /// Of larger tables only the rows are counted: bytes on the source.
    pub most: u64,
    /// Attempts of the recovery after which it is given up.
    pub attempts: u32,
}

/// The parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Makes the table of the markers and commits the first batch.
    Mark,
    /// Commits the second batch, reads the tables, chooses the moment, commits the third batch, reads the tables again.
    Print,
    /// Waits until WAL up to the third batch is in the archive.
    Archive,
    /// Makes the scratch cluster; the moment goes where `at` points to.
    Make {
        /// The object, with a moment that stands for the one to come.
        create: Box<Create>,
        /// The moment's place in it.
        at: String,
    },
    /// Follows its recovery until it is a primary that answers.
    Recover,
    /// Reads its markers and tables and compares them.
    Compare,
    /// Looks through its data files and indexes.
    Check,
    /// Deletes it, and waits until nothing is left of it.
    TearDown,
    /// Drops the table of the markers.
    Sweep,
}

impl Trial {
    /// The same with another part.
    pub fn part(&self, part: Part) -> Order {
        Order::Trial(Box::new(Trial { part, ..self.clone() }))
    }

    /// Where the table of the markers is.
    pub fn marks(&self) -> String {
        format!("public.{}", self.table)
    }

    /// Commits nothing and makes nothing: it may be left at any time when the run is ended.
    pub fn only_waits(&self) -> bool {
        matches!(self.part, Part::Print | Part::Archive | Part::Recover | Part::Compare | Part::Check)
    }

    /// The scratch cluster's object as it is made: with the moment, once that is known.
    pub fn object(&self, answers: &Answers) -> Option<Create> {
        let Part::Make { create, at } = &self.part else { return None };
        let mut create = (**create).clone();
        if let (Some(moment), Some(place)) = (printed(answers).map(|p| p.target), create.body.pointer_mut(at)) {
            *place = written(moment).into();
        }
        Some(create)
    }

    /// What is sent, as far as it is known.
    pub fn request(&self, answers: &Answers) -> Request {
        if let Some(create) = self.object(answers) {
            return Order::Create(create).request();
        }
        match self.part {
            Part::TearDown => {
                let method = "DELETE".to_owned();
                Request { method, path: self.path(&self.scratch), content_type: None, body: None }
            }
            Part::Recover => Request {
                method: "GET".into(),
                path: self.path(&self.scratch),
                content_type: None,
                body: Some(json!("with its pods, its jobs and their logs, until it has recovered")),
            },
            _ => {
                let on = if matches!(self.part, Part::Compare | Part::Check) { &self.scratch } else { &self.source };
                let path = format!("{on} database {}", self.database);
                Request { method: "SQL".into(), path, content_type: None, body: Some(self.sql().into()) }
            }
        }
    }

    fn path(&self, key: &ClusterKey) -> String {
        format!("/apis/postgresql.cnpg.io/v1/namespaces/{}/clusters/{}", key.namespace, key.name)
    }

    /// The statements, in short.
    fn sql(&self) -> String {
        let marks = self.marks();
        let tables = match self.tables.len() {
            0 => "each table".to_owned(),
            _ => self.tables.join(", "),
        };
        let read = format!(
            "SELECT count(*), sum(hashtextextended(row::text, 0)) FROM {tables} -- in one snapshot, read only; count(*) alone \
             above {}",
            bytes(self.most)
        );
        match self.part {
            Part::Mark => format!("{}; {}", self.create_table(), self.insert(1)),
            Part::Print => format!("{}; {read}; {}; {read}", self.insert(2), self.insert(3)),
            Part::Archive => "SELECT pg_switch_wal(); SELECT last_archived_wal FROM pg_stat_archiver".into(),
            Part::Compare => format!("SELECT batch, count(*) FROM {marks} GROUP BY batch; {read}"),
            Part::Check => "pg_amcheck, or bt_index_check and verify_heapam of the extension amcheck".into(),
            _ => self.drop_table(),
        }
    }

    /// The statement that makes the table of the markers.
    pub fn create_table(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (batch int, n int, at timestamptz DEFAULT clock_timestamp(), PRIMARY KEY (batch, n))",
            self.marks()
        )
    }

    /// The statement that writes a batch; written again it changes nothing.
    pub fn insert(&self, batch: u8) -> String {
        let rows = crate::domain::trial::ROWS;
        let marks = self.marks();
        format!(
            "INSERT INTO {marks} (batch, n) SELECT {batch}, n FROM generate_series(1, {rows}) AS n ON CONFLICT DO NOTHING"
        )
    }

    /// The statement that drops it.
    pub fn drop_table(&self) -> String {
        format!("DROP TABLE IF EXISTS {}", self.marks())
    }

    /// The line that does the same by hand.
    pub fn by_hand(&self) -> String {
        let ClusterKey { namespace, name, .. } = &self.scratch;
        match &self.part {
            Part::Make { create, .. } => Order::Create((**create).clone()).by_hand(),
            Part::TearDown => format!("kubectl delete clusters.postgresql.cnpg.io {name} -n {namespace}"),
            Part::Recover => {
                format!("kubectl logs -f -n {namespace} -l cnpg.io/cluster={name},cnpg.io/jobRole=full-recovery")
            }
            _ => self.sql(),
        }
    }

    /// The rights it can't do without.
    pub fn rights(&self) -> Vec<Right> {
        let right = |verb: &str, resource: &str| Right {
            verb: verb.into(),
            group: "postgresql.cnpg.io".into(),
            resource: resource.into(),
            subresource: None,
            namespace: self.scratch.namespace.to_string(),
            name: String::new(),
        };
        match &self.part {
            Part::Make { create, .. } => Order::Create((**create).clone()).rights(),
            Part::TearDown => vec![right("get", "clusters"), right("delete", "clusters")],
            _ => Vec::new(),
        }
    }

    /// It is a change that the API is asked to try first.
    pub fn makes(&self) -> bool {
        matches!(self.part, Part::Make { .. })
    }
}

/// A moment as a manifest has it: RFC 3339 to the microsecond, as PostgreSQL's clock.
pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// What was learned, by any step.
fn learned(answers: &Answers) -> impl Iterator<Item = &Learned> {
    answers.values().filter_map(|a| match a {
        Answer::Learned(learned) => Some(&**learned),
        _ => None,
    })
}

/// The source's tables and the moment, once they are known.
pub fn printed(answers: &Answers) -> Option<&Printed> {
    learned(answers).find_map(|l| if let Learned::Printed(p) = l { Some(p) } else { None })
}

/// The last batch of markers.
pub fn last_mark(answers: &Answers) -> Option<&Mark> {
    printed(answers)?.marks.iter().max_by_key(|m| m.batch)
}

/// What was answered by the entries of a journal.
pub fn answered<'e>(entries: impl IntoIterator<Item = &'e super::entry::Entry>) -> Answers {
    let answer = |e: &super::entry::Entry| match &e.what {
        super::entry::What::Accepted { step, answer } => Some((step.clone(), answer.clone())),
        _ => None,
    };
    entries.into_iter().filter_map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detail::ObjectRef;
    use crate::procedure::order::Target;

    fn key(name: &str) -> ClusterKey {
        ClusterKey::new("aks", "pg", name)
    }

    fn trial(part: Part) -> Trial {
        Trial {
            part,
            source: key("orders"),
            scratch: key("orders-drill-0315"),
            database: "app".into(),
            table: "howdah_drill_20261121_031500".into(),
            tables: Vec::new(),
            most: 1 << 30,
            attempts: 3,
        }
    }

    fn make() -> Trial {
        let object = ObjectRef {
            context: "aks".into(),
            api_version: "postgresql.cnpg.io/v1".into(),
            kind: "Cluster".into(),
            namespace: "pg".into(),
            name: "orders-drill-0315".into(),
        };
        let body = json!({"kind": "Cluster", "spec": {"target": "now"}});
        let create = Create { target: Target { object, plural: "clusters".into(), subresource: None }, body };
        trial(Part::Make { create: Box::new(create), at: "/spec/target".into() })
    }

    #[test]
    fn the_moment_is_filled_in_once_it_is_known() {
        let make = make();
        assert_eq!(make.request(&Answers::new()).body.unwrap()["spec"]["target"], "now");
        let target = "2026-11-21T03:15:00.5Z".parse().unwrap();
        let printed = Printed {
            by: "psql".into(),
            target,
            marks: Vec::new(),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            elsewhere: Vec::new(),
        };
        let answers = Answers::from([("print".into(), Answer::Learned(Box::new(Learned::Printed(printed))))]);
        let request = make.request(&answers);
        assert_eq!(request.body.unwrap()["spec"]["target"], "2026-11-21T03:15:00.500000Z");
        assert_eq!(request.method, "POST");
    }

    #[test]
    fn what_is_shown_names_where_it_goes() {
        let request = |part| trial(part).request(&Answers::new());
        assert!(request(Part::Mark).body.unwrap().as_str().unwrap().contains("public.howdah_drill_20261121_031500"));
        assert_eq!(request(Part::Compare).path, "pg/orders-drill-0315 database app");
        assert_eq!(request(Part::Sweep).path, "pg/orders database app");
        assert_eq!(
            request(Part::TearDown).path,
            "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters/orders-drill-0315"
        );
    }
}
