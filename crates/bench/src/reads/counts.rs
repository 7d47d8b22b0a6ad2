//! Daily counts of 30 days, of the shop and of one ten times as large.

use std::time::Instant;

use grpc::proto::v1::event_service_client::EventServiceClient;
use grpc::proto::v1::{Date, ListDailyEventCountsRequest};
use jiff::ToSpan;

use super::{DATABASE, PARENT, Pulled};
use crate::Outcome;
use crate::figures::{line, median, title};
use crate::grown::grow;
use crate::shop::DAYS;

/// The database with ten times the events.
const LARGE: &str = "large";
/// How often each is asked.
const TIMES: usize = 501;

/// Asks both in turn.
pub(super) async fn counts(pulled: &Pulled<'_>) -> Outcome<()> {
    title("ListDailyEventCounts of 30 days, through gRPC");
    let (server, shop) = (&pulled.copying.server, pulled.shop);
    grow(server, DATABASE, LARGE)?;
    let folder = pulled.folder.path();
    let (_small, small) = pulled.program.serve(&server.url(DATABASE), folder).await?;
    let (_large, large) = pulled.program.serve(&server.url(LARGE), folder).await?;
    let mut small = EventServiceClient::connect(small).await?;
    let mut large = EventServiceClient::connect(large).await?;
    let end = shop.date(DAYS);
    let request = ListDailyEventCountsRequest {
        parent: PARENT.to_owned(),
        start_date: Some(date(end.checked_sub(30.days())?)),
        end_date: Some(date(end)),
        page_size: 1_000,
        ..Default::default()
    };
    let mut times = [Vec::new(), Vec::new()];
    let mut counted = [0, 0];
    for _ in 0..TIMES {
        for (at, client) in [&mut small, &mut large].into_iter().enumerate() {
            let begun = Instant::now();
            let answer = client.list_daily_event_counts(request.clone()).await?;
            times[at].push(begun.elapsed().as_secs_f64() * 1000.0);
            let counts = answer.into_inner().daily_event_counts;
            counted[at] = counts.iter().map(|count| count.event_count).sum();
        }
    }
    let medians = times.map(|times| median(&times).unwrap_or(0.0));
    for (events, median) in counted.iter().zip(medians) {
        line(
            &format!("{events} events, at the median"),
            &format!("{median:.2} ms"),
        );
    }
    line("ratio", &format!("{:.2}", medians[1] / medians[0]));
    Ok(())
}

fn date(date: jiff::civil::Date) -> Date {
    Date {
        year: date.year().into(),
        month: date.month().into(),
        day: date.day().into(),
    }
}
