//! A position in the write-ahead log.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A log sequence number: a byte position in the WAL. PostgreSQL writes it as two hexadecimal halves, `0/9000060`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Bytes from `other` up to this position; 0 when this one is behind. What `pg_wal_lsn_diff` gives, floored at 0.
    pub fn since(self, other: Lsn) -> u64 {
        self.0.saturating_sub(other.0)
    }
}

/// Why a text is no LSN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnLsn(pub String);

impl fmt::Display for NotAnLsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a WAL position: {:?} (expected two hexadecimal halves like 0/9000060)", self.0)
    }
}

impl std::error::Error for NotAnLsn {}

impl FromStr for Lsn {
    type Err = NotAnLsn;

    fn from_str(s: &str) -> Result<Self, NotAnLsn> {
        let bad = || NotAnLsn(s.chars().take(40).collect());
        let (high, low) = s.split_once('/').ok_or_else(bad)?;
        let half = |part: &str| match part.len() {
            1..=8 if part.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(part, 16).map_err(|_| bad()),
            _ => Err(bad()),
        };
        Ok(Lsn(u64::from(half(high)?) << 32 | u64::from(half(low)?)))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff))
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_postgresql_writes() {
        assert_eq!("0/9000060".parse(), Ok(Lsn(0x900_0060)));
        assert_eq!("16/B374D848".parse(), Ok(Lsn(0x16_B374_D848)));
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
    }

    #[test]
    fn refuses_the_rest() {
        for s in ["", "/", "0/", "/0", "0/123456789", "0x1/2", "0/-1", "0/ 1", "1/2/3", "g/0"] {
            assert!(s.parse::<Lsn>().is_err(), "{s}");
        }
    }

    #[test]
    fn distance_never_goes_below_zero() {
        assert_eq!(Lsn(10).since(Lsn(4)), 6);
        assert_eq!(Lsn(4).since(Lsn(10)), 0);
    }

    proptest! {
        #[test]
        fn round_trip(n in any::<u64>()) {
            prop_assert_eq!(Lsn(n).to_string().parse(), Ok(Lsn(n)));
        }
        #[test]
        fn never_panics(s in any::<String>()) {
            let _ = s.parse::<Lsn>();
        }
    }
}
