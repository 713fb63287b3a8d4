//! One archive: a failover, a hole, base backups, and what stands around in a bucket.

use futures::{StreamExt, TryStreamExt, stream};
use howdah::domain::backup::Archive;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;

/// Segments of the first timeline, without those of the hole.
pub const FIRST: u64 = 2_300;
/// The hole in it.
pub const HOLE: std::ops::RangeInclusive<u64> = 1_000..=1_002;
/// Segments of the second timeline: it begins in the last one of the first.
pub const SECOND: u64 = 300;

/// `000000010000000800000003` with its folder, for a segment size of 16 MiB.
pub fn segment(timeline: u32, number: u64, suffix: &str) -> String {
    let (log, low) = (number / 256, number % 256);
    format!("wals/{timeline:08X}{log:08X}/{timeline:08X}{log:08X}{low:08X}{suffix}")
}

/// What `backup.info` says of a backup from one segment to another.
pub fn info(timeline: u32, begin: u64, end: u64, status: &str) -> String {
    let name = |n: u64| segment(timeline, n, "").rsplit('/').next().unwrap().to_owned();
    let lsn = |n: u64| format!("{:X}/{:X}", n / 256, (n % 256) << 24 | 0x28);
    format!(
        "begin_time=2026-11-20 22:56:46.176558+00:00\nend_time=2026-11-20 22:56:48.580730+00:00\nbegin_wal={}\n\
         begin_xlog={}\nend_wal={}\nend_xlog={}\nserver_name=cloud\nsize=None\nstatus={status}\ntimeline={timeline}\n\
         version=170011\nxlog_segment_size=16777216\nsystemid=7710391222804942868\n",
        name(begin),
        lsn(begin),
        name(end),
        lsn(end)
    )
}

fn packed(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

/// Keys relative to the server's folder, with what is in them.
pub fn archive() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut put = |key: String, bytes: &[u8]| drop(all.insert(key, bytes.to_vec()));
    for number in (1..=FIRST).filter(|n| !HOLE.contains(n)) {
        put(segment(1, number, ".gz"), b"wal");
    }
    for number in FIRST..FIRST + SECOND {
        put(segment(2, number, ".gz"), b"more");
    }
    put(segment(1, FIRST, ".partial"), b"w");
    put(segment(1, 3, ".00000028.backup.gz"), b"label");
    let left = format!("1\t{:X}/{:X}\tno recovery target specified\n", FIRST / 256, (FIRST % 256) << 24 | 0x4000);
    put("wals/00000002.history.gz".into(), &packed(&left));
    for (id, timeline, begin) in [("20261120T225646", 1, 3), ("20261121T030000", 2, FIRST + 10)] {
        put(format!("base/{id}/backup.info"), info(timeline, begin, begin + 1, "DONE").as_bytes());
        put(format!("base/{id}/data.tar.gz"), &[7; 4_000]);
        put(format!("base/{id}/16385.tar.gz"), &[7; 300]);
    }
    put("base/20261121T040000/backup.info".into(), b"\xff\xfe no text");
    put("readme.txt".into(), b"left by somebody");
    all
}

/// Puts files into the folder of a store, many at a time.
pub async fn put(store: &dyn ObjectStore, folder: &str, files: &BTreeMap<String, Vec<u8>>) {
    let puts = files.iter().map(|(key, bytes)| async move {
        let path = Path::parse(format!("{folder}/{key}")).unwrap();
        store.put(&path, bytes.clone().into()).await.map(drop)
    });
    stream::iter(puts).buffer_unordered(24).try_collect::<()>().await.unwrap();
}

/// What is the same whatever store an archive is in: times are not.
pub fn said(archive: &Archive) -> String {
    let mut out = String::new();
    let size = archive.segment_size();
    for (timeline, wal) in &archive.timelines {
        let runs: Vec<_> = wal.runs.numbered(size).iter().map(|r| (r.first, r.last)).collect();
        let partial: Vec<_> = wal.partial.keys().map(ToString::to_string).collect();
        out += &format!("timeline {timeline}: {runs:?} {} bytes {:?}, partial {partial:?}\n", wal.bytes, wal.packing);
    }
    for (id, base) in &archive.bases {
        let info = base.info.as_ref().map(|i| &i.text);
        out += &format!("base {id}: {} files {} bytes {info:?}\n", base.files, base.bytes);
    }
    for (timeline, history) in &archive.histories {
        out += &format!("history {timeline}: {:?}\n", history.text);
    }
    out + &format!("{} segments\n", archive.segments())
}
