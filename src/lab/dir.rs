//! The lab's folder: one lab per folder, locked, and nothing left of it afterwards.
//!
//! Everything a lab makes is claimed by name in the folder's mark ([`MARK`]), so that only that is removed at the end.
//! Every lab is listed in a small index outside (in `$XDG_RUNTIME_DIR` or the temporary place), so that the next lab of
//! the same user finds what a killed one has left, wherever that was.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{lab::postgres::process::remains, problem::Problem};

/// The file that says "this folder is a lab's", is locked while it runs, and lists what the lab has made.
const MARK: &str = ".howdah-lab";
/// A socket's whole path must fit into 103 bytes on macOS, 107 on Linux.
const LONGEST_SOCKET: usize = 100;
const SOCKET_NAME: &str = ".s.PGSQL.65535";

/// A folder that belongs to one running lab. What the lab made in it is removed when the value is dropped.
#[derive(Debug)]
pub struct LabDir {
    root: PathBuf,
    /// Holds the lock.
    mark: File,
    claims: Mutex<BTreeSet<String>>,
    index: Option<PathBuf>,
    cleared: AtomicBool,
}

impl LabDir {
    /// Takes `dir` (made when missing, else it must be empty or a former lab's), or a fresh folder in the temporary
    /// place. Clears what labs that were killed have left behind.
    ///
    /// # Errors
    /// When another lab is using it, when it holds something else, or when it can't be written.
    pub fn open(dir: Option<&Path>) -> Result<LabDir, Problem> {
        let index = Index::open();
        if let Some(index) = &index {
            index.sweep();
        }
        match dir {
            Some(dir) => LabDir::take(dir, index.as_ref()),
            None => {
                let name = format!("howdah-{:012x}", rand::random::<u64>() >> 16);
                LabDir::take(&temporary().join(name), index.as_ref())
            }
        }
    }

    fn take(dir: &Path, index: Option<&Index>) -> Result<LabDir, Problem> {
        let shown = dir.display();
        let trouble = |e: io::Error| Problem::usage(format!("the lab can't use {shown}")).because(e);
        let made = !dir.exists();
        if made {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(trouble)?;
        }
        let root = dir.canonicalize().map_err(trouble)?;
        if !root.join(MARK).exists() && fs::read_dir(&root).map_err(trouble)?.next().is_some() {
            return Err(Problem::usage(format!("the lab can't use {shown}"))
                .because("the folder holds something that is not a lab's")
                .try_this("choose an empty or a new folder for --dir"));
        }
        let mark = lock(&root.join(MARK)).map_err(trouble)?.ok_or_else(|| {
            Problem::refused(format!("a lab is running in {shown}"))
                .because("two labs never share a folder")
                .try_this("choose another folder for --dir, or stop that lab")
        })?;
        let before = read_claims(&root);
        clear(&root, &before);
        let mut lab = LabDir { root, mark, claims: Mutex::default(), index: None, cleared: AtomicBool::new(false) };
        if made || before.contains("./") {
            lab.claim("./");
        }
        lab.index = index.and_then(|index| index.list(&lab.root));
        Ok(lab)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// A path in it. Its first part is the lab's from now on: it is removed with the lab.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        let name = name.as_ref();
        if let Some(Component::Normal(first)) = name.components().next() {
            self.claim(&first.to_string_lossy());
        }
        self.root.join(name)
    }

    /// Where processes are written down.
    pub fn records(&self) -> PathBuf {
        self.join("processes")
    }

    /// A folder for Unix sockets whose paths are short enough: in the lab's folder, or where that is too deep, in the
    /// temporary place.
    ///
    /// # Errors
    /// When none is short enough.
    pub fn sockets(&self) -> Result<PathBuf, Problem> {
        let fits = |folder: &Path| folder.join(SOCKET_NAME).as_os_str().len() <= LONGEST_SOCKET;
        let inside = self.root.join("s");
        if fits(&inside) {
            return Ok(self.join("s"));
        }
        let places = [temporary(), PathBuf::from("/tmp")];
        let outside = places.map(|place| place.join(format!("howdah-s-{:08x}", rand::random::<u32>())));
        let folder = outside.into_iter().find(|folder| fits(folder)).ok_or_else(|| {
            Problem::usage("no folder for sockets")
                .because("the temporary place's path is too long")
                .try_this("TMPDIR=/tmp")
        })?;
        self.claim(&folder.to_string_lossy());
        Ok(folder)
    }

    fn claim(&self, name: &str) {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if claims.insert(name.to_owned()) {
            let text: String = claims.iter().map(|claim| format!("{claim}\n")).collect();
            // Written in place, since the lock is on this very file. Names are never taken back, so it only grows.
            let mut mark = &self.mark;
            let _ = mark.rewind().and_then(|()| mark.write_all(text.as_bytes()));
        }
    }
}

impl LabDir {
    /// Removes what the lab has made, now. Dropping does the same; this is for an end that can't wait until the last
    /// handle has gone. Nothing may run in it any more.
    pub fn clear(&self) {
        if self.cleared.swap(true, Ordering::SeqCst) {
            // Another lab may have taken the folder by now.
            return;
        }
        let claims = std::mem::take(&mut *self.claims.lock().unwrap_or_else(PoisonError::into_inner));
        clear(&self.root, &claims);
        remove_mark(&self.root, &claims);
        if let Some(entry) = &self.index {
            let _ = fs::remove_file(entry);
            // The last lab takes the index with it.
            let _ = entry.parent().map(fs::remove_dir);
        }
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Locks the mark; `None` when another process holds it. The file that is locked is the one that is there.
fn lock(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).read(true).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
            Ok(()) => {}
        }
        // A lab that ended between opening and locking has removed the file.
        if fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|mine| mine.ino() == there.ino())) {
            return Ok(Some(file));
        }
    }
}

fn read_claims(root: &Path) -> BTreeSet<String> {
    fs::read_to_string(root.join(MARK)).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Ends the processes of a lab that is no more and removes what it claimed. The mark stays.
fn clear(root: &Path, claims: &BTreeSet<String>) {
    if claims.contains("processes") {
        remains::clear(&root.join("processes"), &root.join("pg"));
    }
    for claim in claims {
        let path = Path::new(claim);
        let ours = path.is_absolute() && claim.contains("/howdah-s-");
        let inside = path.components().count() == 1 && matches!(path.components().next(), Some(Component::Normal(_)));
        if ours || inside {
            let path = root.join(path);
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// The last act: the mark, and the folder if the lab had made it and nothing else is in it.
fn remove_mark(root: &Path, claims: &BTreeSet<String>) {
    let _ = fs::remove_file(root.join(MARK));
    if claims.contains("./") {
        let _ = fs::remove_dir(root);
    }
}

/// The temporary place; `/tmp` where that is shut to other accounts and PostgreSQL has to run as one.
fn temporary() -> PathBuf {
    let place = std::env::temp_dir();
    let open =
        |path: &Path| path.ancestors().all(|p| fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o001 != 0));
    if nix::unistd::geteuid().is_root() && !open(&place) { PathBuf::from("/tmp") } else { place }
}

/// The list of this user's labs: one file each, holding the folder's path.
struct Index {
    folder: PathBuf,
}

impl Index {
    /// `None` where no private folder can be had: labs then still run, but only clear their own folder.
    fn open() -> Option<Index> {
        let uid = nix::unistd::geteuid().as_raw();
        let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| Path::new(dir).is_dir()) {
            Some(dir) => Path::new(&dir).join("howdah-labs"),
            None => PathBuf::from(format!("/tmp/howdah-labs-{uid}")),
        };
        let _ = DirBuilder::new().mode(0o700).create(&folder);
        let meta = fs::symlink_metadata(&folder).ok()?;
        // In a place for everyone, someone else may have made it first.
        (meta.is_dir() && meta.uid() == uid && meta.mode() & 0o077 == 0).then_some(Index { folder })
    }

    fn list(&self, root: &Path) -> Option<PathBuf> {
        let entry = self.folder.join(format!("{}-{:08x}", std::process::id(), rand::random::<u32>()));
        let text = root.as_os_str().as_encoded_bytes();
        // The last lab but this one may just have taken the folder with it.
        let made = |folder: &Path| DirBuilder::new().mode(0o700).create(folder);
        fs::write(&entry, text).or_else(|_| made(&self.folder).and_then(|()| fs::write(&entry, text))).ok()?;
        Some(entry)
    }

    /// Clears labs whose mark nobody holds.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(root) = fs::read_to_string(entry.path()) else { continue };
            let root = Path::new(&root);
            if !root.join(MARK).is_file() {
                let _ = fs::remove_file(entry.path());
                continue;
            }
            if let Ok(Some(_held)) = lock(&root.join(MARK)) {
                let claims = read_claims(root);
                clear(root, &claims);
                remove_mark(root, &claims);
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
