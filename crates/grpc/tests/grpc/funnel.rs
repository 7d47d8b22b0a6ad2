//! GetFunnel: numbers where PostHog feeds a stage, and none where Shopify does.

use domain::day::day_of;
use grpc::proto::v1;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::shop::{self, SHOP, Server, event};

async fn march(server: &Server) -> v1::GetFunnelResponse {
    let date = |day| {
        Some(v1::Date {
            year: 2026,
            month: 3,
            day,
        })
    };
    let request = v1::GetFunnelRequest {
        parent: SHOP.to_owned(),
        start_date: date(1),
        end_date: date(4),
    };
    server
        .events()
        .get_funnel(request)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn every_day_asked_for_has_every_stage_and_zero_is_said() {
    let store = shop::store();
    for (number, name) in [(1, "seen"), (2, "seen"), (3, "added")] {
        store.state().put(shop::rows(), event(number, name, 0));
    }
    let funnel = march(&Server::start(store).await).await;
    assert_eq!(funnel.time_zone, "UTC");
    assert_eq!(funnel.days.len(), 3);
    for (day, counts) in funnel.days.iter().zip([(2, 1), (0, 0), (0, 0)]) {
        assert_eq!(day.stages.len(), 4);
        let counted = [&day.stages[0], &day.stages[1]].map(|stage| stage.event_count);
        assert_eq!(counted, [Some(counts.0), Some(counts.1)]);
    }
    assert_eq!(funnel.days[0].stages[0].counted_events, ["seen"]);
    assert_eq!(funnel.stages[1].events, ["added"]);
}

#[tokio::test]
async fn orders_are_shopifys_and_have_no_number() {
    let store = shop::store();
    store
        .state()
        .put(shop::rows(), event(1, "Order Completed", 0));
    let funnel = march(&Server::start(store).await).await;
    for day in &funnel.days {
        let orders = &day.stages[3];
        assert_eq!(orders.stage(), v1::FunnelStage::OrderCompleted);
        assert_eq!(orders.source(), v1::StageSource::Shopify);
        assert_eq!(orders.event_count, None);
    }
    assert_eq!(funnel.stages[3].source(), v1::StageSource::Shopify);
}

#[tokio::test]
async fn checkout_is_shopifys_until_posthog_has_seen_one_lately() {
    let store = shop::store();
    store.state().put(shop::rows(), event(1, "checkout", 0));
    let server = Server::start(store.clone()).await;
    let checkout = march(&server).await.days[0].stages[2].clone();
    assert_eq!(checkout.source(), v1::StageSource::Shopify);
    assert_eq!(checkout.event_count, None);

    let mut now = event(2, "checkout", 0);
    now.event.timestamp = Timestamp::now();
    store.state().put(shop::rows(), now);
    let checkout = march(&server).await.days[0].stages[2].clone();
    assert_eq!(checkout.source(), v1::StageSource::Posthog);
    assert_eq!(checkout.event_count, Some(1));
}

#[tokio::test]
async fn a_stage_that_nothing_is_mapped_to_says_so_and_has_no_number() {
    let store = shop::store();
    {
        let mut state = store.state();
        let mapping = state
            .epochs
            .get_mut(&shop::rows())
            .unwrap()
            .mapping
            .as_mut();
        mapping.unwrap().stages[1].rules.clear();
    }
    let funnel = march(&Server::start(store).await).await;
    assert_eq!(funnel.days[0].stages[1].event_count, None);
    assert_eq!(
        funnel.stages[1].flags().collect::<Vec<_>>(),
        [v1::StageFlag::NotMapped]
    );
}

#[tokio::test]
async fn without_dates_the_last_thirty_days_are_answered_today_included() {
    let store = shop::store();
    let first_of_march: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let today = || day_of(Timestamp::now(), &TimeZone::UTC);
    let before = today();
    let now = Timestamp::now().as_second() - first_of_march.as_second();
    store.state().put(shop::rows(), event(1, "seen", now));
    let server = Server::start(store).await;
    let parent = SHOP.to_owned();
    let request = v1::GetFunnelRequest {
        parent: parent.clone(),
        ..Default::default()
    };
    let funnel = server.events().get_funnel(request).await.unwrap();
    let days = funnel.into_inner().days;
    assert_eq!(days.len(), 30);
    let seen = days.iter().filter_map(|day| day.stages[0].event_count);
    assert_eq!(seen.sum::<u64>(), 1);
    let last = days[29].day.unwrap();
    let last = (last.year, last.month, last.day);
    // Midnight may have come in between.
    let may_be =
        [before, today()].map(|day| (day.year().into(), day.month().into(), day.day().into()));
    assert!(may_be.contains(&last), "{last:?}");

    let request = v1::ListDailyEventCountsRequest {
        parent,
        ..Default::default()
    };
    let counts = server.events().list_daily_event_counts(request).await;
    let counts = counts.unwrap().into_inner().daily_event_counts;
    assert_eq!(counts.len(), 1);
    assert_eq!(
        (counts[0].event.as_str(), counts[0].event_count),
        ("seen", 1)
    );
}

#[tokio::test]
async fn a_silent_stage_beside_a_busy_candidate_may_have_been_renamed() {
    let store = shop::store();
    let put = |number: u128, name: &str| {
        let mut row = event(number, name, 0);
        row.event.timestamp = Timestamp::now();
        store.state().put(shop::rows(), row);
    };
    // Long ago it had its own name.
    store.state().put(shop::rows(), event(1000, "added", 0));
    (0..9).for_each(|number| put(number, "Product Added"));
    let server = Server::start(store.clone()).await;
    let renamed = v1::StageFlag::MaybeRenamed;
    let stage = march(&server).await.stages[1].clone();
    assert!(!stage.flags().any(|flag| flag == renamed));

    put(9, "Product Added");
    let funnel = march(&server).await;
    let stage = &funnel.stages[1];
    assert!(stage.flags().any(|flag| flag == renamed));
    assert_eq!(stage.maybe_renamed_to, "Product Added");
    assert_eq!(stage.events, ["added"]);
    let others = [&funnel.stages[0], &funnel.stages[2], &funnel.stages[3]];
    assert!(others.iter().all(|it| it.maybe_renamed_to.is_empty()));

    put(10, "added");
    let stage = march(&server).await.stages[1].clone();
    assert!(!stage.flags().any(|flag| flag == renamed));
}

#[tokio::test]
async fn pageviews_of_product_pages_take_the_place_of_a_silent_product_viewed() {
    let store = shop::store();
    let put = |number, path| (store.state()).put(shop::rows(), shop::pageview(number, path));
    // However many come, those of a home page are no product views.
    (0..40).for_each(|number| put(number, "/"));
    (40..49).for_each(|number| put(number, "/fr/collections/sale/products/red-shirt/"));
    let server = Server::start(store.clone()).await;
    let renamed = v1::StageFlag::MaybeRenamed;
    let stage = march(&server).await.stages[0].clone();
    assert!(!stage.flags().any(|flag| flag == renamed));

    put(49, "/products/red-shirt");
    let stage = march(&server).await.stages[0].clone();
    assert!(stage.flags().any(|flag| flag == renamed));
    assert_eq!(stage.maybe_renamed_to, "$pageview");
    assert_eq!(stage.events, ["seen"]);
}
