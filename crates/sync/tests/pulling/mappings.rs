use domain::event::EventName;
use domain::mapping::{CheckoutSource, MappingSpec, StageRule, StageSpec};
use domain::stage::PostHogStage;
use domain::sync::SyncMode;
use jiff::SignedDuration;
use jiff::civil::date;
use posthog_stub::{Event, Project};
use sync::MappingPolicy;

use crate::shop::{NOW, PROJECT, Shop, at, days};

fn spec(stage: PostHogStage, name: &str) -> MappingPolicy {
    let rule = StageRule {
        name: EventName::from(name),
        url_path: None,
    };
    let written = StageSpec {
        stage,
        rules: vec![rule],
    };
    MappingPolicy::Spec(MappingSpec::new(vec![written], CheckoutSource::Auto).unwrap())
}

async fn stage_count(shop: &Shop, stage: PostHogStage) -> u64 {
    shop.store
        .daily_stage_counts(shop.id(), date(2026, 1, 1), date(2026, 12, 31))
        .await
        .unwrap()
        .iter()
        .filter(|count| count.stage == stage)
        .map(|count| count.events)
        .sum()
}

fn signups() -> Project {
    let mut project = Project::new(PROJECT, "Shop");
    for hours in 1..8 {
        let stamp = at(NOW) - SignedDuration::from_hours(hours);
        project.capture(Event::new("newsletter", "a", stamp));
        project.capture(Event::new("product added to cart", "a", stamp));
    }
    project
}

#[tokio::test]
async fn a_changed_mapping_reassigns_what_is_stored_without_pulling_it_again() {
    let mut shop = Shop::open(signups()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(stage_count(&shop, PostHogStage::AddedToCart).await, 7);

    shop.settings.mapping = spec(PostHogStage::AddedToCart, "newsletter");
    shop.pass(days(1));
    // Nothing is left in PostHog to be pulled.
    shop.edit(|project| project.retain_events(|event| event.event.as_str() == "newsletter"));
    let before = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    shop.run(SyncMode::Refresh).await.unwrap();
    let after = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    assert!(after.mapping_revision > before.mapping_revision);
    assert_eq!(stage_count(&shop, PostHogStage::AddedToCart).await, 7);
    let mapping = after.mapping.unwrap();
    assert_eq!(
        mapping.stage_of("newsletter", None),
        Some(PostHogStage::AddedToCart)
    );
    assert_eq!(mapping.stage_of("product added to cart", None), None);
}

#[tokio::test]
async fn defaults_once_chosen_stay_although_the_projects_events_change() {
    let shop = Shop::open(signups()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let before = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    shop.pass(SignedDuration::from_hours(1));
    shop.edit(|project| {
        for minutes in 1..30 {
            let stamp = at(NOW) + SignedDuration::from_mins(minutes);
            project.capture(Event::new("Product Added", "b", stamp));
        }
    });
    shop.run(SyncMode::Refresh).await.unwrap();
    let after = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    assert_eq!(before.mapping, after.mapping);
    assert_eq!(before.mapping_revision, after.mapping_revision);
}

#[tokio::test]
async fn the_projects_time_zone_decides_days_unless_the_connection_names_one() {
    let mut project = Project::new(PROJECT, "Shop").timezone("Asia/Tokyo");
    project.capture(Event::new("$pageview", "a", at("2026-03-18T20:00:00Z")));
    let mut shop = Shop::open(project).await;
    let day = async |shop: &Shop| {
        let counts = shop
            .store
            .daily_event_counts(shop.id(), date(2026, 1, 1), date(2026, 12, 31), &[])
            .await
            .unwrap();
        counts[0].day
    };
    shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(day(&shop).await, date(2026, 3, 19));
    shop.settings.time_zone = Some("UTC".to_owned());
    shop.run(SyncMode::Refresh).await.unwrap();
    assert_eq!(day(&shop).await, date(2026, 3, 18));

    shop.settings.time_zone = Some("Mars/Olympus".to_owned());
    let error = shop.run(SyncMode::Refresh).await.unwrap_err();
    assert_eq!(error.reason(), "UnknownTimeZone");
}

#[tokio::test]
async fn a_remap_reassigns_what_is_stored_and_is_no_run() {
    let mut shop = Shop::open(signups()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let runs = shop.store.runs(shop.id(), None, 9).await.unwrap();
    let rows = shop.rows().await;
    shop.settings.mapping = spec(PostHogStage::AddedToCart, "newsletter");
    shop.settings.time_zone = Some("Asia/Tokyo".to_owned());
    // Nothing is left in PostHog to be pulled.
    shop.edit(|project| project.retain_events(|_| false));

    let before = shop.store.epoch(shop.id()).await.unwrap().unwrap();
    let summary = sync::remap(&shop.context(), &shop.settings).await.unwrap();
    assert_eq!(summary.events_moved, 14);
    assert_eq!(summary.time_zone, "Asia/Tokyo");
    assert!(summary.mapping_revision > before.mapping_revision);
    let line = serde_json::to_value(&summary).unwrap();
    assert_eq!(line["mode"], "remap");
    assert_eq!(line["connection"], "acme/storefront");
    assert_eq!(stage_count(&shop, PostHogStage::AddedToCart).await, 7);
    assert_eq!(shop.rows().await, rows);
    assert_eq!(shop.store.runs(shop.id(), None, 9).await.unwrap(), runs);

    let again = sync::remap(&shop.context(), &shop.settings).await.unwrap();
    assert_eq!(again.events_moved, 0);
    assert_eq!(again.mapping_revision, summary.mapping_revision);
}

#[tokio::test]
async fn a_remap_that_fails_says_why_and_changes_nothing() {
    let mut shop = Shop::open(signups()).await;
    shop.run(SyncMode::Backfill).await.unwrap();
    let before = shop.store.epoch(shop.id()).await.unwrap();
    shop.settings.time_zone = Some("Mars/Olympus".to_owned());
    let error = sync::remap(&shop.context(), &shop.settings)
        .await
        .unwrap_err();
    let name = &shop.settings.desired.name;
    let record = shop.store.connection(name).await.unwrap().unwrap();
    assert_eq!(record.failure.unwrap().reason, error.reason());
    assert_eq!(shop.store.epoch(shop.id()).await.unwrap(), before);
}

/// Names that harm whoever quotes, escapes, splits or cuts them carelessly.
fn odd_names() -> [String; 7] {
    [
        "say \"hi\" to 'all' `of` them".to_owned(),
        "'); DROP TABLE events; --".to_owned(),
        "two\nlines,\ttabs and \\n slashes".to_owned(),
        "\u{1f6d2}\u{200d}\u{1f525} panier {braces} %s $1 ?".to_owned(),
        " spaces around ".to_owned(),
        "x".repeat(400),
        "\u{1f6d2}".repeat(400),
    ]
}

#[tokio::test]
async fn names_of_any_kind_go_through_the_whole_path_unharmed() {
    let names = odd_names();
    let mut project = Project::new(PROJECT, "Shop");
    for (name, count) in names.iter().zip(1_i64..) {
        for minute in 0..count {
            let stamp = at(NOW) - SignedDuration::from_mins(60 * count + minute);
            project.capture(Event::new(name, "a", stamp));
        }
    }
    let mut shop = Shop::open(project).await;
    // So few rows a page that names are asked for one by one.
    shop.page_rows = Some(2);
    shop.settings.mapping = spec(PostHogStage::AddedToCart, &names[2]);
    let summary = shop.run(SyncMode::Backfill).await.unwrap();
    assert_eq!(
        (summary.completeness.pending, summary.completeness.mismatch),
        (0, 0)
    );
    assert_eq!(stage_count(&shop, PostHogStage::AddedToCart).await, 3);
    let (store, id) = (&shop.store, shop.id());
    let defined = store.event_definitions(id, None, 100).await.unwrap();
    for (name, count) in names.iter().zip(1_u64..) {
        let name = EventName::from(name.as_str());
        assert!(defined.iter().any(|it| it.name == name), "{name}");
        let counts = store
            .daily_event_counts(
                id,
                date(2026, 1, 1),
                date(2026, 12, 31),
                std::slice::from_ref(&name),
            )
            .await
            .unwrap();
        let counted: u64 = counts.iter().map(|it| it.events).sum();
        assert_eq!(counted, count, "{name}");
    }
    for (name, count) in names.iter().zip(1_u64..) {
        shop.settings.mapping = spec(PostHogStage::AddedToCart, name);
        shop.run(SyncMode::Refresh).await.unwrap();
        assert_eq!(
            stage_count(&shop, PostHogStage::AddedToCart).await,
            count,
            "{name}"
        );
    }
}
