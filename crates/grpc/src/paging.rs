//! Pages (AIP-158): how many rows were asked for, and how many fit.

use prost::Message;

use crate::errors::ApiError;

/// Rows of a page when the caller names no number.
const DEFAULT_SIZE: usize = 100;
/// The most rows of a page.
const MAX_SIZE: usize = 1_000;
/// Bytes that a page may grow to; the row that passes it is the last. Clients refuse messages
/// over 4 MiB by default.
const MAX_BYTES: usize = 1024 * 1024;

/// How many rows a page may have: 0 is the default, more than the most is the most.
///
/// # Errors
/// When negative.
pub(crate) fn check_page_size(page_size: i32) -> Result<usize, ApiError> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(size) => Ok(size.min(MAX_SIZE)),
        Err(_) => Err(ApiError::field(
            "page_size",
            format!(
                "is {page_size}: write 0 for the default of {DEFAULT_SIZE}, or 1 to {MAX_SIZE}"
            ),
        )),
    }
}

/// A page's messages, and the place of the last one when there is more.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<M, K> {
    /// What is answered.
    pub(crate) rows: Vec<M>,
    /// Where the next page begins: after this.
    pub(crate) last: Option<K>,
}

/// A page being filled with rows as they come, of which there must be one more than it may have if
/// there are so many.
#[derive(Debug)]
pub(crate) struct Filling<M, K> {
    page: Page<M, K>,
    size: usize,
    bytes: usize,
    offered: usize,
}

impl<M: Message, K> Filling<M, K> {
    /// An empty page for `size` rows.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            page: Page {
                rows: Vec::with_capacity(size),
                last: None,
            },
            size,
            bytes: 0,
            offered: 0,
        }
    }

    /// Takes a row, unless the page has its rows or has grown large.
    pub(crate) fn offer(&mut self, key: K, row: impl FnOnce() -> M) {
        self.offered += 1;
        if self.page.rows.len() < self.size && self.bytes < MAX_BYTES {
            let row = row();
            self.bytes += row.encoded_len();
            self.page.rows.push(row);
            self.page.last = Some(key);
        }
    }

    /// The page. It names a place to go on from if it left a row.
    pub(crate) fn end(mut self) -> Page<M, K> {
        if self.page.rows.len() == self.offered {
            self.page.last = None;
        }
        self.page
    }
}

/// A page of `size` of `rows`, of which there must be `size + 1` if there are so many.
pub(crate) fn fill<M: Message, K>(
    rows: impl IntoIterator<Item = (K, M)>,
    size: usize,
) -> Page<M, K> {
    let mut page = Filling::new(size);
    for (key, row) in rows {
        page.offer(key, || row);
    }
    page.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, bytes: usize) -> impl Iterator<Item = (usize, String)> {
        (0..count).map(move |n| (n, "x".repeat(bytes)))
    }

    #[test]
    fn a_page_size_is_defaulted_capped_and_never_negative() {
        assert_eq!(check_page_size(0), Ok(100));
        assert_eq!(check_page_size(7), Ok(7));
        assert_eq!(check_page_size(i32::MAX), Ok(1_000));
        assert!(check_page_size(-1).is_err());
    }

    #[test]
    fn a_page_that_holds_everything_is_the_last() {
        assert_eq!(fill(rows(3, 1), 3).last, None);
        assert_eq!(fill(rows(0, 1), 3).last, None);
    }

    #[test]
    fn a_page_that_leaves_a_row_says_where_it_stopped() {
        let page = fill(rows(4, 1), 3);
        assert_eq!((page.rows.len(), page.last), (3, Some(2)));
    }

    #[test]
    fn a_page_stops_growing_after_about_a_mebibyte() {
        let page = fill(rows(10, 300 * 1024), 10);
        assert_eq!((page.rows.len(), page.last), (4, Some(3)));
    }

    #[test]
    fn a_single_huge_row_is_still_answered() {
        let page = fill(rows(2, 2 * 1024 * 1024), 10);
        assert_eq!((page.rows.len(), page.last), (1, Some(0)));
    }
}
