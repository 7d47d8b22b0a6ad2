//! Event definitions.

use domain::EventName;
use domain::storage::EventDefinition;

use super::Database;
use super::fixtures::{Site, event, hours};

pub(crate) async fn definitions_join_what_is_listed_with_what_is_stored(database: &dyn Database) {
    let mut site = Site::new(database).await;
    let listed = |name: &str| EventDefinition {
        name: EventName::from(name),
        created_at: Some(hours(1)),
        last_seen_at: Some(hours(2)),
    };
    let unlisted = |name: &str| EventDefinition {
        name: EventName::from(name),
        created_at: None,
        last_seen_at: None,
    };
    let stored: Vec<_> = ["c", "", "a", "c", "Z"]
        .iter()
        .zip(1..)
        .map(|(name, uuid)| event(uuid, name, "d", hours(1)))
        .collect();
    site.store(&stored).await;
    for definitions in [
        vec![listed("gone")],
        vec![listed("b"), listed("c"), listed("é")],
    ] {
        site.store
            .put_event_definitions(&site.lease, &definitions)
            .await
            .unwrap();
    }
    let expected = [
        unlisted(""),
        unlisted("Z"),
        unlisted("a"),
        listed("b"),
        listed("c"),
        listed("é"),
    ];
    let all = site
        .store
        .event_definitions(site.id, None, 99)
        .await
        .unwrap();
    assert_eq!(all, expected);
    let mut paged: Vec<EventDefinition> = Vec::new();
    loop {
        let after = paged.last().map(|definition| definition.name.clone());
        let page = site
            .store
            .event_definitions(site.id, after.as_ref(), 2)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, expected);
}
