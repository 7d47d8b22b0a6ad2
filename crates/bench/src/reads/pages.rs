//! Pages of mapped events, beside the same SQL run by pgbench.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ConnectionId;
use domain::connection::ConnectionName;
use domain::stage::PostHogStage;
use domain::storage::{EventFilter, Store};
use grpc::proto::v1::ListMappedEventsRequest;
use grpc::proto::v1::event_service_client::EventServiceClient;
use prost::Message;
use store::{OpenOptions, open};
use tokio::task::JoinSet;

use super::caller::Caller;
use super::cores::divide;
use super::pgbench::Script;
use super::{DATABASE, PARENT, Pulled};
use crate::Outcome;
use crate::figures::{line, median, ratios, title};
use crate::shop::DAYS;
use crate::worked::worked;

/// Events of a page.
const PAGE: usize = 1_000;
/// How long each way reads before the next takes its turn.
const TURN: Duration = Duration::from_secs(3);

/// Reads the same page again and again: by pgbench, through gRPC, through the store. First all of it
/// on the same cores, then PostgreSQL on half of them and everybody else on the other.
pub(super) async fn pages(pulled: &Pulled<'_>, rounds: usize) -> Outcome<()> {
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
    let (script, bytes) = record(pulled, &request).await?;
    let page = Page {
        request,
        filter,
        script,
        bytes,
    };
    title("ListMappedEvents, pages of 1,000, beside the same SQL in pgbench");
    take_turns(pulled, &page, rounds).await?;
    title("The same, PostgreSQL on half of the cores, all others on the other half");
    divide(&pulled.copying.server)?;
    take_turns(pulled, &page, rounds).await
}

/// The page that is read, as each way asks for it.
struct Page {
    request: ListMappedEventsRequest,
    filter: EventFilter,
    script: Script,
    /// Of the answer.
    bytes: usize,
}

/// Has the server log the SQL of a page; the bytes of its answer beside it.
async fn record(
    pulled: &Pulled<'_>,
    request: &ListMappedEventsRequest,
) -> Outcome<(Script, usize)> {
    let server = &pulled.copying.server;
    let folder = pulled.folder.path();
    server.run(
        "postgres",
        &format!("ALTER DATABASE {DATABASE} SET log_min_duration_statement = 0"),
    )?;
    let (_logged, url) = pulled.program.serve(&server.url(DATABASE), folder).await?;
    let mut client = EventServiceClient::connect(url).await?;
    let answer = client.list_mapped_events(request.clone()).await?;
    let answer = answer.into_inner();
    assert_eq!(answer.events.len(), PAGE);
    server.run(
        "postgres",
        &format!("ALTER DATABASE {DATABASE} RESET log_min_duration_statement"),
    )?;
    let script = Script::of_last_page(&server.log(), folder)?;
    Ok((script, answer.encoded_len()))
}

async fn take_turns(pulled: &Pulled<'_>, page: &Page, rounds: usize) -> Outcome<()> {
    let server = &pulled.copying.server;
    let database = server.url(DATABASE);
    let store = open(&database, OpenOptions::default()).await?;
    let name = ConnectionName::new("bench", "shop");
    let record = store.connection(&name).await?.ok_or("nothing was pulled")?;
    let folder = pulled.folder.path();
    let (serving, url) = pulled.program.serve(&database, folder).await?;
    let serving = serving.id().ok_or("the server has ended")?;
    for connections in [1, 4] {
        let (mut by_pgbench, mut by_grpc, mut by_store) = (Vec::new(), Vec::new(), Vec::new());
        let mut times = Vec::new();
        for _ in 0..rounds {
            by_pgbench.push(page.script.run(server, DATABASE, connections, TURN)?);
            let before = worked(serving)?;
            let rate = through_grpc(&url, page, connections).await?;
            let pages = rate * TURN.as_secs_f64();
            times.push((worked(serving)? - before).as_secs_f64() * 1_000.0 / pages);
            by_grpc.push(rate);
            by_store.push(through_store(&store, record.serving, &page.filter, connections).await?);
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
        let time = median(&times).unwrap_or(0.0);
        line("the server's own time for a page", &format!("{time:.2} ms"));
        line("ratio of gRPC to pgbench", &ratios(&by_grpc, &by_pgbench));
        line(
            "ratio of the store to pgbench",
            &ratios(&by_store, &by_pgbench),
        );
    }
    Ok(())
}

async fn through_grpc(url: &str, page: &Page, at_once: usize) -> Outcome<f64> {
    let mut readers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..at_once {
        let mut caller = Caller::connect(url).await?;
        let (request, bytes) = (page.request.clone(), page.bytes);
        readers.spawn(async move {
            let mut pages = 0;
            while begun.elapsed() < TURN {
                assert_eq!(caller.page(&request).await?, bytes);
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
