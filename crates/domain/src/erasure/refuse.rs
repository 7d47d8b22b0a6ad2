//! Which rows of a page belong to an erased person, and what that means for what is stored.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{Event, keep_winners};
use crate::merge::StoredRow;

/// An event of an erased person: PostHog may still have it, and nothing of it is kept but what tells
/// that it is not missing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErasedRow {
    /// The event's id.
    pub uuid: Uuid,
    /// When it happened.
    pub timestamp: Timestamp,
    /// When PostHog took it in.
    pub created_at: Timestamp,
}

/// A page, sifted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sifted {
    /// What may be stored; each uuid once.
    pub events: Vec<Event>,
    /// What is refused and becomes the erased row of its uuid.
    pub refused: Vec<ErasedRow>,
    /// Stored rows that lost to a refused one.
    pub beaten: Vec<Uuid>,
    /// Erased rows that lost to one of `events`.
    pub outlived: Vec<Uuid>,
    /// Rows that are neither in `events` nor in `refused` or that are in the latter.
    pub dropped: u64,
}

/// Parts a page's rows of erased persons from the others. The greatest row of a uuid decides, whoever
/// it is of, just as without an erasure ([`Event::precedence`]); of an erased row no more is known than
/// its times, so a row of the same times does not win against it.
pub fn sift(
    stored: &[StoredRow],
    erased: &[ErasedRow],
    mut events: Vec<Event>,
    is_erased: impl Fn(&Event) -> bool,
) -> Sifted {
    events.iter_mut().for_each(Event::replace_nul);
    let stored: HashMap<Uuid, &StoredRow> = stored.iter().map(|row| (row.uuid, row)).collect();
    let erased: HashMap<Uuid, &ErasedRow> = erased.iter().map(|row| (row.uuid, row)).collect();
    let (winners, lost) = keep_winners(events);
    let mut sifted = Sifted {
        dropped: lost as u64,
        ..Sifted::default()
    };
    for event in winners {
        let row = ErasedRow {
            uuid: event.uuid,
            timestamp: event.timestamp,
            created_at: event.created_at,
        };
        let earlier = erased.get(&event.uuid);
        let beats_erased = earlier.is_none_or(|earlier| {
            (row.created_at, row.timestamp) > (earlier.created_at, earlier.timestamp)
        });
        if is_erased(&event) {
            sifted.dropped += 1;
            let kept = stored.get(&event.uuid);
            let beats_stored = kept.is_none_or(|kept| event.precedence() > kept.precedence());
            if beats_erased && beats_stored {
                sifted.refused.push(row);
                sifted.beaten.extend(kept.map(|kept| kept.uuid));
            }
        } else if beats_erased {
            sifted.outlived.extend(earlier.map(|earlier| earlier.uuid));
            sifted.events.push(event);
        } else {
            sifted.dropped += 1;
        }
    }
    sifted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::blank;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn row(uuid: u128, who: &str, created: i64) -> Event {
        Event {
            distinct_id: who.to_owned(),
            created_at: at(created),
            uuid: Uuid::from_u128(uuid),
            ..blank()
        }
    }

    fn stored(event: &Event) -> StoredRow {
        StoredRow {
            uuid: event.uuid,
            created_at: event.created_at,
            timestamp: event.timestamp,
            event: event.event.clone(),
            distinct_id: event.distinct_id.clone(),
            stage: None,
            id_properties: event.id_properties.clone(),
            anon_distinct_id: event.anon_distinct_id.clone(),
            alias: event.alias.clone(),
        }
    }

    fn erased(uuid: u128, created: i64) -> ErasedRow {
        ErasedRow {
            uuid: Uuid::from_u128(uuid),
            timestamp: at(0),
            created_at: at(created),
        }
    }

    fn is_gone(event: &Event) -> bool {
        event.distinct_id == "gone"
    }

    #[test]
    fn rows_of_others_pass_and_those_of_the_erased_are_refused() {
        let sifted = sift(&[], &[], vec![row(1, "a", 1), row(2, "gone", 1)], is_gone);
        assert_eq!(sifted.events, [row(1, "a", 1)]);
        assert_eq!(sifted.refused, [erased(2, 1)]);
        assert_eq!(sifted.dropped, 1);
    }

    #[test]
    fn the_greatest_row_of_a_uuid_decides_whoever_it_is_of() {
        let page = vec![row(1, "a", 1), row(1, "gone", 2)];
        let sifted = sift(&[], &[], page, is_gone);
        assert!(sifted.events.is_empty());
        assert_eq!((sifted.refused.len(), sifted.dropped), (1, 2));

        let kept = [stored(&row(1, "a", 5))];
        let lost = sift(&kept, &[], vec![row(1, "gone", 4)], is_gone);
        assert!(lost.refused.is_empty() && lost.beaten.is_empty());
        let won = sift(&kept, &[], vec![row(1, "gone", 6)], is_gone);
        assert_eq!(won.beaten, [Uuid::from_u128(1)]);

        let before = [erased(1, 5)];
        let lost = sift(&[], &before, vec![row(1, "a", 5)], is_gone);
        assert!(lost.events.is_empty() && lost.outlived.is_empty());
        let won = sift(&[], &before, vec![row(1, "a", 6)], is_gone);
        assert_eq!(won.outlived, [Uuid::from_u128(1)]);
        assert_eq!(won.events.len(), 1);
    }

    #[test]
    fn a_refused_row_that_comes_again_changes_nothing() {
        let again = sift(&[], &[erased(1, 5)], vec![row(1, "gone", 5)], is_gone);
        assert!(again.refused.is_empty() && again.events.is_empty());
        assert_eq!(again.dropped, 1);
    }
}
