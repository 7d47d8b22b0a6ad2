//! Files that change while `up` runs.

use grpc::proto::v1;
use tonic::Code;

use crate::support::api::{Api, reason};
use crate::support::documents::{CONNECTION, Document, KEY};
use crate::support::home::Home;
use crate::support::program::Running;
use crate::support::shop::{self, ADDED_TO_CART, CHECKOUTS, PRODUCT_VIEWS, SIGN_UPS};

/// `newsletter signup` in place of what is recognised.
const SIGN_UPS_AS_CART: &str = "mapping: {addedToCart: {events: [{name: newsletter signup}]}}";

/// Waits until the funnel shows so many events added to the cart.
async fn added_to_cart(api: &mut Api, up: &mut Running, wanted: u64) {
    up.until("the new mapping is in force", async || {
        (api.stage_totals().await[1] == Some(wanted)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_mapping_is_applied_to_what_is_stored_without_pulling_it_again() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = Document::of(&stub);
    let file = home.write("connection.yaml", document.yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;
    let page = v1::ListMappedEventsRequest {
        parent: CONNECTION.to_owned(),
        page_size: 5,
        ..Default::default()
    };
    let first = api.events.list_mapped_events(page.clone()).await.unwrap();
    let page_token = first.into_inner().next_page_token;
    stub.clear_requests();

    home.write(
        "connection.yaml",
        document.clone().spec(SIGN_UPS_AS_CART).yaml(),
    );
    added_to_cart(&mut api, &mut up, SIGN_UPS).await;
    assert_eq!(
        api.stage_totals().await,
        [Some(PRODUCT_VIEWS), Some(SIGN_UPS), Some(CHECKOUTS), None]
    );

    // A page of one mapping is never continued under another.
    let next = v1::ListMappedEventsRequest { page_token, ..page };
    let refused = api.events.list_mapped_events(next).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "TOKEN_STALE");

    home.write("connection.yaml", document.yaml());
    added_to_cart(&mut api, &mut up, ADDED_TO_CART).await;
    let pulled: usize = stub
        .requests()
        .iter()
        .filter(|request| request.name.as_deref() == Some("ordinary_posthog_page"))
        .map(|request| request.rows)
        .sum();
    assert!(
        (pulled as u64) < ADDED_TO_CART,
        "{pulled} events were pulled again"
    );
    up.interrupt();
    up.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_read_any_more_leave_everything_as_it_was() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = Document::of(&stub);
    let file = home.write("connection.yaml", document.yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    api.synced(&mut up).await;

    home.write(
        "connection.yaml",
        document.clone().project("my-shop").yaml(),
    );
    up.until_it_logs("spec.projectId").await;
    assert_eq!(api.stage_totals().await[0], Some(PRODUCT_VIEWS));

    home.write("connection.yaml", document.spec(SIGN_UPS_AS_CART).yaml());
    added_to_cart(&mut api, &mut up, SIGN_UPS).await;
    up.interrupt();
    up.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_removed_is_disconnected_and_an_added_one_is_pulled() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let (storefront, other) = (Document::of(&stub), Document::of(&stub).name("other"));
    let file = home.write("connections.yaml", other.yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;

    home.write(
        "connections.yaml",
        format!("{}\n---\n{}", other.yaml(), storefront.yaml()),
    );
    api.synced(&mut up).await;
    assert_eq!(api.stage_totals().await[0], Some(PRODUCT_VIEWS));

    home.write("connections.yaml", other.yaml());
    let refused = up
        .until("reads stop", async || api.funnel().await.err())
        .await;
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "CONNECTION_NOT_FOUND")
    );

    home.write(
        "connections.yaml",
        format!("{}\n---\n{}", other.yaml(), storefront.yaml()),
    );
    let totals = up.until("it is back", async || match api.funnel().await {
        Ok(_) => Some(api.stage_totals().await),
        Err(_) => None,
    });
    assert_eq!(totals.await[0], Some(PRODUCT_VIEWS), "its rows were kept");
    up.interrupt();
    up.ended().await.with_code(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_put_right_is_taken_up_at_once() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let document = Document::of(&stub).without_secret();
    let document = document.annotations("{posthog.ordinary.dev/api-key-file: key.txt}");
    home.write("key.txt", "phx_SeCrEtPaRt_of_nobody");
    let file = home.write("connection.yaml", document.yaml());
    let (program, at) = home.up(&file);
    let mut up = program.start();
    let mut api = Api::of(&mut up, at.grpc).await;
    let failed = api
        .connection_where(&mut up, "the key is refused", |it| it.failure.is_some())
        .await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.reason, "InvalidApiKey");
    assert!(
        failure.message.contains("create a new personal API key"),
        "{failure:?}"
    );

    home.write("key.txt", KEY);
    let connection = api.synced(&mut up).await;
    assert_eq!(connection.failure, None);
    up.interrupt();
    up.ended().await.with_code(0);
}
