//! Clickmaps.

use domain::elements::Basis;
use domain::storage::{ClickedElementRow, ClickedPage};

use crate::proto::v1;
use crate::proto::v1::clickmap_element::SelectorBasis;

/// A page with its clicks.
pub(crate) fn clickmap_page(page: ClickedPage) -> v1::ClickmapPage {
    v1::ClickmapPage {
        page: page.page,
        click_count: page.counts.clicks,
        rage_click_count: page.counts.rage,
        dead_click_count: page.counts.dead,
        unparsed_event_count: page.unparsed,
    }
}

/// An element of a page that has so many clicks.
pub(crate) fn clickmap_element(row: ClickedElementRow, clicks: u64) -> v1::ClickmapElement {
    v1::ClickmapElement {
        selector: row.selector,
        selector_basis: selector_basis(row.basis).into(),
        tag: row.tag,
        text: row.text,
        href: row.href,
        click_count: row.counts.clicks,
        rage_click_count: row.counts.rage,
        dead_click_count: row.counts.dead,
        click_share: share(row.counts.clicks, clicks),
    }
}

fn selector_basis(basis: Basis) -> SelectorBasis {
    match basis {
        Basis::DataAttribute => SelectorBasis::DataAttribute,
        Basis::Id => SelectorBasis::Id,
        Basis::Path => SelectorBasis::Path,
    }
}

#[allow(clippy::cast_precision_loss, reason = "no page is clicked 2^53 times")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
