//! Where this machine has PostgreSQL's server programs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::problem::{Exit, Problem};

/// The oldest major version the lab speaks: `wal_status`, `pg_rewind`'s automatic recovery and `primary_conninfo` as a setting are there.
const OLDEST: u32 = 13;
/// Without these no lab.
const NEEDED: [&str; 5] = ["postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_controldata"];

/// One folder with `postgres`, `initdb`, `pg_basebackup`, `pg_rewind` and the others, all of one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binaries {
    /// The major version: 13 or newer.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
    /// The folder.
    pub dir: PathBuf,
}

impl Binaries {
    /// The newest on this machine; `HOWDAH_PG_BIN` names a folder outright.
    ///
    /// # Errors
    /// When there is none of version 13 or newer: says where was looked and how to install one.
    pub fn find() -> Result<Binaries, Problem> {
        if let Some(dir) = std::env::var_os("HOWDAH_PG_BIN") {
            let dir = PathBuf::from(dir);
            return look(&dir).filter(|b| b.major >= OLDEST).ok_or_else(|| {
                Problem::usage(format!("no PostgreSQL {OLDEST} or newer in {}", dir.display()))
                    .because(format!("HOWDAH_PG_BIN names it, and it needs {}", NEEDED.join(", ")))
                    .try_this("HOWDAH_PG_BIN=/usr/lib/postgresql/17/bin")
            });
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = std::env::split_paths(&path).chain(usual_places());
        // `postgres` may be a link to the real place, where its siblings are; several links, one place.
        let real: BTreeSet<PathBuf> =
            places.filter_map(|place| fs::canonicalize(place.join("postgres")).ok()).collect();
        newest(real.iter().filter_map(|program| look(program.parent()?))).ok_or_else(missing)
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// `15.18`.
    pub fn version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// As `pg_settings.server_version_num` writes it: 150018.
    pub fn version_num(&self) -> u32 {
        self.major * 10_000 + self.minor
    }
}

fn newest(found: impl Iterator<Item = Binaries>) -> Option<Binaries> {
    found.filter(|b| b.major >= OLDEST).max()
}

fn missing() -> Problem {
    let install = if cfg!(target_os = "macos") {
        "brew install postgresql@17"
    } else if Path::new("/usr/bin/apt-get").exists() {
        "sudo apt-get install postgresql"
    } else if Path::new("/usr/bin/dnf").exists() {
        "sudo dnf install postgresql-server"
    } else if Path::new("/sbin/apk").exists() {
        "sudo apk add postgresql"
    } else {
        "install PostgreSQL's server package, or set HOWDAH_PG_BIN to the folder of its programs"
    };
    Problem::new(format!("PostgreSQL {OLDEST} or newer is not on this machine"))
        .because("the lab runs real servers, and there is none on PATH, in /usr/lib/postgresql, /usr/pgsql-*, Homebrew or Postgres.app")
        .try_this(install)
        .exit(Exit::Usage)
}

/// Folders below these that look like PostgreSQL's, and where the programs are in them.
fn usual_places() -> impl Iterator<Item = PathBuf> {
    const PLACES: [(&str, &str); 10] = [
        ("/usr/lib/postgresql", "bin"),
        ("/usr/lib", "bin"),
        ("/usr/lib64", "bin"),
        ("/usr/libexec", ""),
        ("/usr", "bin"),
        ("/usr/local", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ];
    PLACES.into_iter().flat_map(|(above, below)| {
        let entries = fs::read_dir(above).into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.contains("postgres") || name.starts_with("pgsql") || name.starts_with(|c: char| c.is_ascii_digit())
            })
            .map(move |entry| entry.path().join(below))
    })
}

/// What is in a folder.
fn look(place: &Path) -> Option<Binaries> {
    let dir = fs::canonicalize(place).ok()?;
    if !NEEDED.iter().all(|program| dir.join(program).is_file()) {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let (major, minor) = version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir, major, minor })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → (15, 18); `17beta1` → (17, 0).
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split("(PostgreSQL)").nth(1)?.split_whitespace().next()?;
    let digits = |s: &str| s.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let (major, rest) = number.split_once('.').unwrap_or((number, ""));
    Some((digits(major)?, digits(rest).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_print_them() {
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some((15, 18)));
        assert_eq!(version("postgres (PostgreSQL) 17beta1"), Some((17, 0)));
        assert_eq!(version("postgres (PostgreSQL) 19devel"), Some((19, 0)));
        assert_eq!(version("bash: postgres: not found"), None);
    }

    #[test]
    fn the_newest_wins_and_old_ones_never() {
        let some = |major, minor| Binaries { major, minor, dir: format!("/{major}").into() };
        let found = newest([some(9, 6), some(16, 2), some(16, 10), some(12, 22)].into_iter());
        assert_eq!(found, Some(some(16, 10)));
        assert_eq!(newest([some(12, 22)].into_iter()), None);
    }

    #[test]
    fn where_there_is_none_a_line_to_install_it() {
        let problem = missing();
        assert_eq!(problem.exit, Exit::Usage);
        assert!(problem.try_this.is_some_and(|line| line.contains("install") || line.contains("add")));
    }
}
