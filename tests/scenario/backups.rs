//! What the stores of the hand-made world hold: one whole archive over a failover, one with holes.

use howdah::domain::backup::{Archive, StoreListing};
use howdah::domain::cluster::{BackupObject, Cluster, Schedule};
use howdah::domain::facts::Fact;
use howdah::domain::lsn::Lsn;
use howdah::domain::source::{SourceHealth, SourceId, SourceState};
use howdah::domain::wal::{DEFAULT_SEGMENT, WalName};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use super::{ago, now, pg_orders, pg_primary};

const MIB: u64 = 1 << 20;

/// Both clusters, with their objects and what was listed of their stores two seconds ago.
pub fn stored() -> Vec<Fact> {
    let (calm, store) = whole();
    let (orders, holes) = with_holes();
    let live = |c: &Cluster| Fact::Source(SourceId::Store(c.key.clone()), health(SourceState::Live, 2));
    let sources = [live(&calm), live(&orders)];
    let stores = [Fact::Store(calm.key.clone(), Arc::new(store)), Fact::Store(orders.key.clone(), Arc::new(holes))];
    [Fact::Cluster(Arc::new(calm)), Fact::Cluster(Arc::new(orders))].into_iter().chain(sources).chain(stores).collect()
}

/// The store of the calm cluster can't be listed any more; it was, as [`stored`] says.
pub fn refused() -> Fact {
    let why = "the account may not list the container (403 AuthorizationPermissionMismatch)";
    let state = SourceState::Failing {
        why: why.into(),
        again_at: now() + SignedDuration::from_secs(60),
        try_this: Some("give it Storage Blob Data Reader".into()),
    };
    Fact::Source(SourceId::Store(super::key("cnpg-database", "pg-primary")), health(state, 2))
}

fn health(state: SourceState, seen: i64) -> SourceHealth {
    SourceHealth { state, proven: Some(ago(seen)) }
}

fn cluster(facts: Vec<Fact>) -> Cluster {
    facts.into_iter().find_map(|f| if let Fact::Cluster(c) = f { Some((*c).clone()) } else { None }).unwrap()
}

fn name(timeline: u32, number: u64) -> WalName {
    WalName::holding(timeline, Lsn(number * DEFAULT_SEGMENT), DEFAULT_SEGMENT)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An archive whose segments came one after the other, evenly, from `from` on.
struct Filling {
    archive: Archive,
    from: Timestamp,
    first: u64,
    each: SignedDuration,
}

impl Filling {
    fn when(&self, number: u64) -> Timestamp {
        self.from + self.each * (number - self.first) as i32
    }

    /// The segment that was written at this moment.
    fn number(&self, at: Timestamp) -> u64 {
        self.first + (at.duration_since(self.from).as_secs() / self.each.as_secs()) as u64 + 1
    }

    fn wal(&mut self, timeline: u32, numbers: impl IntoIterator<Item = u64>) {
        for n in numbers {
            let name = name(timeline, n).to_string();
            let size = 4 * MIB + (n * 7919) % (3 * MIB);
            let stored = self.when(n);
            self.archive.feed(&format!("wals/{}/{name}.gz", &name[..16]), size, stored);
        }
    }

    fn history(&mut self, timeline: u32, text: &str) {
        let key = format!("wals/{timeline:08X}.history");
        self.archive.feed(&key, 50, self.from);
        self.archive.tell(&key, Ok(text));
    }

    /// A base backup of five minutes that began at this moment. Its object, as the operator would make it.
    fn base(&mut self, timeline: u32, began: Timestamp, status: &str, bytes: u64) -> BackupObject {
        let (begin, ended) = (self.number(began), began + SignedDuration::from_secs(312));
        let (end, id) = (self.number(ended), began.strftime("%Y%m%dT%H%M%S").to_string());
        let key = format!("base/{id}/backup.info");
        self.archive.feed(&key, 1400, ended);
        self.archive.feed(&format!("base/{id}/data.tar.gz"), bytes, ended);
        let reached = Lsn(end * DEFAULT_SEGMENT + 0x8_7A78);
        let text = format!(
            "backup_name=backup-{id}\nbegin_time={began}\nend_time={ended}\nbegin_wal={}\nend_wal={}\nend_xlog={reached}\n\
             status={status}\nsystemid=7710391222804942868\ntimeline={timeline}\nversion=170004\ncompression=gzip\n\
             cluster_size={}\nxlog_segment_size=16777216\nserver_name=cloud\n",
            name(timeline, begin),
            name(timeline, end),
            bytes * 3,
        );
        self.archive.tell(&key, Ok(&text));
        BackupObject {
            name: format!("nightly-{}", began.strftime("%Y%m%d%H%M%S")),
            phase: Some("completed".into()),
            method: Some("barmanObjectStore".into()),
            created: Some(began),
            started: Some(began),
            stopped: Some(ended),
            begin_wal: Some(name(timeline, begin).to_string()),
            end_wal: Some(name(timeline, end).to_string()),
            end_lsn: Some(reached),
            backup_id: Some(id),
            schedule: Some("nightly".into()),
            ..BackupObject::default()
        }
    }

    fn listing(self, c: &Cluster) -> StoreListing {
        StoreListing {
            destination: c.archiving.destination.clone().unwrap_or_default(),
            server: c.key.name.to_string(),
            archive: self.archive,
            asked: ago(2),
            took: SignedDuration::from_millis(340),
            pages: 3,
            whole: true,
        }
    }
}

fn schedule(name: &str, cron: &str, last: Timestamp) -> Schedule {
    Schedule {
        name: name.into(),
        cron: cron.into(),
        last: Some(last),
        created: Some(ago(40 * 86_400)),
        ..Schedule::default()
    }
}

/// Nightly backups for nine days, a failover on the way, and one by hand.
fn whole() -> (Cluster, StoreListing) {
    let mut c = cluster(pg_primary());
    let from = at("2026-11-13T01:30:00Z");
    let each = ago(4).duration_since(from) / 263;
    let mut store = Filling { archive: Archive::default(), from, first: 1, each };
    store.wal(1, 1..=199);
    store.wal(2, 200..=264);
    store.history(2, &format!("1\t{}\tno recovery target specified\n", Lsn(200 * DEFAULT_SEGMENT + 0x12_0000)));
    let mut objects = Vec::new();
    for day in 13..=21 {
        let began = at(&format!("2026-11-{day}T02:00:00Z"));
        let timeline = if store.number(began) < 199 { 1 } else { 2 };
        let object = store.base(timeline, began, "DONE", 700_000_000 + day * 9_000_000);
        objects.push(object);
    }
    let by_hand = store.base(2, ago(57 * 60), "DONE", 893_000_000);
    objects.push(BackupObject { name: "before-the-upgrade".into(), schedule: None, ..by_hand });
    objects.reverse();
    // The first one's object was removed by hand.
    objects.pop();
    c.backups.objects = objects.into_iter().map(Arc::new).collect();
    c.backups.retention = Some("7d".into());
    c.backups.schedules = vec![schedule("nightly", "0 0 2 * * *", at("2026-11-21T02:00:00Z"))];
    let listing = store.listing(&c);
    (c, listing)
}

/// Segments are missing, the newest backup lost its end, one failed, one was never ended, and the schedule lags.
fn with_holes() -> (Cluster, StoreListing) {
    let mut c = cluster(pg_orders());
    let from = at("2026-11-18T04:00:00Z");
    let each = ago(845).duration_since(from) / 274;
    let mut store = Filling { archive: Archive::default(), from, first: 300, each };
    store.wal(4, 300..=379);
    store.history(5, &format!("4\t{}\tno recovery target specified\n", Lsn(380 * DEFAULT_SEGMENT + 0x12_0000)));
    let first = store.base(4, at("2026-11-18T05:15:00Z"), "DONE", 41_000_000_000);
    let second = store.base(5, at("2026-11-19T12:15:00Z"), "DONE", 41_300_000_000);
    let broken = store.base(5, ago(26 * 3600 + 312), "DONE", 41_900_000_000);
    let end = store.number(ago(26 * 3600));
    store.wal(5, (380..=430).chain(434..end).chain(end + 2..=574));
    let failed = BackupObject {
        name: "orders-hourly-20261121081500".into(),
        phase: Some("failed".into()),
        error: Some("can't execute barman-cloud-backup: exit status 2".into()),
        created: Some(at("2026-11-20T05:15:00Z")),
        started: Some(at("2026-11-20T05:15:00Z")),
        schedule: Some("hourly".into()),
        method: Some("barmanObjectStore".into()),
        ..BackupObject::default()
    };
    c.backups.objects = [broken, failed, second, first].into_iter().map(Arc::new).collect();
    c.backups.schedules = vec![
        schedule("hourly", "0 15 * ? * *", ago(26 * 3600 + 312)),
        Schedule { suspended: true, ..schedule("weekly", "@weekly", at("2026-11-08T00:00:00Z")) },
    ];
    let listing = store.listing(&c);
    (c, listing)
}
