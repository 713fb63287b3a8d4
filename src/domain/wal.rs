//! WAL file names: `TTTTTTTTLLLLLLLLSSSSSSSS`, 24 hexadecimal digits of timeline, log and segment.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

use super::lsn::Lsn;

/// A timeline: the branch of history an instance writes. A promotion starts the next one.
pub type Timeline = u32;

/// The default segment size, 16 MiB (`initdb --wal-segsize`).
pub const DEFAULT_SEGMENT: u64 = 16 * 1024 * 1024;

/// One WAL segment file. Written down, it is its name: so it can be a key of a map, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WalName {
    /// The timeline it belongs to.
    pub timeline: Timeline,
    /// The high half: which 4 GiB.
    pub log: u32,
    /// The low half: which segment of these 4 GiB.
    pub segment: u32,
}

impl WalName {
    /// The segment that holds `lsn`. `segment_size` in bytes.
    pub fn holding(timeline: Timeline, lsn: Lsn, segment_size: u64) -> Self {
        let per_log = (1u64 << 32) / segment_size;
        let number = lsn.0 / segment_size;
        WalName { timeline, log: (number / per_log) as u32, segment: (number % per_log) as u32 }
    }

    /// Its running number on its timeline: consecutive segments differ by one.
    pub fn number(self, segment_size: u64) -> u64 {
        u64::from(self.log) * ((1u64 << 32) / segment_size) + u64::from(self.segment)
    }

    /// The segment after this one on the same timeline.
    #[must_use]
    pub fn next(self, segment_size: u64) -> Self {
        let per_log = (1u64 << 32) / segment_size;
        let number = self.number(segment_size) + 1;
        WalName { timeline: self.timeline, log: (number / per_log) as u32, segment: (number % per_log) as u32 }
    }
}

impl fmt::Display for WalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:08X}{:08X}{:08X}", self.timeline, self.log, self.segment))
    }
}

/// Why a text names no WAL segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAWalName(pub String);

impl fmt::Display for NotAWalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a WAL segment name: {:?} (expected 24 hexadecimal digits)", self.0)
    }
}

impl std::error::Error for NotAWalName {}

impl From<WalName> for String {
    fn from(name: WalName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for WalName {
    type Error = NotAWalName;

    fn try_from(text: String) -> Result<Self, NotAWalName> {
        text.parse()
    }
}

impl FromStr for WalName {
    type Err = NotAWalName;

    /// Reads the first 24 digits; a suffix after a dot (`.00000028.backup`, `.partial`, `.gz`) is ignored.
    fn from_str(s: &str) -> Result<Self, NotAWalName> {
        let bad = || NotAWalName(s.chars().take(60).collect());
        let stem = s.split('.').next().unwrap_or_default();
        if stem.len() != 24 || !stem.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let part = |r: std::ops::Range<usize>| u32::from_str_radix(&stem[r], 16).map_err(|_| bad());
        Ok(WalName { timeline: part(0..8)?, log: part(8..16)?, segment: part(16..24)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_positions_agree_with_postgresql() {
        // select pg_walfile_name('0/6057CB0') on timeline 1
        assert_eq!(
            WalName::holding(1, "0/6057CB0".parse().unwrap(), DEFAULT_SEGMENT).to_string(),
            "000000010000000000000006"
        );
        let label: WalName = "000000010000000000000005.00000028.backup".parse().unwrap();
        assert_eq!(label.number(DEFAULT_SEGMENT), 5);
    }

    #[test]
    fn written_down_it_is_its_name() {
        let name: WalName = "0000000100000008000000FC".parse().unwrap();
        let map = std::collections::BTreeMap::from([(name, 1)]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"0000000100000008000000FC":1}"#);
        assert_eq!(serde_json::from_str::<std::collections::BTreeMap<WalName, i32>>(&json).unwrap(), map);
    }

    #[test]
    fn the_low_half_wraps_into_the_high_half() {
        let last: WalName = "0000000100000000000000FF".parse().unwrap();
        assert_eq!(last.next(DEFAULT_SEGMENT).to_string(), "000000010000000100000000");
        let last_of_1mb: WalName = "000000020000000000000FFF".parse().unwrap();
        assert_eq!(last_of_1mb.next(1 << 20).to_string(), "000000020000000100000000");
    }

    proptest! {
        #[test]
        fn next_is_one_further(t in 1u32..9, lsn in 0u64..1 << 50, power in 20u32..30) {
            let size = 1u64 << power;
            let name = WalName::holding(t, Lsn(lsn), size);
            prop_assert_eq!(name.next(size).number(size), name.number(size) + 1);
            prop_assert_eq!(name.to_string().parse(), Ok(name));
            prop_assert_eq!(name.number(size), lsn / size);
        }
        #[test]
        fn never_panics(s in any::<String>()) {
            let _ = s.parse::<WalName>();
        }
    }
}
