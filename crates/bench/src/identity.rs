//! The identity graph in PostgreSQL: every mapping of a large project taken in, a refresh that finds a
//! few moved, and a thousand ids resolved in one call, from the store and from memory. Builds no program:
//! the servers run in here, and are asked over a socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::identity::{IdProperty, IdPropertyKind};
use domain::storage::{Lease, PersonMapping, ReadRange, Store};
use grpc::proto::v1::identity_key::Key;
use grpc::proto::v1::identity_service_client::IdentityServiceClient;
use grpc::proto::v1::{
    IdentityKey, ListIdentityConflictsRequest, ResolveIdentitiesRequest, ResolvedIdentity,
};
use grpc::{GrpcMetrics, ServeConfig, Settings};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use rand::RngExt;
use store::{OpenOptions, open};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::Outcome;
use crate::copy::Copying;
use crate::desired::desired;
use crate::figures::{line, median, title};

/// Distinct ids of one person, but for a rest.
const IDS_OF_A_PERSON: usize = 10;
const PERSONS_OF_TEN_IDS: usize = 3;
/// Mappings that the client reads at once.
const PAGE: usize = 50_000;
/// Mappings that a refresh finds moved.
const MOVED: usize = 1_000;
/// How often a thousand ids are resolved, other ones each time.
const TIMES: usize = 201;
/// How often a page of conflicts is asked for.
const CONFLICT_TIMES: usize = 21;
/// One of so many persons is two customers.
const PERSONS_OF_A_CONFLICT: usize = 2_000;
const DATABASE: &str = "identity";

/// Who has which id: a number for each distinct id, three persons for ten ids, and a customer id for
/// every other person.
#[derive(Clone, Copy)]
struct Crowd {
    ids: usize,
}

impl Crowd {
    fn persons(self) -> usize {
        self.ids / IDS_OF_A_PERSON * PERSONS_OF_TEN_IDS
    }

    /// A distinct id as PostHog's browser library makes them, in order of its number.
    fn distinct_id(number: usize) -> String {
        Uuid::from_u128((0x0191_e1c0 << 96) | ((number as u128) << 64) | 0x7000_8000).to_string()
    }

    fn person(self, of: usize) -> Uuid {
        let person = (of % self.persons()) as u128;
        // In whose order nothing can be read.
        Uuid::from_u128(person.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    /// All mappings in order, the first of them moved to the next person.
    fn mappings(self, moved: usize) -> impl Iterator<Item = PersonMapping> {
        (0..self.ids).map(move |number| PersonMapping {
            distinct_id: Self::distinct_id(number),
            person_id: self.person(number + usize::from(number < moved)),
        })
    }
}

/// Measures a graph of that many distinct ids.
pub(crate) async fn identity(ids: usize) -> Outcome<()> {
    let crowd = Crowd { ids };
    title(&format!(
        "{ids} distinct ids of {} persons in PostgreSQL",
        crowd.persons()
    ));
    let copying = Copying::start().await?;
    let url = copying.database(DATABASE)?;
    let store = open(&url, OpenOptions::default()).await?;
    let record = store
        .put_connection(&desired(customers())?, Timestamp::UNIX_EPOCH)
        .await?;
    let minute = Duration::from_secs(60);
    let lease = store.acquire_lease(record.target, "bench", minute).await?;

    let (begun, written) = observe(&*store, &lease, crowd, 0).await?;
    line("taken in", &format!("{:.2} s", begun.as_secs_f64()));
    line("links written", &written.to_string());
    copying.server.run(DATABASE, "VACUUM ANALYZE")?;
    let (again, written) = observe(&*store, &lease, crowd, 0).await?;
    line(
        "read again unchanged",
        &format!("{:.2} s", again.as_secs_f64()),
    );
    line("links written", &written.to_string());
    let before = rows_written(&copying)?;
    let (moved, written) = observe(&*store, &lease, crowd, MOVED).await?;
    line(
        &format!("read again, {MOVED} moved"),
        &format!("{:.2} s", moved.as_secs_f64()),
    );
    line("ids whose link changed", &written.to_string());
    let rows = rows_written(&copying)? - before;
    line("rows written, two links for each id", &rows.to_string());

    carry(&copying, crowd)?;
    let begun = Instant::now();
    store.find_conflicts(&lease).await?;
    line(
        "conflicts looked for among all links",
        &format!("{:.2} s", begun.elapsed().as_secs_f64()),
    );
    let mut plain = Server::start(Arc::clone(&store), 0).await?;
    let mut memory = Server::start(store, Settings::default().identity_memory).await?;
    let times = resolve(&mut plain.client, crowd, TIMES).await?;
    report("1,000 ids resolved from the store", &times);
    let begun = Instant::now();
    while memory.counted(r#"ordinary_posthog_identities_resolved_total{from="memory"}"#)? == 0 {
        resolve(&mut memory.client, crowd, 1).await?;
    }
    line(
        "read into memory, beside calls",
        &format!("{:.2} s", begun.elapsed().as_secs_f64()),
    );
    let bytes = memory.counted("ordinary_posthog_identity_graph_bytes")?;
    line(
        "memory of the graph",
        &format!("{:.0} MiB", bytes as f64 / 1024.0 / 1024.0),
    );
    let before = [memory.handled("0.01")?, memory.handled("+Inf")?];
    let times = resolve(&mut memory.client, crowd, TIMES).await?;
    report("1,000 ids resolved from memory", &times);
    let within = memory.handled("0.01")? - before[0];
    let all = memory.handled("+Inf")? - before[1];
    line(
        "of these the server has handled within 10 ms",
        &format!("{:.0} %", within as f64 / all as f64 * 100.0),
    );
    conflicts(&mut plain.client).await
}

/// Takes in all mappings as the daily read does. Returns how long it took, without making them up, and
/// how many links changed.
async fn observe(
    store: &dyn Store,
    lease: &Lease,
    crowd: Crowd,
    moved: usize,
) -> Outcome<(Duration, u64)> {
    let mut mappings = crowd.mappings(moved);
    let (mut time, mut written) = (Duration::ZERO, 0);
    let mut after = None;
    loop {
        let page: Vec<PersonMapping> = mappings.by_ref().take(PAGE).collect();
        let is_last = page.len() < PAGE;
        let through = page.last().map(|last| last.distinct_id.clone());
        let range = ReadRange::Span {
            after: after.take(),
            through: through.clone().filter(|_| !is_last),
        };
        let begun = Instant::now();
        written += store
            .observe_persons(lease, &page, &range, Timestamp::now())
            .await?;
        time += begun.elapsed();
        if is_last {
            return Ok((time, written));
        }
        after = through;
    }
}

/// Rows of links that the server has inserted, updated and removed.
fn rows_written(copying: &Copying) -> Outcome<i64> {
    // Sessions report what they did once they are idle for a second.
    std::thread::sleep(Duration::from_secs(2));
    let counted = copying.server.run(
        DATABASE,
        "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
         WHERE relname = 'person_links'",
    )?;
    Ok(counted.trim().parse()?)
}

/// Lets the first id of every other person carry a customer id, and ask for a merge with the person's
/// next id, as a login does. The next id of few carries another customer id: a conflict, unless the first
/// id is one of those that moved.
fn carry(copying: &Copying, crowd: Crowd) -> Outcome<()> {
    let persons = crowd.persons();
    for (property, value) in [
        ("'customer_id'", "(7000000000000 + number)::text"),
        ("E'\\x01$identify'", "other"),
    ] {
        copying.server.run(
            DATABASE,
            &format!(
                "INSERT INTO identity_facts (epoch, distinct_id, property, value, events, first_seen, last_seen)
                 SELECT epoch, distinct_id, {property}, {value}, 3, 1, 2 FROM (
                    SELECT epoch, distinct_id, link - 1 AS number,
                        lead(distinct_id, {persons}) OVER (ORDER BY link) AS other
                    FROM person_links WHERE link <= {}
                 ) AS ids WHERE number < {persons} AND number % 2 = 0",
                crowd.ids
            ),
        )?;
    }
    copying.server.run(
        DATABASE,
        &format!(
            "INSERT INTO identity_facts (epoch, distinct_id, property, value, events, first_seen, last_seen)
             SELECT epoch, value, 'customer_id', 'another ' || value, 3, 1, 2
             FROM identity_facts WHERE property = E'\\x01$identify'
             ORDER BY value DESC LIMIT {}",
            persons / PERSONS_OF_A_CONFLICT
        ),
    )?;
    copying.server.run(DATABASE, "VACUUM ANALYZE")?;
    Ok(())
}

/// A server on the store, and who asks it.
struct Server {
    client: IdentityServiceClient<Channel>,
    registry: Registry,
}

impl Server {
    async fn start(store: Arc<dyn Store>, identity_memory: usize) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut registry = Registry::default();
        tokio::spawn(grpc::serve(ServeConfig {
            listener,
            tls: None,
            shutdown: CancellationToken::new(),
            store,
            metrics: Some(GrpcMetrics::register(&mut registry)),
            settings: Settings {
                identity_memory,
                ..Settings::default()
            },
        }));
        let channel = Channel::from_shared(format!("http://{address}"))?;
        Ok(Self {
            client: IdentityServiceClient::new(channel.connect().await?),
            registry,
        })
    }

    /// How many calls to resolve ids it has handled in so many seconds.
    fn handled(&self, seconds: &str) -> Outcome<u64> {
        let service = "ordinary.posthog.v1.IdentityService";
        self.counted(&format!(
            "grpc_server_handling_seconds_bucket{{le=\"{seconds}\",grpc_type=\"unary\",grpc_service=\"{service}\",grpc_method=\"ResolveIdentities\"}}"
        ))
    }

    /// The number of a series.
    fn counted(&self, series: &str) -> Outcome<u64> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        let name = format!("{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        Ok(line.ok_or("the server has no such series")?.parse()?)
    }
}

/// Asks for a thousand ids so many times, other ones each time. Returns the milliseconds of each.
async fn resolve(
    client: &mut IdentityServiceClient<Channel>,
    crowd: Crowd,
    times: usize,
) -> Outcome<Vec<f64>> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let request = ResolveIdentitiesRequest {
            parent: "namespaces/bench/connections/shop".to_owned(),
            keys: (0..1_000).map(|nth| key(crowd, nth)).collect(),
        };
        let begun = Instant::now();
        let answer = client.resolve_identities(request).await?.into_inner();
        let identities = ResolvedIdentity::unpack(answer.identities)?;
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        let with_persons = identities.iter();
        let with_persons = with_persons.filter(|identity| !identity.person_ids.is_empty());
        if with_persons.count() < 900 {
            return Err("most ids have a person, and no person was found for many".into());
        }
    }
    Ok(taken)
}

fn report(what: &str, milliseconds: &[f64]) {
    let median = median(milliseconds).unwrap_or(0.0);
    line(
        &format!("{what}, at the median"),
        &format!("{median:.2} ms"),
    );
}

/// The first page of conflicts, again and again.
async fn conflicts(client: &mut IdentityServiceClient<Channel>) -> Outcome<()> {
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..CONFLICT_TIMES {
        let request = ListIdentityConflictsRequest {
            parent: "namespaces/bench/connections/shop".to_owned(),
            page_size: 100,
            page_token: String::new(),
        };
        let begun = Instant::now();
        let answer = client.list_identity_conflicts(request).await?.into_inner();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        found = answer.identities.len();
    }
    line(
        &format!("a page of {found} conflicts through gRPC, at the median"),
        &format!("{:.2} ms", median(&times).unwrap_or(0.0)),
    );
    Ok(())
}

/// Anybody: half are distinct ids, the others persons and customers.
fn key(crowd: Crowd, nth: usize) -> IdentityKey {
    let number = rand::rng().random_range(0..crowd.ids);
    let key = match nth % 4 {
        0 | 1 => Key::DistinctId(Crowd::distinct_id(number)),
        2 => Key::PersonId(crowd.person(number).to_string()),
        _ => Key::CustomerId((7_000_000_000_000 + number % crowd.persons() / 2 * 2).to_string()),
    };
    IdentityKey { key: Some(key) }
}

fn customers() -> Vec<IdProperty> {
    vec![IdProperty {
        kind: IdPropertyKind::Customer,
        property: "customer_id".to_owned(),
    }]
}
