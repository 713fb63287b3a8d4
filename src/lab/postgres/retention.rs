//! What of a store is beyond its recovery window, and its removal, as `barman-cloud-backup-delete --retention-policy` does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use jiff::{SignedDuration, Timestamp};

use super::{Base, Store};

/// `RECOVERY WINDOW OF … DAYS`: it must stay possible to recover to any moment within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy(SignedDuration);

impl Policy {
    /// `7d`, `4w`, `2m` (of 31 days); `None` for anything else.
    pub fn parse(text: &str) -> Option<Policy> {
        let unit = text.chars().next_back()?;
        let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number > 0)?;
        let days = match unit {
            'd' => 1,
            'w' => 7,
            'm' => 31,
            _ => return None,
        };
        Some(Policy(SignedDuration::from_hours(number.checked_mul(days)?.checked_mul(24)?)))
    }
}

/// The base backups that are not needed any more. Needed are those within the window and the last one before it.
fn obsolete(bases: &[Base], policy: Policy, now: Timestamp) -> Vec<&Base> {
    let edge = now.checked_sub(policy.0).unwrap_or(Timestamp::MIN);
    let mut done: Vec<&Base> = bases.iter().filter(|base| base.is_done()).collect();
    done.sort_by_key(|base| base.end_time);
    let before = done.iter().take_while(|base| base.end_time < Some(edge)).count();
    done.truncate(before.saturating_sub(1));
    done
}

/// Whether a file of the archive is not needed by any backup that is kept: older than the first segment of the oldest one,
/// and of no timeline that another one was taken on. Histories always stay.
fn is_unneeded(file: &str, oldest: &Base, other_timelines: &BTreeSet<&str>) -> bool {
    let Some(segment) = file.get(..24).filter(|_| !file.contains(".history")) else { return false };
    segment < oldest.begin_wal.as_str() && !other_timelines.contains(&segment[..8])
}

impl Store {
    /// Removes base backups beyond the policy, and the WAL that only they needed.
    ///
    /// # Errors
    /// When the store can't be read or changed.
    pub fn retain(&self, policy: Policy, now: Timestamp) -> io::Result<()> {
        let bases = self.bases()?;
        let gone: BTreeSet<&str> = obsolete(&bases, policy, now).into_iter().map(|base| base.id.as_str()).collect();
        if gone.is_empty() {
            return Ok(());
        }
        for id in &gone {
            // What is not there any more is removed.
            let info = self.backup_folder(id).join("backup.info");
            fs::remove_file(&info).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
            fs::remove_dir_all(self.backup_folder(id))?;
        }
        let kept: Vec<&Base> = bases.iter().filter(|b| b.is_done() && !gone.contains(b.id.as_str())).collect();
        let Some(oldest) = kept.iter().min_by_key(|base| base.end_time) else { return Ok(()) };
        let own = oldest.begin_wal.get(..8).unwrap_or_default();
        let others = kept.iter().filter_map(|base| base.begin_wal.get(..8)).filter(|tl| *tl != own).collect();
        for file in files_below(&self.folder().join("wals"))? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if is_unneeded(&name, oldest, &others) {
                fs::remove_file(&file)?;
            }
        }
        Ok(())
    }
}

/// The files of a folder and of the folders in it.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => files.extend(files_below(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_days_weeks_and_months() {
        let days = |text| Policy::parse(text).map(|policy| policy.0.as_hours() / 24);
        assert_eq!([days("7d"), days("4w"), days("2m")], [Some(7), Some(28), Some(62)]);
        for text in ["", "d", "0d", "7", "7y", "-1d", "7 d"] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    fn store_with(bases: &[(&str, &str, &str)], wal: &[&str]) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store { root: dir.path().to_owned(), server: "shop".into() };
        for (id, end, begin_wal) in bases {
            fs::create_dir_all(store.backup_folder(id)).unwrap();
            let info = format!("begin_time={end}\nend_time={end}\nbegin_wal={begin_wal}\nstatus=DONE\n");
            fs::write(store.backup_folder(id).join("backup.info"), info).unwrap();
        }
        for name in wal {
            fs::create_dir_all(store.wal_path(name).parent().unwrap()).unwrap();
            fs::write(store.wal_path(name), "").unwrap();
        }
        (dir, store)
    }

    fn left(store: &Store) -> Vec<String> {
        let mut all: Vec<String> = files_below(&store.folder())
            .unwrap()
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "backup.info")
            .chain(store.bases().unwrap().into_iter().map(|base| base.id))
            .collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn the_last_backup_before_the_window_stays_with_its_wal() {
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let (_dir, store) = store_with(
            &[
                ("a", "2026-11-01 00:00:00+00:00", "000000010000000000000002"),
                ("b", "2026-11-10 00:00:00+00:00", "000000010000000000000004"),
                ("c", "2026-11-20 00:00:00+00:00", "000000010000000000000006"),
            ],
            &[
                "000000010000000000000002.00000028.backup",
                "000000010000000000000003",
                "000000010000000000000004",
                "00000002.history",
            ],
        );
        store.retain(Policy::parse("30d").unwrap(), now).unwrap();
        assert_eq!(left(&store).len(), 7, "nothing is beyond a month");
        store.retain(Policy::parse("7d").unwrap(), now).unwrap();
        assert_eq!(left(&store), ["000000010000000000000004", "00000002.history", "b", "c"]);
        store.retain(Policy::parse("7d").unwrap(), now).unwrap();
        assert_eq!(left(&store).len(), 4, "a second time changes nothing");
    }

    #[test]
    fn one_backup_alone_stays_however_old() {
        let now = "2026-11-21T00:00:00Z".parse().unwrap();
        let (_dir, store) = store_with(
            &[("a", "2020-01-01 00:00:00+00:00", "000000010000000000000002")],
            &["000000010000000000000001"],
        );
        store.retain(Policy::parse("1d").unwrap(), now).unwrap();
        assert_eq!(left(&store), ["000000010000000000000001", "a"], "Barman touches WAL only with a backup that goes");
    }
}
