//! An operator is killed around each write of a disconnect; the next one ends what it began.

use serde_json::json;
use test_kubernetes::Death;

use crate::support::{Connection, Site};

/// The Job's Secret, the Job, the merchant's Secret, the finalizer.
const WRITES: usize = 4;

#[tokio::test]
async fn a_disconnect_that_was_cut_short_before_any_write_is_ended_by_the_next_operator() {
    cut_short(Death::Before).await;
}

#[tokio::test]
async fn a_disconnect_that_was_cut_short_after_any_write_is_ended_by_the_next_operator() {
    cut_short(Death::After).await;
}

/// Has an operator die so at its first write, another at its second, and so on until none has a further
/// one.
async fn cut_short(death: fn(usize) -> Death) {
    let site = Site::new().await;
    for write in 1.. {
        if !dies(&site, death, write).await {
            assert!(write > WRITES, "no {write}. write: which is missing?");
            break;
        }
    }
}

/// Whether an operator died so at that write of a disconnect, which the next one has ended whole.
async fn dies(site: &Site, death: fn(usize) -> Death, write: usize) -> bool {
    let death = death(write);
    site.secret("posthog", json!({})).await;
    let (client, mortal) = site.server.mortal().unwrap();
    let operator = site.start_as(client);
    let name = format!("storefront-{write}");
    let connection = Connection::create(site, &name, "posthog", json!({})).await;
    let connection = connection.settled().await;
    let run = connection.run().await;

    mortal.dies(death);
    connection.delete().await;
    tokio::select! {
        () = mortal.died() => {}
        () = connection.gone() => {}
    }
    let died = mortal.writes() >= write;
    operator.kill().await;
    let operator = site.start();
    connection.gone().await;
    assert!(!connection.is_read().await, "{death:?}: it is still read");
    let copy = site.own_secrets().get_opt(&run).await.unwrap();
    assert!(
        copy.is_none(),
        "{death:?}: our copy of the key is still there"
    );
    let job = site.jobs().get_opt(&run).await.unwrap();
    assert!(
        job.is_none_or(|job| job.metadata.deletion_timestamp.is_some()),
        "{death:?}: the Job still runs"
    );
    assert_eq!(site.entries("posthog").await, None, "{death:?}");
    let told = connection.told("KeyForgotten").await;
    assert!(told.len() <= 1, "{death:?}: it was told twice: {told:?}");
    assert_eq!(connection.told("KeyRemains").await, [""; 0]);
    operator.stop().await;
    died
}
