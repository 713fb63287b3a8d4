//! What a key in the store names, relative to the server's folder.

use crate::domain::wal::{Timeline, WalName};
use serde::{Deserialize, Serialize};

/// How a file is packed, by its suffix (Barman's `--gzip`, `--bzip2`, `--snappy`, `--lz4`, `--zstd`, `--xz`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// `.gz`
    Gzip,
    /// `.bz2`
    Bzip2,
    /// `.snappy`
    Snappy,
    /// `.lz4`
    Lz4,
    /// `.zst`
    Zstd,
    /// `.xz`
    Xz,
}

impl Packing {
    const SUFFIXES: [(&'static str, Packing); 6] = [
        (".gz", Packing::Gzip),
        (".bz2", Packing::Bzip2),
        (".snappy", Packing::Snappy),
        (".lz4", Packing::Lz4),
        (".zst", Packing::Zstd),
        (".xz", Packing::Xz),
    ];

    /// The name without the suffix, and what the suffix says.
    pub fn of(name: &str) -> (&str, Packing) {
        let found = Self::SUFFIXES.iter().find_map(|(s, p)| Some((name.strip_suffix(s)?, *p)));
        found.unwrap_or((name, Packing::Plain))
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Packing::Plain => "plain",
            Packing::Gzip => "gzip",
            Packing::Bzip2 => "bzip2",
            Packing::Snappy => "snappy",
            Packing::Lz4 => "lz4",
            Packing::Zstd => "zstd",
            Packing::Xz => "xz",
        }
    }
}

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// `base/<id>/backup.info`
    Info {
        /// The backup's id.
        backup: &'a str,
    },
    /// Another file of a base backup: `base/<id>/data.tar.gz`, `data_0001.tar`, `16385.tar`.
    Data {
        /// The backup's id.
        backup: &'a str,
    },
    /// `base/<id>/annotations/keep`: retention leaves it alone.
    Keep {
        /// The backup's id.
        backup: &'a str,
    },
    /// `wals/<16 hex>/<24 hex>[.gz|…]`
    Segment(WalName, Packing),
    /// `….partial`: the last segment of a timeline that was left in its middle.
    Partial(WalName),
    /// `….<8 hex>.backup`: where a base backup began.
    Label(WalName),
    /// `wals/<8 hex>.history[.gz|…]`
    History(Timeline, Packing),
    /// Nothing of Barman's layout.
    Unknown,
}

impl<'a> Key<'a> {
    /// Reads a key relative to the server's folder.
    pub fn read(key: &'a str) -> Self {
        let key = key.trim_start_matches('/');
        let kept = key.strip_prefix("base/").and_then(|k| k.strip_suffix("/annotations/keep"));
        if let Some(backup) = kept.filter(|id| !id.is_empty() && !id.contains('/')) {
            return Key::Keep { backup };
        }
        let mut parts = key.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("base"), Some(backup), Some("backup.info"), None) if !backup.is_empty() => Key::Info { backup },
            (Some("base"), Some(backup), Some(file), None) if !backup.is_empty() && !file.is_empty() => {
                Key::Data { backup }
            }
            (Some("wals"), Some(folder), Some(file), None) => match Self::wal(file) {
                Key::Segment(wal, _) | Key::Partial(wal) | Key::Label(wal) if !is_folder_of(folder, wal) => {
                    Key::Unknown
                }
                Key::History(..) => Key::Unknown,
                read => read,
            },
            (Some("wals"), Some(file), None, None) => match Self::wal(file) {
                read @ Key::History(..) => read,
                _ => Key::Unknown,
            },
            _ => Key::Unknown,
        }
    }

    fn wal(file: &str) -> Self {
        let (name, packing) = Packing::of(file);
        if let Some(stem) = name.strip_suffix(".history") {
            return hex(stem, 8).map_or(Key::Unknown, |t| Key::History(t, packing));
        }
        let Ok(wal) = name.parse::<WalName>() else { return Key::Unknown };
        match &name[24..] {
            "" => Key::Segment(wal, packing),
            ".partial" => Key::Partial(wal),
            rest => match rest.strip_prefix('.').and_then(|r| r.strip_suffix(".backup")) {
                Some(offset) if hex(offset, 8).is_some() => Key::Label(wal),
                _ => Key::Unknown,
            },
        }
    }
}

/// The folder of a segment is its first 16 digits.
fn is_folder_of(folder: &str, wal: WalName) -> bool {
    hex(folder.get(..8).unwrap_or_default(), 8) == Some(wal.timeline)
        && hex(folder.get(8..).unwrap_or_default(), 8) == Some(wal.log)
}

fn hex(text: &str, digits: usize) -> Option<u32> {
    let right = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    right.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wal(name: &str) -> WalName {
        name.parse().unwrap()
    }

    #[test]
    fn the_keys_of_barmans_layout() {
        let first = "000000010000000000000003";
        for (key, read) in [
            ("base/20261120T225646/backup.info", Key::Info { backup: "20261120T225646" }),
            ("base/20261120T225646/annotations/keep", Key::Keep { backup: "20261120T225646" }),
            ("base/20261120T225646/data.tar.gz", Key::Data { backup: "20261120T225646" }),
            ("base/20261120T225646/data_0001.tar", Key::Data { backup: "20261120T225646" }),
            ("wals/0000000100000000/000000010000000000000003", Key::Segment(wal(first), Packing::Plain)),
            ("wals/0000000100000000/000000010000000000000003.zst", Key::Segment(wal(first), Packing::Zstd)),
            ("wals/0000000100000000/000000010000000000000003.snappy", Key::Segment(wal(first), Packing::Snappy)),
            ("wals/0000000100000000/000000010000000000000003.partial", Key::Partial(wal(first))),
            ("wals/0000000100000000/000000010000000000000003.partial.gz", Key::Partial(wal(first))),
            ("wals/0000000100000000/000000010000000000000003.00000028.backup.gz", Key::Label(wal(first))),
            ("wals/0000000A.history", Key::History(10, Packing::Plain)),
            ("wals/00000002.history.gz", Key::History(2, Packing::Gzip)),
        ] {
            assert_eq!(Key::read(key), read, "{key}");
        }
    }

    #[test]
    fn everything_else_is_unknown() {
        for key in [
            "",
            "base",
            "base//backup.info",
            "base/1/2/backup.info",
            "wals/0000000100000000/000000010000000000000003.tmp",
            "wals/0000000100000000/0000000100000000000003",
            "wals/0000000200000000/000000010000000000000003",
            "wals/000000010000000000000003",
            "wals/0000000100000000/00000002.history",
            "wals/2.history",
            "wals/0000000100000000/000000010000000000000003.28.backup",
            "readme.txt",
        ] {
            assert_eq!(Key::read(key), Key::Unknown, "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_key_panics(s in any::<String>(), tail in any::<String>()) {
            let _ = Key::read(&s);
            let _ = Key::read(&format!("wals/0000000100000000/000000010000000000000003{tail}"));
            let _ = Key::read(&format!("wals/{tail}/000000010000000000000003"));
        }
    }
}
