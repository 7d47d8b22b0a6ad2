//! How far a read of all person mappings has come, kept from one run to the next.

use domain::erasure::ErasedPerson;
use domain::storage::{PersonMapping, PersonsReading, ReadRange};
use uuid::Uuid;

use super::Database;
use super::fixtures::{Site, hours};

/// A site where these distinct ids have a person each.
async fn site_of(database: &dyn Database, ids: &[&str]) -> Site {
    let site = Site::new(database).await;
    let mappings: Vec<PersonMapping> = ids
        .iter()
        .zip(1..)
        .map(|(id, number)| PersonMapping {
            distinct_id: (*id).to_owned(),
            person_id: Uuid::from_u128(number),
        })
        .collect();
    site.store
        .observe_persons(&site.lease, &mappings, &ReadRange::Answered, hours(1))
        .await
        .unwrap();
    site
}

fn read_through(through: &str) -> PersonsReading {
    PersonsReading {
        began: hours(1),
        through: Some(through.to_owned()),
        paused_until: None,
    }
}

impl Site {
    async fn keep(&self, reading: &PersonsReading) {
        self.store
            .keep_persons_reading(&self.lease, reading)
            .await
            .unwrap();
    }

    async fn reading(&self) -> Option<PersonsReading> {
        self.store.persons_reading(self.id).await.unwrap()
    }
}

pub(crate) async fn a_read_of_all_persons_is_gone_on_with_where_it_was_left(
    database: &dyn Database,
) {
    // In byte order: "D", "d1", "d1-", "d2", "d\u{e9}".
    let site = site_of(database, &["d2", "d\u{e9}", "D", "d1-", "d1"]).await;
    assert_eq!(site.reading().await, None);
    for (through, kept) in [
        ("d1", Some("d1")),
        // What has no link, or none any more, is told by the one before it.
        ("d1z", Some("d1-")),
        ("d2\0b", Some("d2")),
        ("d\0b", Some("D")),
        ("\u{10ffff}", Some("d\u{e9}")),
        ("A", None),
    ] {
        site.keep(&read_through(through)).await;
        let expected = PersonsReading {
            through: kept.map(str::to_owned),
            ..read_through(through)
        };
        assert_eq!(site.reading().await, Some(expected), "{through:?}");
    }
    let paused = PersonsReading {
        paused_until: Some(hours(7)),
        ..read_through("d2")
    };
    site.keep(&paused).await;
    // A moved id is where it was.
    let moved = PersonMapping {
        distinct_id: "d2".to_owned(),
        person_id: Uuid::from_u128(99),
    };
    site.store
        .observe_persons(&site.lease, &[moved], &ReadRange::Answered, hours(2))
        .await
        .unwrap();
    let other = database.open().await;
    assert_eq!(other.persons_reading(site.id).await.unwrap(), Some(paused));
    let epoch = site.store.epoch(site.id).await.unwrap().unwrap();
    assert_eq!(epoch.persons_read_at, None);

    site.store
        .persons_read(&site.lease, hours(1))
        .await
        .unwrap();
    assert_eq!(site.reading().await, None);
}

pub(crate) async fn an_erased_distinct_id_is_not_kept_as_the_place_of_a_read(
    database: &dyn Database,
) {
    let site = site_of(database, &["d1", "d2", "d3"]).await;
    site.keep(&read_through("d2")).await;
    let person = ErasedPerson {
        persons: vec![Uuid::from_u128(2)],
        distinct_ids: vec!["d2".to_owned()],
    };
    site.store
        .begin_erasure(site.id, &person, hours(3))
        .await
        .unwrap();
    let anew = PersonsReading {
        through: None,
        ..read_through("d2")
    };
    assert_eq!(site.reading().await, Some(anew));
    // PostHog may go on answering with it.
    site.keep(&read_through("d2")).await;
    assert_eq!(site.reading().await, Some(read_through("d1")));
}
