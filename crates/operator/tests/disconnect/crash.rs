//! An operator is killed between any two writes of a disconnect; the next one ends what it began.

use serde_json::json;

use test_kubernetes::Death;

use crate::support::{Connection, Site};

/// The Job's Secret, the Job, the merchant's Secret, the finalizer.
const WRITES: usize = 4;

#[tokio::test]
async fn a_disconnect_that_was_cut_short_after_any_write_is_ended_by_the_next_operator() {
    let site = Site::new().await;
    let mut survived = 0;
    for writes in 0.. {
        let name = format!("storefront-{writes}");
        site.secret("posthog", json!({})).await;
        let (client, mortal) = site.server.mortal().unwrap();
        let operator = site.start_as(client);
        let connection = Connection::create(&site, &name, "posthog", json!({})).await;
        let connection = connection.settled().await;
        let run = connection.run().await;

        mortal.dies(Death::Before(writes + 1));
        connection.delete().await;
        tokio::select! {
            () = mortal.died() => {}
            () = connection.gone() => survived += 1,
        }
        operator.kill().await;
        let operator = site.start();
        connection.gone().await;
        assert!(
            !connection.is_read().await,
            "after {writes} writes it is still read"
        );
        let copy = site.own_secrets().get_opt(&run).await.unwrap();
        assert!(
            copy.is_none(),
            "after {writes} writes our copy of the key is still there"
        );
        let job = site.jobs().get_opt(&run).await.unwrap();
        assert!(
            job.is_none_or(|job| job.metadata.deletion_timestamp.is_some()),
            "after {writes} writes the Job still runs"
        );
        assert_eq!(site.entries("posthog").await, None, "after {writes} writes");
        let told = connection.told("KeyForgotten").await;
        assert!(
            told.len() <= 1,
            "after {writes} writes it was told twice: {told:?}"
        );
        assert_eq!(connection.told("KeyRemains").await, [""; 0]);
        operator.stop().await;
        if survived > 0 {
            assert!(
                writes >= WRITES,
                "{writes} writes were enough: which is missing?"
            );
            break;
        }
    }
}
