//! The tick in a Job's name: made of what asks for the run, so that whoever computes it again comes to
//! the same name, and creating the Job twice is a conflict instead of a second run.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// What asks for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tick {
    /// A generation of the spec: a first backfill, a changed mapping, another project.
    Generation(i64),
    /// The value of the refresh-requested-at annotation.
    Request(String),
    /// An instant: a tick of the timetable, or the next attempt after a failure.
    At(Timestamp),
}

impl fmt::Display for Tick {
    /// At most 9 characters of `[0-9a-z]` until the year 5188.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generation(generation) => write!(f, "g{}", base36(*generation)),
            Self::Request(value) => {
                let hash = Sha256::digest(value.as_bytes());
                let number = hash
                    .iter()
                    .take(5)
                    .fold(0_i64, |n, b| n << 8 | i64::from(*b));
                write!(f, "r{}", base36(number))
            }
            Self::At(instant) => f.write_str(&base36(instant.as_second())),
        }
    }
}

/// A number in base 36; one below zero as 0.
fn base36(number: i64) -> String {
    let mut left = u64::try_from(number).unwrap_or_default();
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(left % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        left /= 36;
        if left == 0 {
            break;
        }
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_of_different_kinds_never_look_alike() {
        let at = Timestamp::from_second(1_767_225_600).unwrap();
        assert_eq!(Tick::At(at).to_string(), "t85s00");
        assert_eq!(Tick::Generation(37).to_string(), "g11");
        assert_eq!(
            Tick::Request("2026-01-01T00:00:00Z".to_owned()).to_string(),
            Tick::Request("2026-01-01T00:00:00Z".to_owned()).to_string()
        );
    }

    proptest! {
        #[test]
        fn a_tick_fits_its_part_of_the_name_and_reads_back(second in 0_i64..100_000_000_000, text in ".*") {
            let at = Tick::At(Timestamp::from_second(second).unwrap()).to_string();
            prop_assert!(at.len() <= 9);
            prop_assert_eq!(i64::from_str_radix(&at, 36).unwrap(), second);
            prop_assert!(Tick::Request(text).to_string().len() <= 9);
        }
    }
}
