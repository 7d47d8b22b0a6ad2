//! ClickmapService: pages and elements by their clicks.

use std::sync::Arc;

use domain::clickmap::ClickmapPolicy;
use domain::storage::EventRow;
use grpc::proto::v1;
use grpc::proto::v1::clickmap_element::SelectorBasis;
use proptest::prelude::*;
use tonic::Code;

use crate::memory::Memory;
use crate::shop::{self, SHOP, Server, event, reason};

const BUY: &str = r#"button:attr_id="buy"nth-child="1"nth-of-type="1"text="Buy now""#;
const LINK: &str = r#"a:attr__href="/cart"href="/cart?key=1"nth-child="2"nth-of-type="1"text="ada@shop.example";body:nth-child="2"nth-of-type="1""#;

fn date(year: i32, month: i32, day: i32) -> Option<v1::Date> {
    Some(v1::Date { year, month, day })
}

fn pages() -> v1::ListClickmapPagesRequest {
    v1::ListClickmapPagesRequest {
        parent: SHOP.to_owned(),
        start_date: date(2026, 3, 1),
        end_date: date(2026, 3, 3),
        ..Default::default()
    }
}

fn elements(page: &str) -> v1::ListClickmapElementsRequest {
    v1::ListClickmapElementsRequest {
        parent: SHOP.to_owned(),
        page: page.to_owned(),
        start_date: date(2026, 3, 1),
        end_date: date(2026, 3, 3),
        ..Default::default()
    }
}

fn click(number: u128, name: &str, second: i64, path: &str, chain: &str) -> EventRow {
    let mut row = event(number, name, second);
    row.event.path = Some(path.to_owned());
    row.event.elements_chain = Some(chain.to_owned());
    row.event.event_type = Some("click".to_owned());
    row.event.device_type = Some(if number < 3 { "Mobile" } else { "Desktop" }.to_owned());
    row
}

/// Four clicks on two elements of product pages, one on the cart, and one on nobody knows what.
fn store() -> Arc<Memory> {
    let store = shop::store();
    for row in [
        click(1, "$autocapture", 0, "/products/a", BUY),
        click(2, "$autocapture", 10, "/fr/products/b", BUY),
        click(3, "$dead_click", 90_000, "/products/a", BUY),
        click(4, "$autocapture", 20, "/products/a", LINK),
        click(5, "$autocapture", 30, "/cart", BUY),
        click(6, "$autocapture", 40, "/products/a", "a:broken"),
    ] {
        store.state().put(shop::rows(), row);
    }
    store
}

#[tokio::test]
async fn pages_come_by_their_clicks() {
    let server = Server::start(store()).await;
    let mut request = pages();
    request.page_size = 1;
    let first = server
        .clickmaps()
        .list_clickmap_pages(request.clone())
        .await;
    let first = first.unwrap().into_inner();
    assert_eq!(
        first.clickmap_pages,
        [v1::ClickmapPage {
            page: "/products/*".to_owned(),
            click_count: 4,
            rage_click_count: 0,
            dead_click_count: 1,
            unparsed_event_count: 1,
        }]
    );
    assert_eq!(first.time_zone, "UTC");
    request.page_token = first.next_page_token;
    let second = server.clickmaps().list_clickmap_pages(request).await;
    let second = second.unwrap().into_inner();
    assert_eq!(second.clickmap_pages[0].page, "/cart");
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn a_pages_elements_come_by_their_clicks_with_share_and_selector() {
    let server = Server::start(store()).await;
    for asked in ["/products/*", "/products/red-shirt", "/en-ca/products/a/"] {
        let mut request = elements(asked);
        request.page_size = 1;
        let first = server
            .clickmaps()
            .list_clickmap_elements(request.clone())
            .await;
        let first = first.unwrap().into_inner();
        assert_eq!(first.clickmap_page.unwrap().click_count, 4);
        let [buy] = &first.clickmap_elements[..] else {
            panic!("one element");
        };
        assert_eq!(buy.selector, r#"[id="buy"]"#);
        assert_eq!(buy.selector_basis(), SelectorBasis::Id);
        assert_eq!(
            (buy.tag.as_deref(), buy.text.as_deref()),
            (Some("button"), Some("Buy now"))
        );
        assert_eq!((buy.click_count, buy.dead_click_count), (3, 1));
        assert!((buy.click_share - 0.75).abs() < 1e-9);
        request.page_token = first.next_page_token;
        let second = server.clickmaps().list_clickmap_elements(request).await;
        let second = second.unwrap().into_inner();
        let link = &second.clickmap_elements[0];
        assert_eq!(link.text.as_deref(), Some("[email]"));
        assert_eq!(link.href.as_deref(), Some("/cart"));
        assert_eq!(second.next_page_token, "");
    }
}

/// A page's elements are asked for by each name that is listed.
async fn every_listed_page_has_its_clicks(paths: &[&str]) -> Vec<String> {
    let store = shop::store();
    for (number, path) in (1..).zip(paths) {
        let row = click(number, "$autocapture", 0, path, BUY);
        store.state().put(shop::rows(), row);
    }
    let server = Server::start(store).await;
    let listed = server.clickmaps().list_clickmap_pages(pages()).await;
    let mut names = Vec::new();
    for page in listed.unwrap().into_inner().clickmap_pages {
        let asked = elements(&page.page);
        let found = server.clickmaps().list_clickmap_elements(asked).await;
        let found = found.unwrap().into_inner();
        assert_eq!(found.clickmap_page.as_ref(), Some(&page));
        assert_eq!(found.clickmap_elements.len(), 1, "{page:?}");
        names.push(page.page);
    }
    names.sort();
    names
}

#[tokio::test]
async fn a_page_is_found_by_the_name_under_which_it_is_listed() {
    for (path, name) in [
        ("/pages/what%3F", "/pages/what?"),
        ("/pages/%231-hit", "/pages/#1-hit"),
        ("/us/en/cart", "/en/cart"),
        ("/a%2541", "/a%41"),
        ("/us/en/collections/a", "/en/collections/a"),
        ("/a%00", "/a\u{fffd}"),
    ] {
        let names = every_listed_page_has_its_clicks(&[path]).await;
        assert_eq!(names, [name]);
    }
    // Each beside the page as whose path its name can be read.
    let beside = [
        "/us/en/cart",
        "/cart",
        "/a%2541",
        "/",
        "/pages/x%3F",
        "/pages/x",
    ];
    let names = every_listed_page_has_its_clicks(&beside).await;
    let all = ["/", "/a%41", "/cart", "/en/cart", "/pages/x", "/pages/x?"];
    assert_eq!(names, all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_listed_page_is_found(
        paths in prop::collection::vec("(/(%25|%3[fF]|%23|%2[fF]|%41|%00|fr|products|[a-cA é@?#]){0,4}){0,4}", 1..20),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        runtime.block_on(every_listed_page_has_its_clicks(&paths));
    }
}

#[tokio::test]
async fn a_token_of_elements_is_stale_once_another_page_has_the_asked_name() {
    let store = shop::store();
    let put = |number, path, chain| {
        let row = click(number, "$autocapture", 0, path, chain);
        store.state().put(shop::rows(), row);
    };
    put(1, "/cart", BUY);
    put(2, "/cart", LINK);
    let server = Server::start(Arc::clone(&store)).await;
    let mut request = elements("/en/cart");
    request.page_size = 1;
    let first = server
        .clickmaps()
        .list_clickmap_elements(request.clone())
        .await;
    let first = first.unwrap().into_inner();
    assert_eq!(first.clickmap_page.unwrap().page, "/cart");
    request.page_token = first.next_page_token;
    // Its clicks come to the same.
    put(3, "/us/en/cart", BUY);
    put(4, "/us/en/cart", LINK);
    let refused = server.clickmaps().list_clickmap_elements(request).await;
    assert_eq!(reason(&refused.unwrap_err()), "TOKEN_STALE");
}

#[tokio::test]
async fn days_and_devices_narrow_what_is_counted() {
    let server = Server::start(store()).await;
    let mut request = elements("/products/*");
    request.end_date = date(2026, 3, 2);
    request.device_types = vec![v1::DeviceType::Desktop.into()];
    let answer = server.clickmaps().list_clickmap_elements(request).await;
    let answer = answer.unwrap().into_inner();
    let page = answer.clickmap_page.unwrap();
    assert_eq!((page.click_count, page.unparsed_event_count), (1, 1));
    assert_eq!(answer.clickmap_elements.len(), 1);
}

#[tokio::test]
async fn a_page_that_nobody_clicked_has_no_clicks() {
    let server = Server::start(store()).await;
    let answer = server
        .clickmaps()
        .list_clickmap_elements(elements("/pages/about"))
        .await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.clickmap_page.unwrap().page, "/pages/about");
    assert!(answer.clickmap_elements.is_empty());
}

#[tokio::test]
async fn a_token_of_elements_is_stale_once_their_page_is_counted_anew() {
    let store = store();
    let server = Server::start(Arc::clone(&store)).await;
    let mut request = elements("/products/*");
    request.page_size = 1;
    let first = server
        .clickmaps()
        .list_clickmap_elements(request.clone())
        .await;
    request.page_token = first.unwrap().into_inner().next_page_token;
    let late = click(7, "$autocapture", 50, "/products/a", LINK);
    store.state().put(shop::rows(), late);
    let refused = server.clickmaps().list_clickmap_elements(request).await;
    assert_eq!(reason(&refused.unwrap_err()), "TOKEN_STALE");
}

#[tokio::test]
async fn a_request_that_cannot_be_used_is_refused_by_its_field() {
    let server = Server::start(store()).await;
    let mut no_device = elements("/");
    no_device.device_types = vec![9];
    let mut no_size = elements("/");
    no_size.page_size = -1;
    for (request, field) in [
        (elements(""), "page "),
        (elements("products"), "page "),
        (no_device, "device_types[0] "),
        (no_size, "page_size "),
    ] {
        let refused = server.clickmaps().list_clickmap_elements(request).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(
            refused.message().starts_with(field),
            "{}",
            refused.message()
        );
    }
}

#[tokio::test]
async fn clickmaps_that_are_off_or_not_made_yet_are_not_answered() {
    let store = store();
    let server = Server::start(Arc::clone(&store)).await;
    store
        .state()
        .epochs
        .get_mut(&shop::rows())
        .unwrap()
        .clickmap_rules = None;
    let refused = server.clickmaps().list_clickmap_pages(pages()).await;
    assert_eq!(reason(&refused.unwrap_err()), "CLICKMAPS_NOT_MADE");
    store
        .state()
        .connections
        .get_mut(&shop::name())
        .unwrap()
        .desired
        .clickmaps = ClickmapPolicy::Off;
    let refused = server
        .clickmaps()
        .list_clickmap_elements(elements("/"))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(reason(&refused), "CLICKMAPS_OFF");
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
