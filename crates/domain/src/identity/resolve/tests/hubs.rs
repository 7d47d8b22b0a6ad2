//! Ids with more links than an answer holds.

use super::*;

/// More distinct ids than an answer holds, before all others in order, that carry this customer id.
fn hub(of: &str) -> Vec<IdentityLink> {
    let ids = 0..=MOST_LINKS;
    ids.map(|number| link(&format!("a{number:05}"), customer(of)))
        .collect()
}

/// A hundred people of two distinct ids each.
fn people_of_two_ids() -> Vec<IdentityLink> {
    let links = (0..100).flat_map(|number| {
        let ids = [format!("b{number}"), format!("c{number}")];
        let own = customer(&format!("own{number}"));
        [
            link(&ids[0], person(number)),
            link(&ids[0], own),
            link(&ids[1], person(number)),
        ]
    });
    links.collect()
}

fn all_of_them() -> Vec<IdentityKey> {
    (0..100).map(|number| id(&format!("c{number}"))).collect()
}

fn assert_whole(answer: &IdentityAnswer, number: u128) {
    assert!(!answer.truncated, "{:?}", answer.key);
    assert_eq!(answer.status, IdentityStatus::Resolved);
    assert_eq!(people(answer), [number]);
    assert_eq!(
        answer.distinct_ids,
        [format!("b{number}"), format!("c{number}")]
    );
    let own = format!("own{number}");
    assert_eq!(answer.primary_customer_id, Some(own));
}

#[test]
fn a_hub_among_the_keys_leaves_the_other_answers_whole() {
    let links = [hub("hub"), people_of_two_ids()].concat();
    let keys = [&[customer("hub")][..], &all_of_them()].concat();
    let memory = Memory {
        links,
        ..Memory::default()
    };
    let answers = resolved_by(&memory, &keys);
    for (number, answer) in (0..).zip(&answers[1..]) {
        assert_whole(answer, number);
    }
    let hub = &answers[0];
    assert!(hub.truncated);
    assert_eq!(
        (hub.distinct_ids.len(), &hub.primary_customer_id),
        (MOST_IDS, &None)
    );
    assert!(memory.calls.into_inner() <= 2 * MOST_ROUNDS + 2);
}

#[test]
fn a_hub_that_one_of_the_keys_leads_to_leaves_the_other_answers_whole() {
    let guest = [link("guest", person(500)), link("guest", customer("hub"))];
    let links = [&hub("hub")[..], &people_of_two_ids(), &guest].concat();
    let keys = [&all_of_them()[..], &[id("guest")]].concat();
    let answers = resolved(&links, &keys);
    for (number, answer) in (0..).zip(&answers[..100]) {
        assert_whole(answer, number);
    }
    // Whose the guest is, its own links tell; who else is that customer, is more than can be followed.
    let guest = &answers[100];
    assert!(guest.truncated);
    assert_eq!(guest.primary_customer_id.as_deref(), Some("hub"));
}

#[test]
fn an_answer_that_the_reader_cut_off_is_marked_and_names_no_customer() {
    let anonymous = 0..MOST_LINKS;
    let mut links = vec![link("busy", person(1)), link("busy", customer("7"))];
    links
        .extend(anonymous.map(|number| link("busy", IdentityKey::AnonymousId(number.to_string()))));
    // This one the answer does not hold any more.
    links.push(link("busy", customer("8")));
    let [answer] = &resolved(&links, &[id("busy")])[..] else {
        panic!("one key was asked for")
    };
    assert!(answer.truncated);
    assert_eq!(answer.anonymous_ids.len(), MOST_IDS);
    assert_eq!(answer.customer_ids, ["7"]);
    assert_eq!(answer.primary_customer_id, None);
}

#[test]
fn a_person_of_too_many_ids_names_no_customer() {
    let mut links: Vec<IdentityLink> = (0..=MOST_IDS)
        .flat_map(|number| {
            let own = format!("d{number:03}");
            let customer = if number < MOST_IDS { "7" } else { "8" };
            [link(&own, person(1)), link(&own, self::customer(customer))]
        })
        .collect();
    let [answer] = &resolved(&links, &[person(1)])[..] else {
        panic!("one key was asked for")
    };
    assert!(answer.truncated);
    assert_eq!(answer.primary_customer_id, None);
    links.truncate(2 * MOST_IDS);
    let whole = &resolved(&links, &[person(1)])[0];
    assert!(!whole.truncated);
    assert_eq!(whole.primary_customer_id.as_deref(), Some("7"));
}

#[test]
fn what_cannot_be_asked_for_any_more_stays_cut_off() {
    let memory = Memory {
        links: people_of_two_ids(),
        filler: Some(link("somebody", customer("else"))),
        ..Memory::default()
    };
    for answer in resolved_by(&memory, &all_of_them()) {
        assert!(answer.truncated, "{:?}", answer.key);
        assert_eq!(answer.primary_customer_id, None);
    }
    assert!(memory.calls.into_inner() > 2 * MOST_SPLITS);
}
