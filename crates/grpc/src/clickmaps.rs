//! ClickmapService: where visitors click.

use domain::clickmap::DeviceType;
use domain::page_path::PageTemplate;
use domain::storage::{ClickedPage, ClickmapSpan, ElementPlace, PagePlace};
use serde::{Deserialize, Serialize};
use tonic::{Request, Response, Status};

use crate::access::Readable;
use crate::answer::{clickmap_element, clickmap_page};
use crate::check::{AskedDays, check_connection, check_days, check_devices, check_page};
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::proto::v1::clickmap_service_server::ClickmapService;
use crate::reads::{ReadStore, Reads};
use crate::token::Scope;

/// Answers ClickmapService from a store.
pub(crate) struct ClickmapServer<S: ?Sized> {
    reads: Reads<S>,
}

/// A place among a page's elements, and what the page's clicks came to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct ElementCursor {
    place: ElementPlace,
    clicks: u64,
    rage: u64,
    dead: u64,
    unparsed: u64,
    /// Whether it is of the page of exactly the asked name where that name, read as a path, means another.
    /// Tokens of a version that did not look for such a page do not say, and are of that other one.
    #[serde(default)]
    by_name: bool,
}

/// The page whose elements are asked for.
struct AskedPage {
    page: PageTemplate,
    /// As in [`ElementCursor`].
    by_name: bool,
}

impl<S: ReadStore + ?Sized> ClickmapServer<S> {
    /// A service on `reads`.
    pub(crate) fn new(reads: Reads<S>) -> Self {
        Self { reads }
    }

    async fn pages(
        &self,
        mut request: v1::ListClickmapPagesRequest,
    ) -> Result<v1::ListClickmapPagesResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let days = check_days(request.start_date, request.end_date)?;
        let devices = check_devices(&request.device_types)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        readable.clickmap_rules()?;
        let span = span(&readable, days, devices)?;
        let scope = Scope::page("ListClickmapPages", &request, Some(&readable.epoch));
        let after: Option<PagePlace> = self.reads.cursor(&scope, &token).await?;
        let store = &self.reads.store;
        let found = store
            .clicked_pages(readable.epoch.id, &span, after.as_ref(), size + 1)
            .await?;
        let rows = found
            .into_iter()
            .map(|page| (page.place(), clickmap_page(page)));
        let page = fill(rows, size);
        Ok(v1::ListClickmapPagesResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            clickmap_pages: page.rows,
            time_zone: readable.time_zone()?.to_owned(),
        })
    }

    async fn elements(
        &self,
        mut request: v1::ListClickmapElementsRequest,
    ) -> Result<v1::ListClickmapElementsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let asked = check_page(&request.page)?.to_owned();
        let days = check_days(request.start_date, request.end_date)?;
        let devices = check_devices(&request.device_types)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let page = self.asked_page(&readable, asked).await?;
        let span = span(&readable, days, devices)?;
        let scope = Scope::page("ListClickmapElements", &request, Some(&readable.epoch));
        let after: Option<ElementCursor> = self.reads.cursor(&scope, &token).await?;
        let store = &self.reads.store;
        let place = after.map(|after| after.place);
        let (total, found) = store
            .clicked_elements(
                readable.epoch.id,
                page.page.as_str(),
                &span,
                place,
                size + 1,
            )
            .await?;
        if after.is_some_and(|after| after != page.cursor(after.place, &total)) {
            return Err(scope.stale());
        }
        let rows = found.into_iter().map(|row| {
            let cursor = page.cursor(row.place, &total);
            (cursor, clickmap_element(row, total.counts.clicks))
        });
        let filled = fill(rows, size);
        Ok(v1::ListClickmapElementsResponse {
            next_page_token: self.reads.next_token(&scope, filled.last.as_ref()).await?,
            clickmap_page: Some(clickmap_page(total)),
            clickmap_elements: filled.rows,
            time_zone: readable.time_zone()?.to_owned(),
        })
    }

    /// The page that is listed under the asked name, whatever the days; else the one that is meant by it. A
    /// listed name is decoded already: read as a path, it may be another page's.
    async fn asked_page(&self, readable: &Readable, asked: String) -> Result<AskedPage, ApiError> {
        let meant = readable.clickmap_rules()?.page_templates.meant(&asked);
        let store = &self.reads.store;
        let by_name =
            meant.as_str() != asked && store.is_clicked_page(readable.epoch.id, &asked).await?;
        let page = if by_name {
            PageTemplate::new(asked)
        } else {
            meant
        };
        Ok(AskedPage { page, by_name })
    }
}

impl AskedPage {
    fn cursor(&self, place: ElementPlace, total: &ClickedPage) -> ElementCursor {
        ElementCursor {
            place,
            clicks: total.counts.clicks,
            rage: total.counts.rage,
            dead: total.counts.dead,
            unparsed: total.unparsed,
            by_name: self.by_name,
        }
    }
}

fn span(
    readable: &Readable,
    days: AskedDays,
    devices: Vec<DeviceType>,
) -> Result<ClickmapSpan, ApiError> {
    let days = days.as_of(readable.today()?)?;
    Ok(ClickmapSpan {
        from: days.from,
        to: days.to,
        devices,
    })
}

#[tonic::async_trait]
impl<S: ReadStore + ?Sized + 'static> ClickmapService for ClickmapServer<S> {
    async fn list_clickmap_pages(
        &self,
        request: Request<v1::ListClickmapPagesRequest>,
    ) -> Result<Response<v1::ListClickmapPagesResponse>, Status> {
        Ok(Response::new(self.pages(request.into_inner()).await?))
    }

    async fn list_clickmap_elements(
        &self,
        request: Request<v1::ListClickmapElementsRequest>,
    ) -> Result<Response<v1::ListClickmapElementsResponse>, Status> {
        Ok(Response::new(self.elements(request.into_inner()).await?))
    }
}
