//! What a run reads for upkeep or an erasure looks for may take as long as a write, however little an answer may.

use std::time::Duration;

use domain::clickmap::ClickmapPolicy;
use domain::erasure::ErasedPerson;
use domain::storage::{ClickmapWriter, ConnectionStore, ErasureStore, EventReader, SyncStore};
use jiff::Timestamp;
use jiff::civil::date;
use uuid::Uuid;

use crate::testing::shop;

/// Has every read of events say when it is in a hurry.
const REFUSE_HURRY: [&str; 4] = [
    "CREATE FUNCTION has_time() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN
        IF current_setting('statement_timeout') <> '5min' THEN
            RAISE EXCEPTION 'within %', current_setting('statement_timeout');
        END IF;
        RETURN true;
     END $$",
    "ALTER TABLE events RENAME TO events_in_time",
    "CREATE VIEW events AS SELECT * FROM events_in_time WHERE has_time()",
    "INSERT INTO events_in_time (epoch, uuid, timestamp, created_at, change_seq, event, distinct_id)
     SELECT number, gen_random_uuid(), 1, 1, 1, '$autocapture', 'd' FROM epochs",
];

#[tokio::test]
async fn upkeep_reads_events_within_the_time_of_a_write() {
    let store = super::filled("upkeep", &[]).await;
    let now = Timestamp::UNIX_EPOCH;
    let id = store.put_connection(&shop(), now).await.unwrap().target;
    let minute = Duration::from_secs(60);
    let lease = store.acquire_lease(id, "test", minute).await.unwrap();
    for statement in REFUSE_HURRY {
        sqlx::query(statement)
            .execute(&store.writers)
            .await
            .unwrap();
    }
    let answer = store.count_events(id, now, Timestamp::MAX).await;
    assert!(answer.is_err(), "{answer:?}");

    store.set_time_zone(&lease, "Asia/Kathmandu").await.unwrap();
    let policy = ClickmapPolicy::default();
    let made = store.make_clickmaps(&lease, &policy).await.unwrap();
    assert!(made > 0);
    let (from, to) = (date(1970, 1, 1), date(1970, 1, 2));
    let counted = store.count_by_utc_day(id, from, to).await.unwrap();
    assert_eq!(counted, [(from, 1)]);
    let uuids = store.uuids_of_utc_day(id, from, Timestamp::MAX).await;
    assert_eq!(uuids.unwrap().len(), 1);
    let ids = store.distinct_ids_since(id, now, None, 9).await.unwrap();
    assert_eq!(ids, ["d"]);

    let person = ErasedPerson {
        persons: vec![Uuid::nil()],
        distinct_ids: Vec::new(),
    };
    assert!(store.belonging(id, &person).await.unwrap().is_nobody());
    let would = store.erasable(id, &person).await.unwrap();
    assert_eq!(store.begin_erasure(id, &person, now).await.unwrap(), would);
}
