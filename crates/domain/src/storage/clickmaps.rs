//! Clickmaps: made anew day by day from the stored events, read by page or by element.

use async_trait::async_trait;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Lease, Result};
use crate::clickmap::{ClickCounts, ClickmapPolicy, DeviceType};
use crate::connection::ConnectionId;
use crate::elements::Basis;

/// Whose clicks are meant, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickmapSpan {
    /// First day within, in the epoch's time zone.
    pub from: Date,
    /// First day after.
    pub to: Date,
    /// On these types of device; on any when empty.
    pub devices: Vec<DeviceType>,
}

/// A page with the clicks on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickedPage {
    /// The page's template, or its path; empty for clicks of which it is not known.
    pub page: String,
    /// On elements that can be told apart.
    pub counts: ClickCounts,
    /// Events that tell of a click on what cannot be told: their `elements_chain` is broken or missing.
    pub unparsed: u64,
}

/// An element with the clicks on it, and how it looked at the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClickedElementRow {
    /// Where it stands in the order.
    pub place: ElementPlace,
    /// The clicks.
    pub counts: ClickCounts,
    /// The CSS selector that names it on its page.
    pub selector: String,
    /// What the selector rests on.
    pub basis: Basis,
    /// Its tag.
    pub tag: Option<String>,
    /// Its text, masked.
    pub text: Option<String>,
    /// Where it leads, masked.
    pub href: Option<String>,
}

/// A place in the order of pages: most clicks first, then by the page's bytes. Clicks are all of a
/// page's, those on what cannot be told apart too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagePlace {
    /// All its clicks.
    pub clicks: u64,
    /// The page.
    pub page: String,
}

/// A place in the order of elements: most clicks first, then by [`crate::clickmap::ElementId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementPlace {
    /// The element's clicks.
    pub clicks: u64,
    /// The element.
    pub element: Uuid,
}

impl ClickedPage {
    /// Where it stands in the order.
    pub fn place(&self) -> PagePlace {
        PagePlace {
            clicks: self.counts.clicks + self.unparsed,
            page: self.page.clone(),
        }
    }
}

/// Making clickmaps.
#[async_trait]
pub trait ClickmapWriter: Send + Sync {
    /// Makes the clickmaps of every day anew on which clicks came, went or changed since, each day in
    /// one transaction that checks the lease. Where the rules or the epoch's time zone are others than
    /// those in force, all days are made beside the ones in force, and switched to at once. With
    /// [`ClickmapPolicy::Off`] removes all. Returns how many days were made; interrupted, it goes on
    /// at the next call.
    async fn make_clickmaps(&self, lease: &Lease, policy: &ClickmapPolicy) -> Result<u64>;
}

/// Reading clickmaps.
#[async_trait]
pub trait ClickmapReader: Send + Sync {
    /// Pages that were clicked, in the order of [`PagePlace`], strictly after `after`, `limit` at most.
    async fn clicked_pages(
        &self,
        connection: ConnectionId,
        span: &ClickmapSpan,
        after: Option<&PagePlace>,
        limit: usize,
    ) -> Result<Vec<ClickedPage>>;

    /// Whether clickmaps have a page of exactly that name, on whatever day.
    async fn is_clicked_page(&self, connection: ConnectionId, page: &str) -> Result<bool>;

    /// One page, and its elements in the order of [`ElementPlace`], strictly after `after`, `limit` at
    /// most; both of one moment.
    async fn clicked_elements(
        &self,
        connection: ConnectionId,
        page: &str,
        span: &ClickmapSpan,
        after: Option<ElementPlace>,
        limit: usize,
    ) -> Result<(ClickedPage, Vec<ClickedElementRow>)>;
}
