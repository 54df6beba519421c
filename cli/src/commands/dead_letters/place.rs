//! Which dead letter: its partition and offset.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// `PARTITION:OFFSET` in the topic of the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(partition, offset)| {
            let (partition, offset) = (partition.parse::<u32>().ok()?, offset.parse::<u64>().ok()?);
            Some(Self { partition: i32::try_from(partition).ok()?, offset: i64::try_from(offset).ok()? })
        });
        parsed.ok_or_else(|| format!("{text:?} is not PARTITION:OFFSET, such as 2:1041"))
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back() {
        let place = Place { partition: 2, offset: 1_041 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "2", "2:", ":1", "-1:3", "1:-3", "1:2:3", "1:99999999999999999999"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
