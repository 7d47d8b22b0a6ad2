//! Daily counts and definitions.

use domain::mapping::OrderEvidence;
use domain::storage::{DayVerdict, EventDefinition, Verdict};
use grpc::proto::v1;
use jiff::Timestamp;

use crate::memory::Memory;
use crate::shop::{self, SHOP, Server, event};

const DAY: i64 = 24 * 60 * 60;

fn date(year: i32, month: i32, day: i32) -> Option<v1::Date> {
    Some(v1::Date { year, month, day })
}

fn march() -> v1::ListDailyEventCountsRequest {
    v1::ListDailyEventCountsRequest {
        parent: SHOP.to_owned(),
        start_date: date(2026, 3, 1),
        end_date: date(2026, 4, 1),
        ..Default::default()
    }
}

fn put(store: &Memory, number: u128, name: &str, second: i64) {
    store.state().put(shop::rows(), event(number, name, second));
}

async fn walk(
    server: &Server,
    mut request: v1::ListDailyEventCountsRequest,
) -> Vec<v1::DailyEventCount> {
    let mut all = Vec::new();
    loop {
        let page = server
            .events()
            .list_daily_event_counts(request.clone())
            .await;
        let page = page.unwrap().into_inner();
        assert_eq!(page.time_zone, "UTC");
        all.extend(page.daily_event_counts);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn counts_come_by_day_and_name_with_what_is_known_of_both() {
    let store = shop::store();
    put(&store, 1, "seen", 0);
    put(&store, 2, "seen", 1);
    put(&store, 3, "Order Completed", 2);
    put(&store, 4, "other", DAY);
    // Named by a rule, but not on a product page.
    let mut row = event(5, "seen", 3);
    row.stage = None;
    store.state().put(shop::rows(), row);
    store.state().verdicts = vec![DayVerdict {
        day: "2026-03-01".parse().unwrap(),
        remote: 4,
        local: 4,
        erased: 0,
        verdict: Verdict::Verified,
        repulls: 0,
        counted_at: Timestamp::UNIX_EPOCH,
    }];
    let found = walk(&Server::start(store).await, march()).await;
    let names: Vec<(&str, u64, u64)> = found
        .iter()
        .map(|it| (it.event.as_str(), it.event_count, it.stage_event_count))
        .collect();
    assert_eq!(
        names,
        [("Order Completed", 1, 0), ("seen", 3, 2), ("other", 1, 0)]
    );
    assert_eq!(
        found.iter().map(|it| it.order_like).collect::<Vec<_>>(),
        [true, false, false]
    );
    assert_eq!(found[1].stage(), v1::FunnelStage::ProductViewed);
    assert_eq!(found[0].stage(), v1::FunnelStage::Unspecified);
    assert_eq!(found[1].completeness(), v1::CompletenessVerdict::Verified);
    assert_eq!(
        found[2].completeness(),
        v1::CompletenessVerdict::Unspecified
    );
    assert_eq!(found[2].day, date(2026, 3, 2));
}

#[tokio::test]
async fn pages_tell_both_numbers_of_each_utc_day_also_where_nothing_is_stored() {
    let store = shop::store();
    put(&store, 1, "a", 0);
    put(&store, 2, "b", 0);
    put(&store, 3, "a", 2 * DAY);
    let recount = |text: &str, remote, local, verdict| DayVerdict {
        day: text.parse().unwrap(),
        remote,
        local,
        erased: 0,
        verdict,
        repulls: 0,
        counted_at: Timestamp::UNIX_EPOCH,
    };
    store.state().verdicts = vec![
        recount("2026-03-01", 2, 2, Verdict::Verified),
        recount("2026-03-02", 9, 0, Verdict::Pending),
        recount("2026-03-03", 4, 1, Verdict::Mismatch),
        recount("2026-03-31", 5, 0, Verdict::Mismatch),
        recount("2026-04-01", 7, 7, Verdict::Verified),
    ];
    let server = Server::start(store).await;
    let mut request = v1::ListDailyEventCountsRequest {
        page_size: 2,
        ..march()
    };
    let first = server
        .events()
        .list_daily_event_counts(request.clone())
        .await;
    let first = first.unwrap().into_inner();
    let told = |page: &v1::ListDailyEventCountsResponse| -> Vec<(i32, u64, u64, i32)> {
        let days = page.day_recounts.iter();
        days.map(|it| {
            (
                it.utc_day.unwrap().day,
                it.posthog_events,
                it.stored_events,
                it.verdict,
            )
        })
        .collect()
    };
    let verified = v1::CompletenessVerdict::Verified.into();
    let pending = v1::CompletenessVerdict::Pending.into();
    let mismatch = v1::CompletenessVerdict::Mismatch.into();
    assert_eq!(told(&first), [(1, 2, 2, verified)]);
    assert!(first.day_recounts[0].count_time.is_some());
    request.page_token = first.next_page_token;
    let second = server.events().list_daily_event_counts(request).await;
    let second = second.unwrap().into_inner();
    assert!(second.next_page_token.is_empty());
    assert_eq!(
        told(&second),
        [
            (1, 2, 2, verified),
            (2, 9, 0, pending),
            (3, 4, 1, mismatch),
            (31, 5, 0, mismatch)
        ]
    );
}

#[tokio::test]
async fn pages_of_counts_hold_each_of_them_once_over_long_ranges() {
    let store = shop::store();
    for number in 0..60_u128 {
        let second = i64::try_from(number).unwrap() * 3 * DAY;
        put(&store, 2 * number, "a", second);
        put(&store, 2 * number + 1, "b", second);
    }
    let server = Server::start(store).await;
    let request = v1::ListDailyEventCountsRequest {
        end_date: date(2026, 12, 1),
        page_size: 7,
        ..march()
    };
    assert_eq!(walk(&server, request.clone()).await.len(), 120);
    let one_name = v1::ListDailyEventCountsRequest {
        event_names: vec!["b".to_owned()],
        ..request
    };
    let found = walk(&server, one_name).await;
    assert_eq!(found.len(), 60);
    assert!(found.iter().all(|it| it.event == "b"));
}

#[tokio::test]
async fn definitions_tell_whose_they_are_and_what_they_feed() {
    let store = shop::store();
    let names = [
        "seen",
        "$pageview",
        "$autocapture",
        "Order Completed",
        "Product Added",
    ];
    let at = |second| Timestamp::from_second(second).ok();
    store.state().definitions = names
        .map(|name| EventDefinition {
            name: name.into(),
            created_at: at(1).filter(|_| name == "seen"),
            last_seen_at: at(2).filter(|_| name == "seen"),
        })
        .to_vec();
    let server = Server::start(store).await;
    let mut request = v1::ListEventDefinitionsRequest {
        parent: SHOP.to_owned(),
        page_size: 2,
        ..Default::default()
    };
    let mut found = Vec::new();
    loop {
        let page = server
            .events()
            .list_event_definitions(request.clone())
            .await;
        let page = page.unwrap().into_inner();
        found.extend(page.event_definitions);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let of = |name: &str| found.iter().find(|it| it.event == name).unwrap();
    assert_eq!(found.len(), names.len());
    assert_eq!(of("seen").kind(), v1::event_definition::Kind::Custom);
    let seconds = |name| {
        let times = [of(name).create_time, of(name).last_seen_time];
        times.map(|time| time.map(|time| time.seconds))
    };
    assert_eq!(seconds("seen"), [Some(1), Some(2)]);
    assert_eq!(seconds("$pageview"), [None, None]);
    assert_eq!(of("$pageview").kind(), v1::event_definition::Kind::Posthog);
    assert_eq!(
        of("$autocapture").kind(),
        v1::event_definition::Kind::Autocapture
    );
    assert_eq!(of("seen").stage(), v1::FunnelStage::ProductViewed);
    assert_eq!(of("seen").suggested_stage(), v1::FunnelStage::Unspecified);
    assert!(of("Order Completed").order_like);
    assert_eq!(
        of("Order Completed").suggested_stage(),
        v1::FunnelStage::Unspecified
    );
    assert_eq!(
        of("Product Added").suggested_stage(),
        v1::FunnelStage::AddedToCart
    );
}

async fn definition_of(server: &Server, name: &str) -> v1::EventDefinition {
    let request = v1::ListEventDefinitionsRequest {
        parent: SHOP.to_owned(),
        ..Default::default()
    };
    let page = server.events().list_event_definitions(request).await;
    let found = page.unwrap().into_inner().event_definitions;
    found.into_iter().find(|it| it.event == name).unwrap()
}

#[tokio::test]
async fn a_suggestion_has_its_reason_its_events_and_what_they_say_and_changes_nothing() {
    let store = shop::store();
    for number in 0..5 {
        let mut row = event(number, "Product Added", 0);
        row.event.timestamp = Timestamp::now();
        store.state().put(shop::rows(), row);
    }
    let definition = |name: &str| EventDefinition {
        name: name.into(),
        created_at: None,
        last_seen_at: None,
    };
    store.state().definitions = vec![
        definition("Product Added"),
        definition("add_to_cart"),
        definition("added"),
    ];
    let evidence = OrderEvidence {
        judged: 4,
        in_order: 3,
    };
    (store.state().evidence).insert("Product Added".into(), evidence);
    let server = Server::start(store.clone()).await;
    let seen = definition_of(&server, "Product Added").await;
    assert_eq!(seen.suggested_stage(), v1::FunnelStage::AddedToCart);
    assert_eq!(seen.recent_event_count, 5);
    assert_eq!(
        seen.stage_reason,
        "its name means Added to cart, but mapping.addedToCart does not name it"
    );
    let said = seen.suggestion_evidence.unwrap();
    assert_eq!((said.judged_events, said.in_order_events), (4, 3));
    let unseen = definition_of(&server, "add_to_cart").await;
    assert_eq!(unseen.suggested_stage(), v1::FunnelStage::AddedToCart);
    assert_eq!(unseen.suggestion_evidence, None);
    let mapped = definition_of(&server, "added").await;
    assert_eq!(mapped.stage(), v1::FunnelStage::AddedToCart);
    assert_eq!(mapped.stage_reason, "mapping.addedToCart names it");
    let epoch = store.state().epochs[&shop::rows()].clone();
    assert_eq!(epoch.mapping, Some(shop::mapping()));
}

#[tokio::test]
async fn pageviews_are_suggested_once_a_product_page_is_among_them() {
    let store = shop::store();
    let put = |number, path| (store.state()).put(shop::rows(), shop::pageview(number, path));
    store.state().definitions = vec![EventDefinition {
        name: "$pageview".into(),
        created_at: None,
        last_seen_at: None,
    }];
    put(1, "/");
    let server = Server::start(store.clone()).await;
    let home = definition_of(&server, "$pageview").await;
    assert_eq!(home.suggested_stage(), v1::FunnelStage::Unspecified);

    put(2, "/products/red-shirt");
    let pages = definition_of(&server, "$pageview").await;
    assert_eq!(pages.suggested_stage(), v1::FunnelStage::ProductViewed);
    assert_eq!(
        pages.stage_reason,
        "it was seen on /products/* in the last 30 days"
    );
    assert_eq!(pages.recent_event_count, 2);

    // A rule that names it takes it as the merchant wants it, whatever the page.
    let mut epoch = store.state().epochs[&shop::rows()].clone();
    epoch.mapping.as_mut().unwrap().stages[1].rules[0].name = "$pageview".into();
    store.state().epochs.insert(shop::rows(), epoch);
    let mapped = definition_of(&server, "$pageview").await;
    assert_eq!(mapped.stage(), v1::FunnelStage::AddedToCart);
    assert_eq!(mapped.suggested_stage(), v1::FunnelStage::Unspecified);
}

#[tokio::test]
async fn names_of_any_kind_come_back_as_they_are() {
    let store = shop::store();
    let names = [
        "say \"hi\"; DROP TABLE 'events' --".to_owned(),
        "two\nlines\tand\\slashes".to_owned(),
        "\u{1f6d2}\u{200d}\u{1f525} panier".to_owned(),
        "x".repeat(400),
    ];
    for (number, name) in (0..).zip(&names) {
        let mut row = event(number, name, 0);
        row.event.timestamp = Timestamp::now();
        store.state().put(shop::rows(), row);
        store.state().definitions.push(EventDefinition {
            name: name.as_str().into(),
            created_at: None,
            last_seen_at: None,
        });
    }
    let server = Server::start(store).await;
    for name in names {
        assert_eq!(definition_of(&server, &name).await.recent_event_count, 1);
        let request = v1::ListDailyEventCountsRequest {
            parent: SHOP.to_owned(),
            event_names: vec![name.clone()],
            ..Default::default()
        };
        let found = walk(&server, request).await;
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].event, found[0].event_count), (&name, 1));
    }
}
