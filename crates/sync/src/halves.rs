//! Asks about a range of time, and where PostHog cannot answer it whole, about its halves.

use std::future::Future;

use domain::sync::{Arrivals, Window};
use jiff::SignedDuration;
use posthog::Error;

use crate::ask::Asker;
use crate::error::SyncError;

/// A range that is not halved further: it holds few rows whatever the shop.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

/// A window, and what arrived late before it.
pub(crate) type Asked = (Window, Option<Arrivals>);

impl Asker {
    /// The answers to `request` over parts of a window that together make it up.
    ///
    /// # Errors
    /// [`SyncError::TooHeavy`] when a part cannot be answered however short, else as
    /// [`Asker::ask`].
    pub(crate) async fn ask_in_parts<T, F>(
        &self,
        (window, arrivals): Asked,
        mut request: impl FnMut(Window, Option<Arrivals>) -> F,
    ) -> Result<Vec<T>, SyncError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut answers = Vec::new();
        let mut left = vec![(window, arrivals)];
        while let Some((window, arrivals)) = left.pop() {
            match self.ask(|| request(window, arrivals)).await {
                Ok(answer) => answers.push(answer),
                Err(SyncError::PostHog(error)) if error.wants_smaller_query() => {
                    tracing::debug!(%error, from = %window.from, to = %window.to, "asking in halves");
                    let halves = halve((window, arrivals));
                    left.extend(halves.ok_or(SyncError::TooHeavy { at: window.from })?);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }
}

/// Two ranges of half the time each that together hold the same rows.
fn halve((window, arrivals): Asked) -> Option<[Asked; 2]> {
    let from = arrivals.map_or(window.from, |arrivals| arrivals.from.min(window.from));
    let length = window.to.duration_since(from);
    if length <= SHORTEST {
        return None;
    }
    let middle = from + length / 2;
    Some([(from, middle), (middle, window.to)].map(|(from, to)| {
        let part = Window {
            from: window.from.clamp(from, to),
            to,
        };
        let arrivals = arrivals
            .filter(|arrivals| arrivals.from < window.from)
            .map(|arrivals| Arrivals {
                from: arrivals.from.max(from),
                ..arrivals
            });
        (part, arrivals)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn halves_of_a_count_take_every_row_exactly_once() {
        let at = Timestamp::from_second;
        for (from, late_from) in [(600, 0), (200, 0), (900, 100), (0, 0)] {
            let window = Window {
                from: at(from).unwrap(),
                to: at(1000).unwrap(),
            };
            let arrivals = Some(Arrivals {
                from: at(late_from).unwrap(),
                since: at(5000).unwrap(),
            });
            let takes = |(window, arrivals): &Asked, stamp: Timestamp, late: bool| {
                let start = arrivals.map_or(window.from, |a| a.from.min(window.from));
                stamp >= start
                    && stamp < window.to
                    && (stamp >= window.from || (late && arrivals.is_some()))
            };
            let halves = halve((window, arrivals)).unwrap();
            for second in -5..1010 {
                for late in [false, true] {
                    let stamp = at(second).unwrap();
                    let whole = u32::from(takes(&(window, arrivals), stamp, late));
                    let parts: u32 = halves
                        .iter()
                        .map(|h| u32::from(takes(h, stamp, late)))
                        .sum();
                    assert_eq!(whole, parts, "{second} {late}");
                }
            }
        }
    }
}
