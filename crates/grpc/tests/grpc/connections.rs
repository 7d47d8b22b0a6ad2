//! ConnectionService: what is told of a connection.

use domain::ConnectionName;
use domain::check::{CheckSummary, KeySummary, LatestEvent, OptionalScope, ProjectSummary};
use domain::plan::PlanStanding;
use domain::storage::{ConnectionFailure, DayVerdict, RunEnd, RunId, RunRecord, Verdict};
use domain::sync::{RunTotals, SyncMode, Window};
use grpc::proto::v1;
use grpc::proto::v1::plan_standing::Standing;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::shop::{self, SHOP, Server};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn run(number: u128, mode: SyncMode, end: Option<RunEnd>) -> RunRecord {
    RunRecord {
        id: RunId(Uuid::from_u128(number)),
        mode,
        window: Window {
            from: at(100),
            to: at(200),
        },
        started_at: at(200),
        way: None,
        ended_at: end.is_some().then(|| at(250)),
        end,
        totals: RunTotals {
            events_read: 10,
            events_stored: 7,
            duplicates: 3,
            late_events: 1,
            ..RunTotals::default()
        },
        slices: (1, 4),
        progress: 0.25,
    }
}

/// What a check found.
fn check() -> CheckSummary {
    CheckSummary {
        checked_at: at(1),
        host: None,
        project: ProjectSummary {
            id: 4242,
            name: "Shop".into(),
            time_zone: "Europe/Berlin".into(),
            event_retention_months: None,
        },
        key: KeySummary {
            masked_value: "phx_...abcd".into(),
            label: "ordinary".into(),
            scopes: vec!["query:read".into(), "project:write".into()],
            missing_scopes: vec![OptionalScope::CohortRead],
            too_broad: vec!["project:write".into()],
        },
        latest_event: Some(LatestEvent {
            name: "$pageview".into(),
            timestamp: at(2),
        }),
    }
}

async fn get(server: &Server, name: &str) -> v1::Connection {
    let request = v1::GetConnectionRequest {
        name: name.to_owned(),
    };
    let answer = server.connections().get_connection(request).await.unwrap();
    answer.into_inner().connection.unwrap()
}

#[tokio::test]
async fn a_connection_that_was_just_made_has_no_more_than_its_wishes() {
    let store = shop::store();
    {
        let mut state = store.state();
        let epoch = state.epochs.get_mut(&shop::rows()).unwrap();
        epoch.time_zone = None;
        epoch.mapping = None;
    }
    let connection = get(&Server::start(store).await, SHOP).await;
    assert_eq!(connection.name, SHOP);
    assert_eq!(connection.host, "https://eu.posthog.com");
    assert_eq!(connection.project_id, 4242);
    assert_eq!(connection.plan.unwrap().plan, "starter");
    assert_eq!(connection.time_zone, "");
    assert!(connection.mapping.is_none() && connection.check.is_none());
    assert!(connection.backfill.is_none() && connection.last_run.is_none());
    assert!(connection.failure.is_none() && !connection.serving_previous_project);
}

#[tokio::test]
async fn a_connection_tells_its_check_failure_runs_and_proof() {
    let store = shop::store();
    {
        let mut state = store.state();
        let record = state.connections.get_mut(&shop::name()).unwrap();
        record.check = Some(check());
        record.failure = Some(ConnectionFailure {
            reason: "Throttled".into(),
            message: "PostHog is busy.".into(),
            at: at(3),
        });
        let failed = RunEnd::Failed {
            reason: "Timeout".into(),
            message: "PostHog took too long.".into(),
        };
        state.runs = vec![
            run(1, SyncMode::Backfill, Some(RunEnd::Complete)),
            run(2, SyncMode::Refresh, Some(failed)),
            run(3, SyncMode::Refresh, None),
        ];
        state.verdicts = [
            ("2026-03-01", Verdict::Verified),
            ("2026-03-02", Verdict::Pending),
        ]
        .map(|(day, verdict)| DayVerdict {
            day: day.parse().unwrap(),
            remote: 12,
            local: 10,
            erased: 0,
            verdict,
            repulls: 0,
            counted_at: at(4),
        })
        .to_vec();
    }
    let connection = get(&Server::start(store).await, SHOP).await;
    let check = connection.check.unwrap();
    assert_eq!(check.masked_key, "phx_...abcd");
    assert_eq!(check.missing_scopes[0].scope, "cohort:read");
    assert_eq!(check.missing_scopes[0].loss, "cohorts are not shown");
    assert_eq!(check.too_broad_scopes, ["project:write"]);
    assert_eq!(check.latest_event.unwrap().event, "$pageview");
    assert_eq!(connection.failure.unwrap().reason, "Throttled");

    let backfill = connection.backfill.unwrap();
    assert!((backfill.percent - 100.0).abs() < f64::EPSILON);
    assert_eq!(backfill.events_stored, 7);
    assert!(backfill.complete_time.is_some());
    let last = connection.last_run.unwrap();
    assert_eq!(last.mode(), v1::sync_run::Mode::Refresh);
    assert_eq!(last.failure.unwrap().reason, "Timeout");
    assert_eq!(
        (last.events_read, last.duplicates, last.late_events),
        (10, 3, 1)
    );

    let proof = connection.completeness.unwrap();
    assert_eq!(
        (
            proof.verified_days,
            proof.pending_days,
            proof.mismatched_days
        ),
        (1, 1, 0)
    );
    let worst = proof.worst_day.unwrap();
    assert_eq!((worst.posthog_events, worst.stored_events), (12, 10));

    let mapping = connection.mapping.unwrap();
    assert_eq!(mapping.checkout_source(), v1::CheckoutSource::Auto);
    assert_eq!(mapping.stages.len(), 3);
    assert_eq!(mapping.stages[1].rules[0].event, "added");
    assert_eq!(
        mapping.stages[1].source(),
        v1::stage_mapping::Source::Override
    );
}

#[tokio::test]
async fn days_that_posthog_no_longer_has_are_not_told_as_missing_or_proven() {
    let store = shop::store();
    let now = Timestamp::now();
    let day = |ago: i64| {
        let then = now - SignedDuration::from_hours(24 * ago);
        domain::day::day_of(then, &TimeZone::UTC)
    };
    let verdict = |ago: i64, verdict: Verdict| DayVerdict {
        day: day(ago),
        remote: 12,
        local: 10,
        erased: 0,
        verdict,
        repulls: 2,
        counted_at: now,
    };
    {
        let mut state = store.state();
        let record = state.connections.get_mut(&shop::name()).unwrap();
        record.check = Some(CheckSummary {
            host: Some(record.desired.epoch.host.clone()),
            project: ProjectSummary {
                event_retention_months: Some(2),
                ..check().project
            },
            ..check()
        });
        state.verdicts = vec![
            verdict(400, Verdict::Verified),
            verdict(62, Verdict::Mismatch),
            verdict(40, Verdict::Verified),
        ];
    }
    let connection = get(&Server::start(store).await, SHOP).await;
    let proof = connection.completeness.unwrap();
    assert_eq!((proof.verified_days, proof.mismatched_days), (1, 0));
    assert_eq!(proof.worst_day, None);
}

#[tokio::test]
async fn a_backfill_under_way_tells_how_far_it_is() {
    let store = shop::store();
    store.state().runs = vec![run(1, SyncMode::Backfill, None)];
    let connection = get(&Server::start(store).await, SHOP).await;
    let backfill = connection.backfill.unwrap();
    assert!((backfill.percent - 25.0).abs() < f64::EPSILON);
    assert!(backfill.complete_time.is_none());
    assert!(connection.last_run.is_none());
}

#[tokio::test]
async fn a_connection_whose_plan_is_too_low_is_still_answered_with_the_reason() {
    let store = shop::store();
    let name = shop::name();
    store
        .state()
        .connections
        .get_mut(&name)
        .unwrap()
        .desired
        .plan = PlanStanding::Unknown {
        label: Some("gold".into()),
    };
    let plan = get(&Server::start(store).await, SHOP).await.plan.unwrap();
    assert_eq!(
        (plan.standing(), plan.plan.as_str()),
        (Standing::Unknown, "gold")
    );
}

#[tokio::test]
async fn connections_are_listed_by_name_of_one_namespace_or_all_in_pages() {
    let store = shop::store();
    for (namespace, name) in [
        ("acme", "b"),
        ("acme", "a"),
        ("zoo", "shop"),
        ("acme", "gone"),
    ] {
        let name = ConnectionName::new(namespace, name);
        let mut record = shop::record(name.clone());
        record.deleted_at = (name.name == "gone").then(|| at(0));
        store.state().connections.insert(name, record);
    }
    let server = Server::start(store).await;
    for (parent, wanted) in [
        (
            "namespaces/acme",
            vec!["acme/a", "acme/b", "acme/storefront"],
        ),
        (
            "namespaces/-",
            vec!["acme/a", "acme/b", "acme/storefront", "zoo/shop"],
        ),
        ("namespaces/nobody", vec![]),
    ] {
        let mut request = v1::ListConnectionsRequest {
            parent: parent.to_owned(),
            page_size: 2,
            ..Default::default()
        };
        let mut found = Vec::new();
        loop {
            let page = server.connections().list_connections(request.clone()).await;
            let page = page.unwrap().into_inner();
            found.extend(page.connections.into_iter().map(|it| it.name));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let wanted: Vec<String> = wanted
            .into_iter()
            .map(|name| format!("namespaces/{}", name.replace('/', "/connections/")))
            .collect();
        assert_eq!(found, wanted, "{parent}");
    }
}
