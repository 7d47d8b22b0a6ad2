//! Pages of mapped events, beside the same SQL run by pgbench.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ConnectionId;
use domain::connection::ConnectionName;
use domain::stage::PostHogStage;
use domain::storage::{EventFilter, Store};
use grpc::proto::v1::ListMappedEventsRequest;
use grpc::proto::v1::event_service_client::EventServiceClient;
use store::{OpenOptions, open};
use tokio::task::JoinSet;

use super::pgbench::Script;
use super::{DATABASE, PARENT, Pulled};
use crate::Outcome;
use crate::figures::{line, median, ratios, title};
use crate::shop::DAYS;

/// Events of a page.
const PAGE: usize = 1_000;
/// How long each way reads before the next takes its turn.
const TURN: Duration = Duration::from_secs(3);

/// Reads the same page again and again: by pgbench, through gRPC, through the store.
pub(super) async fn pages(pulled: &Pulled<'_>, rounds: usize) -> Outcome<()> {
    title("ListMappedEvents, pages of 1,000, beside the same SQL in pgbench");
    let server = &pulled.copying.server;
    let from = pulled.shop.day_start(DAYS / 2);
    let request = ListMappedEventsRequest {
        parent: PARENT.to_owned(),
        start_time: Some(std::time::SystemTime::try_from(from)?.into()),
        page_size: i32::try_from(PAGE)?,
        ..Default::default()
    };
    let filter = EventFilter {
        stages: PostHogStage::ALL.to_vec(),
        from: Some(from),
        ..EventFilter::default()
    };
    let store = open(&server.url(DATABASE), OpenOptions::default()).await?;
    let name = ConnectionName::new("bench", "shop");
    let record = store.connection(&name).await?.ok_or("nothing was pulled")?;

    server.run(
        "postgres",
        &format!("ALTER DATABASE {DATABASE} SET log_min_duration_statement = 0"),
    )?;
    let (logged, url) = pulled
        .program
        .serve(&server.url(DATABASE), pulled.folder.path())
        .await?;
    EventServiceClient::connect(url)
        .await?
        .list_mapped_events(request.clone())
        .await?;
    drop(logged);
    server.run(
        "postgres",
        &format!("ALTER DATABASE {DATABASE} RESET log_min_duration_statement"),
    )?;
    let script = Script::of_last_page(&server.log(), pulled.folder.path())?;

    let (_serving, url) = pulled
        .program
        .serve(&server.url(DATABASE), pulled.folder.path())
        .await?;
    for connections in [1, 4] {
        let (mut by_pgbench, mut by_grpc, mut by_store) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            by_pgbench.push(script.run(server, DATABASE, connections, TURN)?);
            by_grpc.push(through_grpc(&url, &request, connections).await?);
            by_store.push(through_store(&store, record.serving, &filter, connections).await?);
        }
        for (way, rates) in [
            ("pgbench", &by_pgbench),
            ("through gRPC", &by_grpc),
            ("through the store", &by_store),
        ] {
            let rate = median(rates).unwrap_or(0.0);
            line(
                &format!("{way}, {connections} at once"),
                &format!("{rate:.0} pages/s"),
            );
        }
        line("ratio of gRPC to pgbench", &ratios(&by_grpc, &by_pgbench));
        line(
            "ratio of the store to pgbench",
            &ratios(&by_store, &by_pgbench),
        );
    }
    Ok(())
}

async fn through_grpc(
    url: &str,
    request: &ListMappedEventsRequest,
    at_once: usize,
) -> Outcome<f64> {
    let mut readers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..at_once {
        let mut client = EventServiceClient::connect(url.to_owned()).await?;
        let request = request.clone();
        readers.spawn(async move {
            let mut pages = 0;
            while begun.elapsed() < TURN {
                let page = client.list_mapped_events(request.clone()).await?;
                assert_eq!(page.into_inner().events.len(), PAGE);
                pages += 1;
            }
            Ok::<_, tonic::Status>(pages)
        });
    }
    let mut pages = 0;
    while let Some(read) = readers.join_next().await {
        pages += read??;
    }
    Ok(f64::from(pages) / begun.elapsed().as_secs_f64())
}

async fn through_store(
    store: &Arc<dyn Store>,
    connection: ConnectionId,
    filter: &EventFilter,
    at_once: usize,
) -> Outcome<f64> {
    let mut readers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..at_once {
        let (store, filter) = (Arc::clone(store), filter.clone());
        readers.spawn(async move {
            let mut pages = 0;
            while begun.elapsed() < TURN {
                let page = store.events(connection, &filter, None, PAGE).await?;
                assert_eq!(page.len(), PAGE);
                pages += 1;
            }
            Ok::<_, domain::storage::StoreError>(pages)
        });
    }
    let mut pages = 0;
    while let Some(read) = readers.join_next().await {
        pages += read??;
    }
    Ok(f64::from(pages) / begun.elapsed().as_secs_f64())
}
