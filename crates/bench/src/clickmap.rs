//! Clickmaps of 1,000,000 clicks on PostgreSQL: how long they take to be made, and how long one page's
//! elements over 30 days, beside the plainest statement that counts the same from the events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::clickmap::ClickmapPolicy;
use domain::storage::{Lease, NewRun, Page, RunEnd, SliceAdvance, Store};
use domain::sync::{RunTotals, Slice, SliceEvents, SyncMode, Window};
use domain::{Event, EventName};
use grpc::proto::v1::clickmap_service_client::ClickmapServiceClient;
use grpc::proto::v1::{Date, ListClickmapElementsRequest};
use grpc::{ServeConfig, Settings};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store::{OpenOptions, open};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Outcome;
use crate::copy::Copying;
use crate::desired::desired;
use crate::figures::{line, median, title};

const DATABASE: &str = "clicks";
const PARENT: &str = "namespaces/bench/connections/shop";
/// The page that is asked for, which has half of all clicks.
const PAGE: &str = "/products/*";
const DAYS: i64 = 30;
const START: &str = "2027-01-01T00:00:00Z";
/// Clicks stored at once.
const TOGETHER: usize = 5_000;
/// How often the page is asked for.
const TIMES: usize = 201;
/// How long the lease lasts.
const LEASE: Duration = Duration::from_secs(600);

/// The plainest way to the same order: every click of the page, by its chain.
const PLAIN: &str = "SELECT elements_chain, count(*) FROM events \
     WHERE event = '$autocapture' AND path LIKE '/products/%' GROUP BY 1 ORDER BY 2 DESC LIMIT 100";

/// Stores so many clicks, makes their clickmaps and reads one page again and again.
pub(crate) async fn clickmap(clicks: usize) -> Outcome<()> {
    title(&format!(
        "Clickmaps of {clicks} clicks in {DAYS} days, PostgreSQL"
    ));
    let copying = Copying::start().await?;
    let url = copying.database(DATABASE)?;
    let store = open(&url, OpenOptions::default()).await?;
    let lease = fill(&*store, clicks).await?;
    copying.server.run(DATABASE, "VACUUM ANALYZE events")?;

    let begun = Instant::now();
    let policy = ClickmapPolicy::default();
    let days = store.make_clickmaps(&lease, &policy).await?;
    let made = begun.elapsed();
    line(
        &format!("made, {days} days"),
        &format!("{:.1} s", made.as_secs_f64()),
    );
    let rows = copying
        .server
        .run(DATABASE, "SELECT count(*) FROM clickmap_elements")?;
    line("rows of elements", rows.trim());
    copying.server.run(DATABASE, "VACUUM ANALYZE")?;

    let begun = Instant::now();
    copying.server.run(DATABASE, PLAIN)?;
    let plain = begun.elapsed().as_secs_f64() * 1000.0;
    let (median, elements) = ask(store).await?;
    line(
        &format!("ListClickmapElements of {elements} elements, at the median"),
        &format!("{median:.2} ms"),
    );
    line(
        "the same counted from the events",
        &format!("{plain:.0} ms"),
    );
    Ok(())
}

/// The middle time of one page over all days through gRPC, and how many elements were answered.
async fn ask(store: Arc<dyn Store>) -> Outcome<(f64, usize)> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(grpc::serve(ServeConfig {
        listener,
        tls: None,
        shutdown: shutdown.clone(),
        store,
        metrics: None,
        settings: Settings::default(),
    }));
    let mut client = ClickmapServiceClient::connect(format!("http://{address}")).await?;
    let request = ListClickmapElementsRequest {
        parent: PARENT.to_owned(),
        page: PAGE.to_owned(),
        start_date: Some(date(2027, 1, 1)),
        end_date: Some(date(2027, 1, 31)),
        page_size: 100,
        ..Default::default()
    };
    let mut times = Vec::new();
    let mut elements = 0;
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = client.list_clickmap_elements(request.clone()).await?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        elements = answer.into_inner().clickmap_elements.len();
    }
    shutdown.cancel();
    serving.await??;
    Ok((median(&times).unwrap_or(0.0), elements))
}

fn date(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

async fn fill(store: &dyn Store, clicks: usize) -> Outcome<Lease> {
    let start: Timestamp = START.parse()?;
    let record = store.put_connection(&desired(Vec::new())?, start).await?;
    let lease = store.acquire_lease(record.target, "bench", LEASE).await?;
    store.set_time_zone(&lease, "UTC").await?;
    let window = Window {
        from: start,
        to: start + SignedDuration::from_hours(24 * DAYS),
    };
    let slices = (0..clicks.div_ceil(TOGETHER)).map(|_| Slice {
        from: window.from,
        to: window.to,
        arrived_since: None,
        events: SliceEvents::All,
        part: None,
        expected_rows: TOGETHER as u64,
        export: None,
    });
    let run = NewRun {
        mode: SyncMode::Backfill,
        window,
        arrivals: None,
        started_at: window.to,
        way: None,
        slices: slices.collect(),
    };
    let run = store.begin_run(&lease, &run).await?;
    let mut random = StdRng::seed_from_u64(7);
    for (slice, from) in (0..clicks).step_by(TOGETHER).enumerate() {
        let together = from..clicks.min(from + TOGETHER);
        let page = Page {
            run,
            slice: i64::try_from(slice)?,
            advance: SliceAdvance::Done,
            events: together
                .map(|place| click(&mut random, start, place, clicks))
                .collect(),
            late_before: start,
            cost: RunTotals::default(),
        };
        store.apply_page(&lease, page).await?;
    }
    store
        .end_run(&lease, run, &RunEnd::Complete, window.to)
        .await?;
    Ok(lease)
}

/// The click at a place in the order of time.
fn click(random: &mut StdRng, start: Timestamp, place: usize, clicks: usize) -> Event {
    let span = SignedDuration::from_hours(24 * DAYS).as_millis();
    let share = place as f64 / clicks as f64;
    let timestamp = start + SignedDuration::from_millis((span as f64 * share) as i64);
    let path = match random.random_range(0..10) {
        0..5 => format!("/products/product-{}", random.random_range(0..2_000)),
        5..7 => format!("/collections/collection-{}", random.random_range(0..40)),
        7 => "/".to_owned(),
        8 => "/cart".to_owned(),
        _ => format!("/pages/page-{}", random.random_range(0..60)),
    };
    let visitor = random.random_range(0..60_000);
    let device = ["Mobile", "Mobile", "Desktop", "Tablet"][random.random_range(0..4)];
    let name = match random.random_range(0..100) {
        0 => "$rageclick",
        1 => "$dead_click",
        _ => "$autocapture",
    };
    Event {
        uuid: Uuid::from_u128(random.random()),
        event: EventName::from(name),
        distinct_id: format!("0191e1c0-0000-7000-8000-{visitor:012}"),
        person_id: None,
        timestamp,
        created_at: timestamp + SignedDuration::from_secs(2),
        session_id: Some(format!("0191e1c0-0000-7000-9000-{visitor:012}")),
        window_id: Some(format!("0191e1c0-0000-7000-a000-{visitor:012}")),
        host: Some("shop.example.com".to_owned()),
        path: Some(path),
        referrer: Some("https://www.google.com/".to_owned()),
        utm_source: None,
        utm_medium: None,
        utm_campaign: None,
        utm_content: None,
        utm_term: None,
        device_type: Some(device.to_owned()),
        elements_chain: Some(chain(random.random_range(0..400))),
        event_type: Some("click".to_owned()),
        anon_distinct_id: None,
        alias: None,
        product_id: None,
        sku: None,
        price: None,
        currency: None,
        quantity: None,
        cart_id: None,
        id_properties: std::collections::BTreeMap::new(),
    }
}

/// One of 400 elements of a page.
fn chain(element: usize) -> String {
    let (card, part) = (element / 10 + 1, element % 10 + 1);
    format!(
        "a.card__link:attr__class=\"card__link\"href=\"/products/product-{card}?variant=7\"nth-child=\"{part}\"nth-of-type=\"{part}\"text=\"Product {card}\";\
         div.card__content:attr__class=\"card__content\"nth-child=\"2\"nth-of-type=\"1\";\
         li.grid__item:attr__class=\"grid__item\"nth-child=\"{card}\"nth-of-type=\"{card}\";\
         ul.grid:attr__class=\"grid product-grid\"attr__role=\"list\"nth-child=\"2\"nth-of-type=\"1\";\
         main:attr__id=\"MainContent\"attr_id=\"MainContent\"nth-child=\"5\"nth-of-type=\"1\";\
         body.gradient:attr__class=\"gradient\"nth-child=\"2\"nth-of-type=\"1\""
    )
}
