//! What lies on an instance's volumes. Their true file system is the machine's; how large a claim says it is, others know.

use std::fs;
use std::path::{Path, PathBuf};

/// The home of a server: one folder, which stands for its volume of data and its volume of WAL.
#[derive(Clone, Debug)]
pub struct Volume {
    home: PathBuf,
}

impl Volume {
    /// The volumes whose folder that is.
    pub fn at(home: PathBuf) -> Volume {
        Volume { home }
    }

    /// What lies beside `pg_wal` on the volume of WAL. The servers don't look there.
    pub fn beside_wal(&self) -> PathBuf {
        self.home.join("wal")
    }

    /// Bytes on the volume of WAL.
    pub fn wal(&self) -> u64 {
        size(&self.home.join("data/pg_wal")) + size(&self.beside_wal())
    }

    /// Bytes on the volume of data, where WAL has a volume of its own.
    pub fn data(&self) -> u64 {
        size(&self.home.join("data")).saturating_sub(size(&self.home.join("data/pg_wal")))
    }
}

/// The lengths of all files below a folder. One that goes meanwhile counts nothing.
fn size(path: &Path) -> u64 {
    let Ok(meta) = fs::symlink_metadata(path) else { return 0 };
    if !meta.is_dir() {
        return meta.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wal_and_what_is_beside_it_is_one_volume_and_data_the_other() {
        let home = tempfile::tempdir().unwrap();
        let volume = Volume::at(home.path().to_owned());
        assert_eq!((volume.wal(), volume.data()), (0, 0));
        fs::create_dir_all(home.path().join("data/pg_wal/archive_status")).unwrap();
        fs::create_dir_all(volume.beside_wal()).unwrap();
        for (file, bytes) in [("data/pg_wal/0001", 16), ("data/pg_wal/archive_status/0001.done", 1), ("data/base", 5)] {
            fs::write(home.path().join(file), vec![0; bytes]).unwrap();
        }
        fs::File::create(volume.beside_wal().join("ballast")).unwrap().set_len(1_000).unwrap();
        assert_eq!((volume.wal(), volume.data()), (1_017, 5));
    }
}
