//! The WAL archive in Barman's cloud layout, in a folder that plays the object store.
//!
//! `<root>/<server>/wals/<first 16 digits>/<24 digits>[.backup|.partial]`, `<root>/<server>/wals/<8 digits>.history`,
//! `<root>/<server>/base/<id>/{backup.info,data.tar}`. Servers archive and restore by two small shell scripts in the
//! lab's folder, since the server's account can reach these wherever howdah itself is.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Machine, Server};
use crate::problem::Problem;

/// In a server's home, beside its data directory: while this file is there, the network between it and the store is cut.
const CUT_OFF: &str = "store-cut-off";

/// One server's part of the object store: `<root>/<server>/{wals,base}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The bucket or container: a folder.
    pub root: PathBuf,
    /// Barman's server name: the cluster's name unless said otherwise.
    pub server: String,
}

impl Store {
    /// This server's folder.
    pub fn folder(&self) -> PathBuf {
        self.root.join(&self.server)
    }

    /// Where a WAL file, a `.history`, a `.backup` or a `.partial` file goes.
    pub fn wal_path(&self, name: &str) -> PathBuf {
        let wals = self.folder().join("wals");
        match name.get(..16).filter(|_| !name.ends_with(".history")) {
            Some(folder) => wals.join(folder).join(name),
            None => wals.join(name),
        }
    }

    /// While this file is there, the store can't be reached: [`Store::archive_command`] tries for as many seconds as it
    /// says, and fails.
    pub fn unreachable(&self) -> PathBuf {
        self.root.join(format!("{}.unreachable", self.server))
    }

    /// Whether the store answers, as a command of Barman's finds out: one that does not is tried for as many seconds as its
    /// mark says.
    pub async fn answers(&self) -> bool {
        let mark = self.unreachable();
        let mut tries: u64 = std::fs::read_to_string(&mark).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        while mark.exists() {
            if tries == 0 {
                return false;
            }
            tries -= 1;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        true
    }

    /// Where a base backup's files are.
    pub fn backup_folder(&self, id: &str) -> PathBuf {
        self.folder().join("base").join(id)
    }

    /// `archive_command`.
    pub fn archive_command(&self, machine: &Machine) -> String {
        let script = commands(machine).join("wal-archive");
        format!("{} {} %p %f", quoted(&script), quoted(&self.folder()))
    }

    /// `restore_command`.
    pub fn restore_command(&self, machine: &Machine) -> String {
        let script = commands(machine).join("wal-restore");
        format!("{} {} %f %p", quoted(&script), quoted(&self.folder()))
    }
}

impl Server {
    /// Says whether the object store can be reached from where this server is: a server that is cut off can neither
    /// archive nor restore.
    ///
    /// # Errors
    /// When its mark can't be written or removed.
    pub fn set_store_reach(&self, reaches: bool) -> Result<(), Problem> {
        let mark = self.data().with_file_name(CUT_OFF);
        let done = if reaches { std::fs::remove_file(&mark) } else { self.machine().account.write(&mark, "", 0o644) };
        match done {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Problem::new(format!("{}: {} can't be changed", self.spec().instance, mark.display())).because(e))
            }
            _ => Ok(()),
        }
    }
}

/// For the shell; `%` doubled for PostgreSQL.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''").replace('%', "%%"))
}

fn commands(machine: &Machine) -> PathBuf {
    machine.servers_dir().join("bin")
}

/// Writes the scripts.
pub(super) fn write_commands(machine: &Machine) -> io::Result<()> {
    let folder = commands(machine);
    machine.account.write(&folder.join("wal-archive"), ARCHIVE, 0o500)?;
    machine.account.write(&folder.join("wal-restore"), RESTORE, 0o500)
}

/// Never overwrites: the same content is a repetition after a crash and fine, another is refused. A reader sees a file
/// whole or not at all (link(2) of a complete temporary file, which fails where the name is taken).
const ARCHIVE: &str = r#"#!/bin/sh
# wal-archive STORE PATH NAME: puts one WAL file into the object store. Run in PGDATA.
set -eu
store=$1 path=$2 name=$3
root=$(dirname "$store")
if [ ! -d "$root" ]; then
  echo "wal-archive: the object store $root is not reachable" >&2
  exit 1
fi
if [ -e ../store-cut-off ]; then
  echo "wal-archive: the network between here and the object store is cut" >&2
  exit 1
fi
tries=$(cat "$store.unreachable" 2>/dev/null || echo 0)
while [ -e "$store.unreachable" ]; do
  if [ "${tries:-0}" -le 0 ]; then
    echo "wal-archive: the object store does not answer" >&2
    exit 1
  fi
  tries=$((tries - 1))
  sleep 1
done
case $name in
  *.history) folder=$store/wals ;;
  *) folder=$store/wals/$(printf %.16s "$name") ;;
esac
mkdir -p "$folder"
if [ -e "$folder/$name" ]; then
  cmp -s "$path" "$folder/$name" && exit 0
  echo "wal-archive: $name is already there with another content" >&2
  exit 1
fi
new=$folder/.$name.$$
trap 'rm -f "$new"' EXIT
# Most of a segment that was switched early is zeros; where cp knows how, they take no room.
cp --sparse=always "$path" "$new" 2>/dev/null || cp "$path" "$new"
ln "$new" "$folder/$name"
"#;

const RESTORE: &str = r#"#!/bin/sh
# wal-restore STORE NAME PATH: fetches one WAL file from the object store. 1: it is not there. Run in PGDATA.
set -eu
store=$1 name=$2 path=$3
root=$(dirname "$store")
if [ ! -d "$root" ] || [ -e ../store-cut-off ]; then
  echo "wal-restore: the object store $root is not reachable" >&2
  # A standby asks again. A recovery must not take this for the archive's end: it stops at a code above 125.
  [ -e standby.signal ] && exit 1
  exit 126
fi
case $name in
  *.history) file=$store/wals/$name ;;
  *) file=$store/wals/$(printf %.16s "$name")/$name ;;
esac
[ -e "$file" ] || exit 1
cp "$file" "$path"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    #[test]
    fn files_go_where_barman_puts_them() {
        let store = Store { root: "/s".into(), server: "shop".into() };
        let at = |name| store.wal_path(name).to_string_lossy().into_owned();
        assert_eq!(at("000000010000000000000003"), "/s/shop/wals/0000000100000000/000000010000000000000003");
        assert_eq!(
            at("000000010000000000000003.00000028.backup"),
            "/s/shop/wals/0000000100000000/000000010000000000000003.00000028.backup"
        );
        assert_eq!(at("00000002.history"), "/s/shop/wals/00000002.history");
        assert_eq!(quoted(Path::new("/a b/it's 5%")), r"'/a b/it'\''s 5%%'");
    }

    fn run(script: &str, args: &[&Path]) -> bool {
        run_in(Path::new("/"), script, args)
    }

    fn run_in(data: &Path, script: &str, args: &[&Path]) -> bool {
        let mut sh = Command::new("sh");
        sh.current_dir(data).arg("-c").arg(script).arg("script").args(args).output().unwrap().status.success()
    }

    #[test]
    fn who_is_cut_off_from_the_store_neither_archives_nor_restores() {
        let lab = tempfile::tempdir().unwrap();
        let (root, data, wal) = (lab.path().join("store"), lab.path().join("home/data"), lab.path().join("wal"));
        fs::create_dir_all(&data).unwrap();
        fs::create_dir(&root).unwrap();
        fs::write(&wal, "one").unwrap();
        let (store, name) = (root.join("shop"), Path::new("000000010000000000000003"));
        let mark = data.with_file_name(CUT_OFF);
        fs::write(&mark, "").unwrap();
        assert!(!run_in(&data, ARCHIVE, &[&store, &wal, name]));
        assert!(!store.exists(), "nothing of it has arrived");
        fs::remove_file(&mark).unwrap();
        assert!(run_in(&data, ARCHIVE, &[&store, &wal, name]));
        fs::write(&mark, "").unwrap();
        assert!(!run_in(&data, RESTORE, &[&store, name, &lab.path().join("back")]));
        fs::remove_file(&mark).unwrap();
        assert!(run_in(&data, RESTORE, &[&store, name, &lab.path().join("back")]));
    }

    #[test]
    fn archives_once_and_never_overwrites() {
        let lab = tempfile::tempdir().unwrap();
        let (root, wal, back) = (lab.path().join("store"), lab.path().join("wal"), lab.path().join("back"));
        let store = Store { root: root.clone(), server: "shop".into() };
        let name = Path::new("000000010000000000000003");
        fs::write(&wal, "one").unwrap();
        assert!(!run(ARCHIVE, &[&store.folder(), &wal, name]), "no store, no success");
        assert!(!run(RESTORE, &[&store.folder(), name, &back]));
        fs::create_dir(&root).unwrap();
        assert!(run(ARCHIVE, &[&store.folder(), &wal, name]));
        assert!(run(ARCHIVE, &[&store.folder(), &wal, name]), "a repetition is fine");
        fs::write(&wal, "two").unwrap();
        assert!(!run(ARCHIVE, &[&store.folder(), &wal, name]));
        let there = store.wal_path(name.to_str().unwrap());
        assert_eq!(fs::read_to_string(&there).unwrap(), "one");
        assert_eq!(fs::read_dir(there.parent().unwrap()).unwrap().count(), 1, "nothing temporary is left");
        assert!(run(RESTORE, &[&store.folder(), name, &back]));
        assert_eq!(fs::read_to_string(&back).unwrap(), "one");
        fs::write(store.unreachable(), "0\n").unwrap();
        let other = Path::new("000000010000000000000004");
        assert!(!run(ARCHIVE, &[&store.folder(), &wal, other]), "the store is marked as out of reach");
        fs::remove_file(store.unreachable()).unwrap();
        assert!(run(ARCHIVE, &[&store.folder(), &wal, other]));
    }
}
