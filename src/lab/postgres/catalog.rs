//! The base backups in a store, read back from what Barman wrote beside each: `base/<id>/backup.info`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::Store;
use crate::domain::lsn::Lsn;

/// One base backup, as its `backup.info` tells. What an unfinished or failed one does not know is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// `20261120T225646`: the name of its folder.
    pub id: String,
    /// Its name.
    pub name: String,
    /// PostgreSQL's own label of it.
    pub label: String,
    /// When it began.
    pub begin_time: Option<Timestamp>,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// The first segment a restore needs.
    pub begin_wal: String,
    /// The last segment a restore needs to be consistent.
    pub end_wal: String,
    /// The position it starts at.
    pub begin_lsn: Option<Lsn>,
    /// The position it ends at.
    pub end_lsn: Option<Lsn>,
    /// The system it is of.
    pub system_id: String,
    /// The timeline it was taken on.
    pub timeline: Option<u32>,
    /// Why it failed.
    pub error: String,
}

impl Base {
    /// Whether it came to its end. (CNPG: `isBackupDone`.)
    pub fn is_done(&self) -> bool {
        self.begin_time.is_some() && self.end_time.is_some()
    }

    fn parse(id: &str, text: &str) -> Base {
        let fields: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.split_once('=')).filter(|(_, value)| *value != "None").collect();
        let word = |key: &str| fields.get(key).copied().unwrap_or_default().to_owned();
        let time = |key: &str| fields.get(key).and_then(|value| value.parse().ok());
        let lsn = |key: &str| fields.get(key).and_then(|value| value.parse().ok());
        Base {
            id: id.to_owned(),
            name: word("backup_name"),
            label: word("backup_label"),
            begin_time: time("begin_time"),
            end_time: time("end_time"),
            begin_wal: word("begin_wal"),
            end_wal: word("end_wal"),
            begin_lsn: lsn("begin_xlog"),
            end_lsn: lsn("end_xlog"),
            system_id: word("systemid"),
            timeline: fields.get("timeline").and_then(|value| value.parse().ok()),
            error: word("error"),
        }
    }
}

impl Store {
    /// The base backups of this server in the order in which they began, unfinished ones last. None where the server has
    /// no folder.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn bases(&self) -> io::Result<Vec<Base>> {
        let mut bases = Vec::new();
        for entry in listed(&self.folder().join("base"))? {
            let id = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match fs::read_to_string(entry.join("backup.info")) {
                Ok(text) => bases.push(Base::parse(&id, &text)),
                // One that is being taken has none yet.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        bases.sort_by_key(|base| (!base.is_done(), base.begin_time, base.id.clone()));
        Ok(bases)
    }

    /// Whether there is anything in this server's WAL archive.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn has_wal(&self) -> io::Result<bool> {
        for entry in listed(&self.folder().join("wals"))? {
            if entry.is_file() || !listed(&entry)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The archive of a base backup's data directory: `data.tar`, or with the suffix of its compression.
    pub fn data_of(&self, id: &str) -> Option<PathBuf> {
        let files = listed(&self.backup_folder(id)).ok()?;
        files.into_iter().find(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix("data.tar").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// What is in a folder, by name; nothing where there is none.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path) -> Store {
        Store { root: dir.to_owned(), server: "shop".into() }
    }

    #[test]
    fn a_backup_is_read_as_barman_wrote_it() {
        let text = "backup_label='START: x\\n'\nbackup_name=b\nbegin_time=2026-11-20 22:56:46.176558+00:00\n\
            begin_wal=000000010000000000000003\nbegin_xlog=0/3000028\nend_time=2026-11-20 22:56:48.580730+00:00\n\
            end_wal=000000010000000000000004\nend_xlog=0/4087A78\nerror=None\nstatus=DONE\ntimeline=1\n";
        let base = Base::parse("20261120T225646", text);
        assert!(base.is_done());
        assert_eq!(base.end_time, Some("2026-11-20T22:56:48.58073Z".parse().unwrap()));
        assert_eq!((base.end_lsn, base.timeline, base.error.as_str()), (Some(Lsn(0x408_7A78)), Some(1), ""));
        assert!(!Base::parse("x", "begin_time=2026-11-20 22:56:46+00:00\nend_time=None\n").is_done());
    }

    #[test]
    fn backups_are_listed_as_they_began_and_unfinished_ones_last() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        assert_eq!(store.bases().unwrap(), Vec::new());
        let put = |id: &str, info: Option<&str>| {
            fs::create_dir_all(store.backup_folder(id)).unwrap();
            info.into_iter().for_each(|text| fs::write(store.backup_folder(id).join("backup.info"), text).unwrap());
        };
        put("20261120T3", Some("begin_time=2026-11-20 03:00:00+00:00\nend_time=2026-11-20 03:01:00+00:00"));
        put("20261120T1", Some("begin_time=2026-11-20 01:00:00+00:00\nend_time=None"));
        put("20261120T2", Some("begin_time=2026-11-20 02:00:00+00:00\nend_time=2026-11-20 02:01:00+00:00"));
        put("20261120T4", None);
        let ids: Vec<String> = store.bases().unwrap().into_iter().map(|base| base.id).collect();
        assert_eq!(ids, ["20261120T2", "20261120T3", "20261120T1"]);
    }

    #[test]
    fn an_archive_with_one_file_is_not_empty() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        assert!(!store.has_wal().unwrap());
        let wal = store.wal_path("000000010000000000000003");
        fs::create_dir_all(wal.parent().unwrap()).unwrap();
        assert!(!store.has_wal().unwrap(), "a folder is nothing in a store");
        fs::write(&wal, "x").unwrap();
        assert!(store.has_wal().unwrap());
    }

    #[test]
    fn the_data_may_be_compressed() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        assert_eq!(store.data_of("b"), None);
        fs::create_dir_all(store.backup_folder("b")).unwrap();
        fs::write(store.backup_folder("b").join("backup.info"), "").unwrap();
        assert_eq!(store.data_of("b"), None);
        let data = store.backup_folder("b").join("data.tar.gz");
        fs::write(&data, "").unwrap();
        assert_eq!(store.data_of("b"), Some(data));
    }
}
