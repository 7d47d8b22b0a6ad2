use super::*;

/// An event of which only the required columns are there.
pub(crate) fn blank() -> Event {
    Event {
        uuid: Uuid::nil(),
        event: EventName::from("$pageview"),
        distinct_id: "d1".to_owned(),
        person_id: None,
        timestamp: Timestamp::UNIX_EPOCH,
        created_at: Timestamp::UNIX_EPOCH,
        session_id: None,
        window_id: None,
        host: None,
        path: None,
        referrer: None,
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        utm_content: None,
        utm_term: None,
        device_type: None,
        elements_chain: None,
        event_type: None,
        anon_distinct_id: None,
        alias: None,
        product_id: None,
        sku: None,
        price: None,
        currency: None,
        quantity: None,
        cart_id: None,
        id_properties: BTreeMap::new(),
    }
}

fn row(uuid: u128, created: i64, stamped: i64, name: &str, who: &str) -> Event {
    Event {
        uuid: Uuid::from_u128(uuid),
        created_at: Timestamp::from_second(created).unwrap(),
        timestamp: Timestamp::from_second(stamped).unwrap(),
        event: EventName::from(name),
        distinct_id: who.to_owned(),
        ..blank()
    }
}

#[test]
fn the_latest_arrival_wins_then_timestamp_then_name_then_distinct_id() {
    let ascending = [
        row(1, 1, 9, "z", "z"),
        row(1, 2, 1, "z", "z"),
        row(1, 2, 2, "a", "z"),
        row(1, 2, 2, "b", "a"),
        row(1, 2, 2, "b", "b"),
    ];
    for lower in 0..ascending.len() {
        for upper in lower + 1..ascending.len() {
            let (small, great) = (ascending[lower].clone(), ascending[upper].clone());
            for rows in [
                vec![small.clone(), great.clone()],
                vec![great.clone(), small],
            ] {
                let (winners, lost) = keep_winners(rows);
                assert_eq!((winners.collect(), lost), (vec![great.clone()], 1));
            }
        }
    }
}

#[test]
fn winners_come_in_the_order_of_their_uuids() {
    let rows = vec![
        row(3, 1, 1, "a", "a"),
        row(1, 1, 1, "a", "a"),
        row(2, 1, 1, "a", "a"),
    ];
    let (winners, lost) = keep_winners(rows);
    let uuids: Vec<u128> = winners.map(|event| event.uuid.as_u128()).collect();
    assert_eq!((uuids, lost), (vec![1, 2, 3], 0));
}

#[test]
fn only_autocaptures_own_events_carry_an_elements_chain() {
    assert!(
        AUTOCAPTURE_EVENTS
            .iter()
            .all(|name| EventName::from(*name).is_autocapture())
    );
    assert!(!EventName::from("$pageview").is_autocapture());
    assert!(!EventName::from("$Autocapture").is_autocapture());
}
