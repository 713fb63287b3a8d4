//! The account PostgreSQL runs as: never root.

use nix::unistd::{Uid, User, getegid, geteuid};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use crate::problem::Problem;

/// Who runs the server programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name, for messages.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// Whether this process has to change to it (it runs as root).
    pub change: bool,
}

impl Account {
    /// The account of this process, or `postgres`, else `nobody`, where this process is root's.
    ///
    /// # Errors
    /// When this process is root's and neither account exists.
    pub fn choose() -> Result<Account, Problem> {
        if !geteuid().is_root() {
            let (uid, gid) = (geteuid(), getegid());
            return Ok(Account { name: name_of(uid), uid: uid.as_raw(), gid: gid.as_raw(), change: false });
        }
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten().filter(|user| !user.uid.is_root()))
            .map(|user| Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), change: true })
            .ok_or_else(|| {
                Problem::refused("PostgreSQL is never run as root")
                    .because("this is root, and there is no account postgres or nobody to change to")
                    .try_this("start howdah as an ordinary user, or: useradd --system postgres")
            })
    }

    /// Whether it can reach `path`: every folder above, and the folder itself, must let it through.
    ///
    /// # Errors
    /// Names the folder that doesn't, and what to do.
    pub fn reaches(&self, path: &Path) -> Result<(), Problem> {
        if !self.change {
            return Ok(());
        }
        let shut =
            path.ancestors().collect::<Vec<_>>().into_iter().rev().find(|folder| {
                fs::metadata(folder).is_ok_and(|meta| !self.may_enter(meta.uid(), meta.gid(), meta.mode()))
            });
        match shut {
            None => Ok(()),
            Some(folder) => Err(Problem::usage(format!("the lab can't be in {}", path.display()))
                .because(format!(
                    "the account {} can't enter {}, and PostgreSQL never runs as root",
                    self.name,
                    folder.display()
                ))
                .try_this("choose a folder that every user can reach, such as --dir /tmp/lab")),
        }
    }

    fn may_enter(&self, owner: u32, group: u32, mode: u32) -> bool {
        let bit = if owner == self.uid {
            0o100
        } else if group == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }

    /// Makes `folder` (and what is missing above it) for this account alone.
    ///
    /// # Errors
    /// As the system tells.
    pub fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        self.own(folder, 0o700)
    }

    /// Writes a file for this account alone, with `mode`. Replaced as a whole: a reader sees the old or the new one.
    ///
    /// # Errors
    /// As the system tells.
    pub fn write(&self, path: &Path, text: &str, mode: u32) -> io::Result<()> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = Path::new(&new);
        // Made with the final rights before anything is in it: some of these files are keys.
        let _ = fs::remove_file(new);
        fs::OpenOptions::new().write(true).create_new(true).open(new)?;
        self.own(new, mode | 0o200)?;
        fs::write(new, text)?;
        fs::set_permissions(new, Permissions::from_mode(mode))?;
        fs::rename(new, path)
    }

    /// Gives `path` to this account, with `mode`.
    ///
    /// # Errors
    /// As the system tells.
    pub fn own(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        if self.change {
            chown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }
}

fn name_of(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone(change: bool) -> Account {
        Account { name: "postgres".into(), uid: 101, gid: 104, change }
    }

    #[test]
    fn a_folder_lets_its_owner_its_group_or_everyone_in() {
        let account = someone(true);
        assert!(account.may_enter(101, 0, 0o700));
        assert!(!account.may_enter(101, 104, 0o677), "the owner's own bit counts, not the others'");
        assert!(account.may_enter(0, 104, 0o710));
        assert!(account.may_enter(0, 0, 0o711));
        assert!(!account.may_enter(0, 0, 0o750));
    }

    #[test]
    fn a_shut_folder_above_is_named() {
        let top = tempfile::tempdir().unwrap();
        let shut = top.path().join("shut");
        fs::create_dir_all(shut.join("lab")).unwrap();
        fs::set_permissions(top.path(), Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&shut, Permissions::from_mode(0o700)).unwrap();
        let stranger = Account { uid: 4_000_000, gid: 4_000_000, ..someone(true) };
        let problem = stranger.reaches(&shut.join("lab")).unwrap_err();
        assert!(problem.because.as_ref().unwrap().contains(shut.to_str().unwrap()), "{problem}");
        assert_eq!(Account { change: false, ..stranger }.reaches(&shut.join("lab")), Ok(()));
    }
}
