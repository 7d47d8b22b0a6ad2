//! Counting and reading rows: every row once, whatever ties, duplicates, zones and sizes.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{EventName, keep_winners};
use domain::sync::{Arrivals, SliceEvents, SlicePart, Window};
use jiff::SignedDuration;
use jiff::civil::date;
use posthog_stub::PropertyType;
use support::*;
use uuid::Uuid;

fn cells(cells: &[posthog::Cell]) -> Vec<(String, &str, u64)> {
    cells
        .iter()
        .map(|cell| (cell.day.to_string(), cell.event.as_str(), cell.rows))
        .collect()
}

#[tokio::test]
async fn ties_at_page_ends_lose_no_row_and_double_none() -> TestResult {
    // Forty rows at one instant, and among them one uuid four times.
    let same = Uuid::from_u128(0x8000_0000_0000_4000_8000_0000_0000_0000);
    let mut events: Vec<_> = (0..36)
        .map(|n| event("$pageview", &format!("d{n}"), 0))
        .collect();
    events.extend((0..4).map(|n| event("$pageview", &format!("twin{n}"), 0).uuid(same)));
    let stub = start("America/New_York", events).await?;
    let slice = slice(day(), SliceEvents::All);
    for rows in 5..9 {
        let client = client(&stub)?.with_page_rows(rows);
        let read = read_all(&client, &slice).await?;
        let ids: BTreeSet<_> = read
            .iter()
            .map(|event| event.distinct_id.as_str())
            .collect();
        assert_eq!((read.len(), ids.len()), (40, 40), "{rows} rows a page");
        assert!(read.iter().all(|event| event.timestamp == noon()));
    }
    let error = failure(read_all(&client(&stub)?.with_page_rows(3), &slice).await)?;
    assert_eq!(
        error.reason(),
        "Malformed",
        "four rows of one key cannot be paged by three"
    );
    Ok(())
}

#[tokio::test]
async fn cells_are_utc_days_whatever_the_projects_zone() -> TestResult {
    for zone in ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"] {
        let events = vec![
            event("$pageview", "a", -43_200),
            event("$pageview", "b", 43_199),
            event("cart", "a", 0),
            event("cart", "a", -43_201),
        ];
        let stub = start(zone, events).await?;
        let window = Window {
            from: at(-86_400),
            to: at(43_200),
        };
        let client = client(&stub)?;
        let expected = [
            ("2025-12-31".to_owned(), "cart", 1),
            ("2026-01-01".to_owned(), "$pageview", 2),
            ("2026-01-01".to_owned(), "cart", 1),
        ];
        assert_eq!(
            cells(&client.count_cells(window, None).await?),
            expected,
            "{zone}"
        );
        assert_eq!(
            client.recount(date(2025, 12, 31), date(2026, 1, 2)).await?,
            [(date(2025, 12, 31), 1), (date(2026, 1, 1), 3),]
        );
    }
    Ok(())
}

#[tokio::test]
async fn late_arrivals_are_counted_and_read_beside_the_window() -> TestResult {
    let events = vec![
        event("old", "a", -5 * 86_400),
        event("late", "a", -5 * 86_400).created_at(at(-60)),
        event("too old", "a", -50 * 86_400).created_at(at(-60)),
        event("new", "a", -60),
        event("ahead", "a", 60),
    ];
    let stub = start("UTC", events).await?;
    let client = client(&stub)?;
    let window = Window {
        from: at(-3600),
        to: noon(),
    };
    let arrivals = Arrivals {
        from: at(-30 * 86_400),
        since: at(-7200),
    };
    let found = client.count_cells(window, Some(arrivals)).await?;
    assert_eq!(
        cells(&found),
        [
            ("2025-12-27".to_owned(), "late", 1),
            ("2026-01-01".to_owned(), "new", 1),
        ]
    );
    assert_eq!(client.cost().requests, 1);
    let mut late = slice(
        Window {
            from: arrivals.from,
            to: window.from,
        },
        SliceEvents::All,
    );
    late.arrived_since = Some(arrivals.since);
    let read = read_all(&client, &late).await?;
    assert_eq!(
        read.iter()
            .map(|event| event.event.as_str())
            .collect::<Vec<_>>(),
        ["late"]
    );
    Ok(())
}

#[tokio::test]
async fn the_parts_of_a_cell_are_the_cell() -> TestResult {
    let events = (0..60)
        .map(|n| event("$pageview", &format!("d{n}"), n))
        .collect();
    let stub = start("UTC", events).await?;
    let client = client(&stub)?;
    let mut ids = BTreeMap::new();
    for index in 0..4 {
        let mut part = slice(
            day(),
            SliceEvents::Named(vec![EventName::from("$pageview")]),
        );
        part.part = Some(SlicePart { index, of: 4 });
        for event in read_all(&client, &part).await? {
            *ids.entry(event.distinct_id).or_insert(0) += 1;
        }
    }
    assert_eq!(ids.len(), 60);
    assert!(ids.values().all(|times| *times == 1));
    Ok(())
}

#[tokio::test]
async fn every_kept_column_arrives_as_it_was_sent() -> TestResult {
    let (cart, click) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let micro = at(0) + SignedDuration::from_micros(123_456);
    let events = vec![
        posthog_stub::Event::new("product added to cart", "shopper", micro)
            .uuid(cart)
            .property(
                "$current_url",
                "https://shop.example/products/red%20shirt?variant=1",
            )
            .property("$host", "other.example")
            .property("$session_id", "s-1")
            .property("$referrer", "https://search.example/")
            .property("utm_source", "mail")
            .property("$device_type", "Mobile")
            .property("product_id", 7_890_123_456_789_i64)
            .property("price", 19.5)
            .property("quantity", 2_i64)
            .property("currency", "EUR")
            .property("customer_id", 42_i64)
            .property("weird `id`", "odd")
            .property("$event_type", "kept for clicks alone")
            .elements_chain("a.kept:for-clicks-alone=\"1\""),
        event("$autocapture", "shopper", 5)
            .uuid(click)
            .property("$event_type", "submit")
            .elements_chain("a.buy:href=\"/cart\"nth-child=\"1\""),
    ];
    let stub = start("Asia/Kolkata", events).await?;
    stub.edit(|world| {
        let types = &mut world.project_mut(PROJECT)?.property_types;
        types.insert("product_id".to_owned(), PropertyType::Numeric);
        types.insert("customer_id".to_owned(), PropertyType::Numeric);
        Some(())
    });
    let client = client(&stub)?;
    let read = read_all(&client, &slice(day(), SliceEvents::All)).await?;
    let [event, click] = read.as_slice() else {
        return Err(format!("{} events", read.len()).into());
    };
    assert_eq!((event.uuid, event.timestamp), (cart, micro));
    assert_eq!(event.created_at, micro + SignedDuration::from_secs(2));
    assert_eq!(event.host.as_deref(), Some("shop.example"));
    assert_eq!(event.path.as_deref(), Some("/products/red%20shirt"));
    assert_eq!(event.product_id.as_deref(), Some("7890123456789"));
    assert_eq!(event.price.as_deref(), Some("19.5"));
    assert_eq!(event.quantity.as_deref(), Some("2"));
    assert_eq!(event.currency.as_deref(), Some("EUR"));
    assert_eq!(event.utm_source.as_deref(), Some("mail"));
    assert_eq!(event.device_type.as_deref(), Some("Mobile"));
    assert_eq!(event.session_id.as_deref(), Some("s-1"));
    assert_eq!((event.sku.as_ref(), event.window_id.as_ref()), (None, None));
    let ids: Vec<_> = event
        .id_properties
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(ids, [("customer_id", "42"), ("weird `id`", "odd")]);
    assert!(event.person_id.is_some() && event.elements_chain.is_none());
    assert_eq!(event.event_type, None);
    assert_eq!(click.event_type.as_deref(), Some("submit"));
    assert_eq!(
        click.elements_chain.as_deref(),
        Some("a.buy:href=\"/cart\"nth-child=\"1\"")
    );
    Ok(())
}

#[tokio::test]
async fn what_was_clicked_is_not_asked_for_where_nobody_wants_to_know() -> TestResult {
    let click = event("$autocapture", "shopper", 5)
        .property("$event_type", "click")
        .elements_chain("a.buy:href=\"/cart\"nth-child=\"1\"");
    let stub = start("UTC", vec![click]).await?;
    let client = client_without_elements(&stub)?;
    let read = read_all(&client, &slice(day(), SliceEvents::All)).await?;
    let [click] = read.as_slice() else {
        return Err(format!("{} events", read.len()).into());
    };
    assert_eq!(click.event.as_str(), "$autocapture");
    assert_eq!((&click.elements_chain, &click.event_type), (&None, &None));
    let asked = stub.requests();
    let mut texts = asked.iter().filter_map(|request| request.query.as_ref());
    assert!(texts.clone().count() > 0);
    assert!(texts.all(|text| !text.contains("elements_chain")));
    Ok(())
}

#[tokio::test]
async fn a_recount_counts_winners_as_the_store_does() -> TestResult {
    let uuid = Uuid::from_u128;
    let day_later = 86_400;
    let events = vec![
        // Sent again a day later with a later arrival: only the second day has it.
        event("$pageview", "a", 0).uuid(uuid(1)),
        event("$pageview", "a", day_later).uuid(uuid(1)),
        // A plain duplicate.
        event("$pageview", "b", 1).uuid(uuid(2)),
        event("$pageview", "b", 1).uuid(uuid(2)),
        // Won by a row beyond the range's edge.
        event("cart", "c", 86_000 - 2 * day_later)
            .uuid(uuid(3))
            .created_at(at(-day_later)),
        event("cart", "c", -day_later)
            .uuid(uuid(3))
            .created_at(at(day_later)),
        event("cart", "d", 2).uuid(uuid(4)),
    ];
    let stub = start("Europe/Berlin", events).await?;
    let client = client(&stub)?;
    let (from, to) = (date(2026, 1, 1), date(2026, 1, 3));
    let counted = client.recount(from, to).await?;
    assert_eq!(counted, [(from, 2), (date(2026, 1, 2), 1)]);
    let window = Window {
        from: at(-5 * day_later),
        to: at(5 * day_later),
    };
    let read = read_all(&client, &slice(window, SliceEvents::All)).await?;
    let (winners, lost) = keep_winners(read);
    assert_eq!((winners.count(), lost), (4, 3));
    let page = client.uuids_of_day(from, None).await?;
    assert_eq!((page.uuids, page.next), (vec![uuid(2), uuid(4)], None));
    let rest = client.uuids_of_day(from, Some(uuid(2))).await?;
    assert_eq!(rest.uuids, [uuid(4)]);
    Ok(())
}

#[tokio::test]
async fn persons_follow_merges_and_pages_are_in_byte_order() -> TestResult {
    let ids = ["Zoe", "anna", "ümit", "b'ob", "\u{1F600}"];
    let events = ids.iter().map(|id| event("$pageview", id, 0)).collect();
    let stub = start("UTC", events).await?;
    stub.edit(|world| {
        world.project_mut(PROJECT)?.merge("anna", "Zoe");
        Some(())
    });
    let client = client(&stub)?.with_page_rows(2);
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = client.person_mappings(after.as_deref()).await?;
        all.extend(page.mappings);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    assert_eq!(
        all.iter()
            .map(|it| it.distinct_id.as_str())
            .collect::<Vec<_>>(),
        sorted
    );
    let asked = ["anna", "Zoe", "b'ob", "nobody"].map(str::to_owned);
    let found = client.persons_of(&asked).await?;
    let person = |id: &str| {
        found
            .iter()
            .find(|it| it.distinct_id == id)
            .map(|it| it.person_id)
    };
    assert_eq!(found.len(), 3);
    assert!(person("anna").is_some() && person("anna") == person("Zoe"));
    let moved = client.person_overrides(None).await?;
    assert!(
        moved
            .mappings
            .iter()
            .any(|it| it.distinct_id == "anna" && Some(it.person_id) == person("Zoe"))
    );
    assert_eq!(moved.next, None);
    Ok(())
}

#[tokio::test]
async fn known_events_and_product_pages_are_told_with_their_counts() -> TestResult {
    let page = |path: &str, n| {
        event("$pageview", "a", n).property("$current_url", format!("https://shop.example{path}"))
    };
    let events = vec![
        page("/products/red?x=1", 0),
        page("/products/red?x=2", 1),
        page("/fr/Products/blue", 2),
        page("/cart", 3),
        event("cart", "a", 4),
    ];
    let stub = start("UTC", events).await?;
    let client = client(&stub)?;
    let known = client.known_events(day().from, day().to).await?;
    let known: Vec<_> = known
        .iter()
        .map(|it| (it.name.as_str(), it.events))
        .collect();
    assert_eq!(known, [("$pageview", 4), ("cart", 1)]);
    let mut paths = client.product_page_paths(day().from, day().to).await?;
    paths.sort();
    assert_eq!(paths, ["/fr/Products/blue", "/products/red"]);
    Ok(())
}

#[tokio::test]
async fn a_query_is_always_fresh_named_and_bounded() -> TestResult {
    let stub = start("UTC", vec![event("$pageview", "a", 0)]).await?;
    let client = client(&stub)?;
    let first = client.known_events(day().from, day().to).await?;
    stub.edit(|world| {
        world.project_mut(PROJECT)?.capture(event("new", "a", 1));
        Some(())
    });
    let second = client.known_events(day().from, day().to).await?;
    assert_eq!((first.len(), second.len()), (1, 2));
    for request in stub.requests() {
        assert_eq!(request.refresh.as_deref(), Some("force_blocking"));
        assert_eq!(
            request.name.as_deref(),
            Some("ordinary_posthog_known_events")
        );
        assert!(request.authorized && request.accepts_gzip);
        assert!(
            request
                .query
                .is_some_and(|text| text.ends_with(&format!("limit {}", posthog::MAX_ROWS)))
        );
    }
    Ok(())
}

#[tokio::test]
async fn counts_and_uuids_go_on_where_a_full_answer_ended() -> TestResult {
    let mut events = Vec::new();
    for day in 0..3 {
        for name in ["cart", "$pageview", "Zebra", "\u{e9}t\u{e9}"] {
            events.extend((0..=day).map(|n| event(name, "a", day * 86_400 + n)));
        }
    }
    let stub = start("Europe/Berlin", events).await?;
    let whole = client(&stub)?;
    let window = Window {
        from: at(-43_200),
        to: at(3 * 86_400),
    };
    let (from, to) = (window.from, window.to);
    let expected = whole.count_cells(window, None).await?;
    assert_eq!(expected.len(), 12);
    let uuids = whole.uuids_of_day(date(2026, 1, 3), None).await?.uuids;
    assert_eq!(uuids.len(), 12);
    for rows in 2..6 {
        let pieces = whole.clone().with_page_rows(rows);
        assert_eq!(pieces.count_cells(window, None).await?, expected, "{rows}");
        let known = pieces.known_events(from, to).await?;
        assert_eq!(known, whole.known_events(from, to).await?, "{rows}");
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = pieces.uuids_of_day(date(2026, 1, 3), after).await?;
            all.extend(page.uuids);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(all, uuids, "{rows}");
    }
    Ok(())
}
