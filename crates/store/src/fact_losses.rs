//! What becomes of facts that an event says no more, in every store alike. How often one is still said
//! follows from how often it was. Only where its first or last time itself went, the next one is
//! looked for among the events of its distinct id, from there on and a few at a time: of a distinct id
//! with millions of events few are read.

use std::collections::{BTreeMap, BTreeSet};

use domain::storage::Result;

use crate::fact_rows::{Group, Key, Said};

/// Events of a distinct id looked at first. Mostly one of them tells.
const FEW: usize = 16;
/// By how much more each time that they did not.
const MORE: usize = 8;
/// The most events looked at in one round, of all distinct ids.
const MANY: usize = 8192;

/// How a fact is said less, or at other times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    /// To add to how often it is said.
    pub(crate) delta: i64,
    /// The first and last time at which it is said now too, if any.
    pub(crate) said: Option<(i64, i64)>,
    /// The first and last time at which it is said no more.
    pub(crate) unsaid: (i64, i64),
}

/// What facts lose, by key.
pub(crate) type Losses = BTreeMap<Key, Loss>;

/// Facts that lose something, on their way to what they are then.
pub(crate) struct Settling<'l> {
    losses: &'l Losses,
    stored: Vec<(Key, Said)>,
    firsts: Search,
    lasts: Search,
}

/// What is to be written.
#[derive(Default)]
pub(crate) struct Settled {
    /// Facts that nothing says any more.
    pub(crate) gone: Vec<Key>,
    /// Those that are said less often or at other times, as they are now.
    pub(crate) kept: Vec<(Key, Said)>,
    /// Of both, those that followers must be told of: which went, or are said first or last at another
    /// time.
    pub(crate) changed: Vec<Key>,
}

impl<'l> Settling<'l> {
    /// Begins with the facts as they are `stored`. Those that are not there are an erased person's.
    pub(crate) fn of(losses: &'l Losses, stored: Vec<(Key, Said)>) -> Self {
        let mut firsts = Search::new(End::First);
        let mut lasts = Search::new(End::Last);
        for (key, before) in &stored {
            let Some(loss) = losses.get(key) else {
                continue;
            };
            if before.events + loss.delta > 0 {
                if loss.unsaid.0 <= before.first {
                    firsts.seek(key, before.first);
                }
                if loss.unsaid.1 >= before.last {
                    lasts.seek(key, before.last);
                }
            }
        }
        Self {
            losses,
            stored,
            firsts,
            lasts,
        }
    }

    /// What must be searched before [`Settling::settle`].
    pub(crate) fn searches(&mut self) -> [&mut Search; 2] {
        [&mut self.firsts, &mut self.lasts]
    }

    /// What the facts come to.
    pub(crate) fn settle(self) -> Settled {
        let mut settled = Settled::default();
        for (key, before) in self.stored {
            let Some(loss) = self.losses.get(&key) else {
                continue;
            };
            let (earliest, latest) = loss.said.unzip();
            let first = self.firsts.answer(&key, before.first).into_iter();
            let last = self.lasts.answer(&key, before.last).into_iter();
            let events = before.events + loss.delta;
            match (first.chain(earliest).min(), last.chain(latest).max()) {
                (Some(first), Some(last)) if events > 0 => {
                    let now = Said {
                        events,
                        first,
                        last,
                    };
                    if (first, last) != (before.first, before.last) {
                        settled.changed.push(key.clone());
                    }
                    if now != before {
                        settled.kept.push((key, now));
                    }
                }
                _ => {
                    settled.changed.push(key.clone());
                    settled.gone.push(key);
                }
            }
        }
        settled
    }
}

/// Which of a fact's two times is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The first: events are read onwards.
    First,
    /// The last: events are read backwards.
    Last,
}

impl End {
    /// Whichever of two times lies nearer to this end.
    fn nearer(self, one: i64, other: i64) -> i64 {
        match self {
            Self::First => one.min(other),
            Self::Last => one.max(other),
        }
    }

    /// Whichever lies further from it.
    fn further(self, one: i64, other: i64) -> i64 {
        match self {
            Self::First => one.max(other),
            Self::Last => one.min(other),
        }
    }
}

/// A search for the first or last times at which facts are said.
pub(crate) struct Search {
    /// Which of both.
    pub(crate) end: End,
    sought: BTreeMap<String, Sought>,
    found: BTreeMap<Key, i64>,
    /// Facts of which no event was found.
    missed: BTreeSet<Key>,
}

struct Sought {
    facts: BTreeSet<Key>,
    from: i64,
    most: usize,
}

/// Where events are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whose.
    pub(crate) distinct_id: String,
    /// The time from which, in the direction of the search; events of that time are read too.
    pub(crate) from: i64,
    /// How many.
    pub(crate) most: usize,
}

impl Search {
    fn new(end: End) -> Self {
        Self {
            end,
            sought: BTreeMap::new(),
            found: BTreeMap::new(),
            missed: BTreeSet::new(),
        }
    }

    fn seek(&mut self, key: &Key, from: i64) {
        let sought = self.sought.entry(key.0.clone()).or_insert(Sought {
            facts: BTreeSet::new(),
            from,
            most: FEW,
        });
        sought.from = self.end.nearer(sought.from, from);
        sought.facts.insert(key.clone());
    }

    /// Where to read next; nowhere when all is found.
    pub(crate) fn next(&self) -> Vec<Place> {
        let mut room = MANY;
        let mut places = Vec::new();
        for (distinct_id, sought) in &self.sought {
            if sought.most > room && !places.is_empty() {
                break;
            }
            room = room.saturating_sub(sought.most);
            places.push(Place {
                distinct_id: distinct_id.clone(),
                from: sought.from,
                most: sought.most,
            });
        }
        places
    }

    /// Takes in what was read at a place: times and what the events carry, in the order of the search.
    pub(crate) fn take(&mut self, place: &Place, events: &[(i64, Group)]) -> Result<()> {
        let Some(sought) = self.sought.get_mut(&place.distinct_id) else {
            return Ok(());
        };
        let mut reached = sought.from;
        for (at, carries) in events {
            reached = self.end.further(reached, *at);
            for key in carries.keys()? {
                if sought.facts.remove(&key) {
                    self.found.insert(key, *at);
                }
            }
        }
        if sought.facts.is_empty() {
            self.sought.remove(&place.distinct_id);
        } else if events.len() < place.most {
            self.missed.append(&mut sought.facts);
            self.sought.remove(&place.distinct_id);
        } else {
            // Beyond the bound only where more happened at one moment than that.
            let more = place.most * MORE;
            let is_stuck = reached == sought.from;
            sought.most = if is_stuck { more } else { more.min(MANY) };
            sought.from = reached;
        }
        Ok(())
    }

    /// The time of a fact that had `before`: what was found, or that where it was not sought.
    fn answer(&self, key: &Key, before: i64) -> Option<i64> {
        match self.found.get(key) {
            Some(found) => Some(*found),
            None if self.missed.contains(key) => None,
            None => Some(before),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
