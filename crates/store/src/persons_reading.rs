//! A read of all person mappings that is under way, as columns, in every store alike.

use domain::storage::{PersonsReading, Result};

use crate::values::{instant, instant_or_none};

/// The columns of a read under way, and the distinct id of the link that it reached.
#[derive(sqlx::FromRow)]
pub(crate) struct ReadingRow {
    persons_began_at: Option<i64>,
    persons_paused_until: Option<i64>,
    distinct_id: Option<String>,
}

impl ReadingRow {
    /// What they say; nothing of an epoch of which no read is under way.
    pub(crate) fn reading(self) -> Result<Option<PersonsReading>> {
        let Some(began) = self.persons_began_at else {
            return Ok(None);
        };
        Ok(Some(PersonsReading {
            began: instant(began)?,
            through: self.distinct_id,
            paused_until: instant_or_none(self.persons_paused_until)?,
        }))
    }
}

/// The end of what was read as far as links can tell it: they hold distinct ids without NUL, which would
/// not be in the order in which they were read beyond one.
pub(crate) fn told_by_links(through: &str) -> &str {
    through.split('\0').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_links_tell_never_lies_beyond_what_was_read() {
        for through in ["", "ada", "a\0b", "\0", "ab\0\0c"] {
            assert!(told_by_links(through) <= through);
            assert!(!told_by_links(through).contains('\0'));
        }
        assert_eq!(told_by_links("ada"), "ada");
    }
}
