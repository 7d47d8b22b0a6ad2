use serde_json::{Value as Json, json};

use super::{rows, small};
use crate::world::cohort::Cohort;
use crate::world::event::Event;
use crate::world::project::Project;

fn identify(project: &mut Project, event: &str, distinct_id: &str, key: &str, other: &str) {
    let at = "2026-03-01T12:00:00Z".parse().unwrap();
    project.capture(Event::new(event, distinct_id, at).property(key, other));
    project.settle();
}

fn person_of(project: &Project, distinct_id: &str) -> Json {
    rows(
        project,
        "select person_id from person_distinct_ids where distinct_id = {id} limit 1",
        json!({ "id": distinct_id }),
    )[0][0]
        .clone()
}

#[test]
fn a_merge_moves_ids_and_past_events_and_leaves_overrides() {
    let mut project = small();
    let (ada, bob) = (person_of(&project, "ada"), person_of(&project, "bob"));
    assert_ne!(ada, bob);
    identify(&mut project, "$identify", "ada", "$anon_distinct_id", "bob");
    assert_eq!(person_of(&project, "bob"), ada);
    let of_bob = "select person_id from events where distinct_id = 'bob' limit 9";
    assert_eq!(rows(&project, of_bob, Json::Null), json!([[ada]]));
    let overrides = "select distinct_id, person_id from person_distinct_id_overrides limit 9";
    assert_eq!(rows(&project, overrides, Json::Null), json!([["bob", ada]]));
    assert_eq!(
        rows(&project, "select count() from persons limit 1", Json::Null),
        json!([[1]])
    );
    project.squash_overrides();
    assert_eq!(rows(&project, overrides, Json::Null), json!([]));
    assert_eq!(rows(&project, of_bob, Json::Null), json!([[ada]]));
    let versions = "select distinct_id, is_deleted, version from raw_person_distinct_ids order by distinct_id limit 9";
    assert_eq!(
        rows(&project, versions, Json::Null),
        json!([["ada", 0, 0], ["bob", 0, 1]])
    );
}

#[test]
fn an_identified_person_is_not_merged_unless_dangerously() {
    let mut project = small();
    identify(
        &mut project,
        "$identify",
        "bob",
        "$anon_distinct_id",
        "bob-device",
    );
    identify(&mut project, "$identify", "ada", "$anon_distinct_id", "bob");
    assert_ne!(person_of(&project, "ada"), person_of(&project, "bob"));
    identify(&mut project, "$merge_dangerously", "ada", "alias", "bob");
    assert_eq!(person_of(&project, "ada"), person_of(&project, "bob"));
    assert_eq!(
        person_of(&project, "ada"),
        person_of(&project, "bob-device")
    );
    identify(&mut project, "$create_alias", "ada", "alias", "new-name");
    assert_eq!(person_of(&project, "ada"), person_of(&project, "new-name"));
}

#[test]
fn personless_events_have_a_person_id_but_no_person() {
    let mut project = small();
    let at = "2026-03-01T12:00:00Z".parse().unwrap();
    project.capture(Event::new("quiet", "nobody", at).property("$process_person_profile", false));
    project.settle();
    let read = rows(
        &project,
        "select person_id is null, person_mode from events where event = 'quiet' limit 1",
        Json::Null,
    );
    assert_eq!(read, json!([[0, "propertyless"]]));
    assert_eq!(
        rows(
            &project,
            "select count() from person_distinct_ids where distinct_id = 'nobody' limit 1",
            Json::Null
        ),
        json!([[0]])
    );
}

#[test]
fn static_cohorts_are_missing_from_cohort_people() {
    let mut project = small();
    let people: Vec<uuid::Uuid> = project.persons().keys().copied().collect();
    project.add_cohort(Cohort::new(3, "Buyers").people([people[0]]));
    project.add_cohort(Cohort::new(4, "Uploaded").fixed().people(people.clone()));
    let mut fresh = Cohort::new(5, "Not computed").people(people.clone());
    fresh.version = None;
    project.add_cohort(fresh);
    assert_eq!(
        rows(
            &project,
            "select cohort_id, count() from cohort_people group by cohort_id limit 9",
            Json::Null
        ),
        json!([[3, 1]])
    );
    assert_eq!(
        rows(
            &project,
            "select cohort_id, count() from static_cohort_people group by cohort_id limit 9",
            Json::Null
        ),
        json!([[4, 2]])
    );
    let within = "select uniq(person_id) from events where person_id in cohort 'Uploaded' limit 9";
    assert_eq!(rows(&project, within, Json::Null), json!([[2]]));
}

#[test]
fn person_properties_are_read_through_events_and_persons() {
    let mut project = small();
    let ada = project.distinct_ids()["ada"].person_id;
    let properties = crate::Properties::from_json(json!({"email": "ada@example.com"}));
    project.person_mut(ada).unwrap().properties = std::sync::Arc::new(properties);
    let through_events =
        "select distinct person.properties.email from events where distinct_id = 'ada' limit 9";
    assert_eq!(
        rows(&project, through_events, Json::Null),
        json!([["ada@example.com"]])
    );
    let persons = "select properties.email, properties from persons where properties.email is not null limit 9";
    assert_eq!(
        rows(&project, persons, Json::Null),
        json!([["ada@example.com", "{\"email\":\"ada@example.com\"}"]])
    );
}

#[test]
fn columns_may_be_qualified_and_starred() {
    let project = small();
    let qualified =
        "select e.event, e.properties.price from events as e where e.event = 'order' limit 1";
    assert_eq!(
        rows(&project, qualified, Json::Null),
        json!([["order", "cheap"]])
    );
    let starred =
        "select * from (select event, distinct_id from events) where event = 'order' limit 1";
    assert_eq!(
        rows(&project, starred, Json::Null),
        json!([["order", "ada"]])
    );
}

#[test]
fn element_columns_are_cut_from_the_chain() {
    let mut project = Project::new(1, "x");
    let chain = "a.btn.primary:href=\"/products/x\"nth-child=\"1\"nth-of-type=\"1\"text=\"Buy; now\";div:nth-child=\"2\"attr_id=\"main\"";
    project.insert(
        Event::new("$autocapture", "d", "2026-03-01T12:00:00Z".parse().unwrap())
            .elements_chain(chain),
    );
    let text = "select elements_chain_href, elements_chain_texts, elements_chain_ids, elements_chain_elements from events limit 1";
    assert_eq!(
        rows(&project, text, Json::Null),
        json!([["/products/x", ["Buy; now"], ["main"], ["a"]]])
    );
}
