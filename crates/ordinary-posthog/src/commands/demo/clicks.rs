//! What `demo` prints of clicks: the elements of the most clicked page, and a customer's trail.

use grpc::proto::v1::clickmap_service_client::ClickmapServiceClient;
use grpc::proto::v1::trail_service_client::TrailServiceClient;
use grpc::proto::v1::{
    EventOrder, FunnelStage, IdentityKey, ListClickmapElementsRequest, ListClickmapPagesRequest,
    ListCustomerTrailRequest, TrailEvent,
};
use indicatif::HumanCount;
use jiff::civil;

use super::report::{Answer, Asked, date, put};

/// How many elements are shown.
const ELEMENTS: i32 = 6;
/// How many steps of a trail are shown.
const STEPS: i32 = 12;

impl Asked {
    /// The elements of the page with most clicks.
    pub(super) async fn write_clickmap(
        &self,
        text: &mut String,
        start: civil::Date,
        end: civil::Date,
    ) -> Answer<()> {
        let mut client = ClickmapServiceClient::new(self.channel.clone());
        let request = ListClickmapPagesRequest {
            parent: self.parent.clone(),
            start_date: Some(date(start)),
            end_date: Some(date(end)),
            page_size: 1,
            ..Default::default()
        };
        let pages = client.list_clickmap_pages(request).await?.into_inner();
        let Some(page) = pages.clickmap_pages.into_iter().next() else {
            return Ok(());
        };
        let request = ListClickmapElementsRequest {
            parent: self.parent.clone(),
            page: page.page.clone(),
            start_date: Some(date(start)),
            end_date: Some(date(end)),
            page_size: ELEMENTS,
            ..Default::default()
        };
        let answer = client.list_clickmap_elements(request).await?.into_inner();
        put(
            text,
            &format!(
                "\nClickmap of {}: {} clicks, of them {} rage and {} dead\n",
                page.page,
                HumanCount(page.click_count),
                HumanCount(page.rage_click_count),
                HumanCount(page.dead_click_count)
            ),
        );
        for element in answer.clickmap_elements {
            put(
                text,
                &format!(
                    "  {:>6.1} %{:>9} clicks  {:<22} {}\n",
                    element.click_share * 100.0,
                    HumanCount(element.click_count).to_string(),
                    element.text.unwrap_or_default(),
                    element.selector
                ),
            );
        }
        Ok(())
    }

    /// The latest steps of a customer, on whatever device.
    pub(super) async fn write_trail(&self, text: &mut String, key: IdentityKey) -> Answer<()> {
        let request = ListCustomerTrailRequest {
            parent: self.parent.clone(),
            key: Some(key),
            order: EventOrder::NewestFirst.into(),
            page_size: STEPS,
            ..Default::default()
        };
        let mut client = TrailServiceClient::new(self.channel.clone());
        let trail = client.list_customer_trail(request).await?.into_inner();
        put(
            text,
            &format!(
                "\nLatest steps of customer {}, over {} distinct id(s)\n",
                trail.customer_ids.join(", "),
                trail.distinct_ids.len()
            ),
        );
        for step in trail.trail_events {
            put(text, &format!("  {}\n", line(&step)));
        }
        Ok(())
    }
}

fn line(step: &TrailEvent) -> String {
    let at = step
        .timestamp
        .and_then(|at| jiff::Timestamp::from_second(at.seconds).ok())
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default();
    let stage = match step.stage() {
        FunnelStage::Unspecified => "",
        FunnelStage::ProductViewed => "product viewed",
        FunnelStage::AddedToCart => "added to cart",
        FunnelStage::CheckoutStarted => "checkout started",
        FunnelStage::OrderCompleted => "order completed",
    };
    let what = step.element.as_ref().map_or_else(
        || step.path.clone().unwrap_or_default(),
        |element| element.text.clone().unwrap_or(element.selector.clone()),
    );
    format!("{at}  {:<24} {stage:<17} {what}", step.event)
        .trim_end()
        .to_owned()
}
