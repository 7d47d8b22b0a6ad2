//! Stories: what happens at PostHog and to the processes that pull from it, in any order.

use std::ops::Range;
use std::time::Duration;

use domain::sync::SyncMode;
use jiff::SignedDuration;
use posthog_stub::{Fault, Limits, TooMuch};
use proptest::prelude::*;
use test_store::Fate;

use super::posthog::{AHEAD, BEHIND, COHORTS, Happening, NAMES, Taken, VISITORS};

/// Events happen within so many days before they are taken in: every day on which one may be missing
/// or deleted is then counted daily until the end of the story.
const REACH: i64 = 25 * 24 * 60;
/// A uuid that is sent again moves by so many minutes at most, so that all its rows lie within a day:
/// the recount sees no further (DESIGN.md: "the range padded by a day").
const NEAR: i64 = 11 * 60;

/// One way to go wrong, on requests for queries.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) skip: usize,
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

/// What becomes of a process at its fateful write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Fate(Fate),
    /// It stands still until its lease has run out; then it goes on beside the one that took over.
    Overtaken,
}

/// One process's run.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) mode: SyncMode,
    pub(crate) troubles: Vec<Trouble>,
    /// Its fateful write; it may be over before.
    pub(crate) at: usize,
    /// What happens at PostHog while it stands at that write.
    pub(crate) meanwhile: Vec<Happening>,
    pub(crate) then: Then,
}

impl Attempt {
    /// A run that nothing happens to.
    pub(crate) fn calm(mode: SyncMode) -> Self {
        Self {
            mode,
            troubles: Vec::new(),
            at: usize::MAX,
            meanwhile: Vec::new(),
            then: Then::Fate(Fate::GoesOn),
        }
    }

    /// Whether PostHog may not answer it at all.
    pub(crate) fn may_hang(&self) -> bool {
        let mut troubles = self.troubles.iter();
        troubles.any(|trouble| trouble.fault == Fault::Hang)
    }

    /// Whether it must succeed.
    pub(crate) fn is_calm(&self) -> bool {
        self.troubles.is_empty() && self.then == Then::Fate(Fate::GoesOn)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Happen(Vec<Happening>),
    /// Minutes.
    Pass(i64),
    Attempt(Attempt),
    /// A visitor's person is erased; whether by a process that lives to the end of it.
    Erase(usize, bool),
    Follow,
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    /// Rows that one answer of PostHog's holds.
    pub(crate) page_rows: usize,
    /// What PostHog refuses to answer at once, until the end.
    pub(crate) too_much: Option<TooMuch>,
    /// Whether a uuid that is sent again may be days away. No event is deleted then: on such days the
    /// counts cannot agree, and so cannot tell that one is.
    pub(crate) is_far: bool,
    pub(crate) beginning: Vec<Happening>,
    pub(crate) steps: Vec<Step>,
}

impl Story {
    /// Whether anybody is erased.
    pub(crate) fn has_erasures(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, Step::Erase(..)))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            too_much: self.too_much,
            ..Limits::default()
        }
    }
}

/// Any story.
pub(crate) fn any_story() -> impl Strategy<Value = Story> {
    prop::bool::weighted(0.2).prop_flat_map(|is_far| {
        let beginning = prop::collection::vec(any_arrival(true), 10..50);
        let steps = prop::collection::vec(any_step(is_far), 2..11);
        (8_usize..60, any_limit(), beginning, steps).prop_map(
            move |(page_rows, too_much, beginning, steps)| Story {
                page_rows,
                too_much,
                is_far,
                beginning,
                steps,
            },
        )
    })
}

fn any_step(is_far: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any_happenings(is_far, 1..8).prop_map(Step::Happen),
        2 => (0_i64..9 * 60).prop_map(Step::Pass),
        5 => any_attempt(is_far).prop_map(Step::Attempt),
        1 => (0..VISITORS.len(), any::<bool>()).prop_map(|(who, ends)| Step::Erase(who, ends)),
        // Often enough that what was told is different at the end.
        4 => Just(Step::Follow),
    ]
}

fn any_attempt(is_far: bool) -> impl Strategy<Value = Attempt> {
    let mode = prop_oneof![1 => Just(SyncMode::Backfill), 3 => Just(SyncMode::Refresh)];
    let troubles = prop::collection::vec(any_trouble(), 0..3);
    let at = prop_oneof![0_usize..12, 0_usize..40];
    let then = prop_oneof![
        3 => Just(Then::Fate(Fate::GoesOn)),
        2 => Just(Then::Fate(Fate::DiesBefore)),
        2 => Just(Then::Fate(Fate::DiesAfter)),
        2 => (1_usize..12).prop_map(|polls| Then::Fate(Fate::DiesWithin(polls))),
        2 => Just(Then::Overtaken),
    ];
    let meanwhile = any_happenings(is_far, 0..4);
    (mode, troubles, at, meanwhile, then).prop_map(|(mode, troubles, at, meanwhile, then)| {
        Attempt {
            mode,
            troubles,
            at,
            meanwhile,
            then,
        }
    })
}

fn any_happenings(is_far: bool, count: Range<usize>) -> impl Strategy<Value = Vec<Happening>> {
    prop::collection::vec(any_happening(is_far), count)
}

fn any_happening(is_far: bool) -> BoxedStrategy<Happening> {
    let (names, visitors) = (0..NAMES.len(), 0..VISITORS.len());
    let reach = if is_far { 10 * 24 * 60 } else { NEAR };
    let resent = (
        any::<u16>(),
        names,
        visitors.clone(),
        -reach..reach,
        any::<bool>(),
    )
        .prop_map(|(nth, name, visitor, moved, tied)| Happening::Resent {
            nth: nth.into(),
            name,
            visitor,
            moved,
            tied,
        });
    let nth = || any::<u16>().prop_map(usize::from);
    let deleted = move || match is_far {
        false => nth().prop_map(|nth| Happening::Deleted { nth }).boxed(),
        true => nth().prop_map(|nth| Happening::Duplicate { nth }).boxed(),
    };
    let events = move || {
        if is_far {
            Just(false).boxed()
        } else {
            any::<bool>().boxed()
        }
    };
    let person = (visitors.clone(), events())
        .prop_map(|(visitor, events)| Happening::PersonDeleted { visitor, events });
    let gathered = (
        1..=COHORTS,
        prop::collection::btree_set(visitors.clone(), 0..VISITORS.len()),
    )
        .prop_map(|(cohort, visitors)| Happening::Gathered { cohort, visitors });
    let disbanded = (1..=COHORTS).prop_map(|cohort| Happening::Disbanded { cohort });
    let merged =
        (visitors.clone(), visitors).prop_map(|(from, into)| Happening::Merged { from, into });
    prop_oneof![
        6 => any_arrival(false),
        1 => nth().prop_map(|nth| Happening::Duplicate { nth }),
        3 => resent,
        2 => deleted(),
        1 => person,
        2 => merged,
        1 => Just(Happening::Squashed),
        3 => gathered,
        1 => disbanded,
    ]
    .boxed()
}

fn any_arrival(is_old: bool) -> BoxedStrategy<Happening> {
    // Mostly recent or of a few moments, so that events share days, moments and windows.
    let ago = prop_oneof![
        3 => -60_i64..600,
        2 => (0_i64..25).prop_map(|days| days * 24 * 60 + 7),
        2 => 0_i64..REACH,
        1 => -i64::from(AHEAD)..0,
    ];
    let taken = if is_old {
        Just(Taken::AtOnce).boxed()
    } else {
        prop_oneof![
            Just(Taken::MinutesAgo(0)),
            Just(Taken::MinutesAgo(30)),
            Just(Taken::MinutesAgo(BEHIND.into())),
        ]
        .boxed()
    };
    (0..NAMES.len(), 0..VISITORS.len(), ago, 1_u8..5, taken)
        .prop_map(|(name, visitor, ago, count, taken)| Happening::Arrival {
            name,
            visitor,
            ago,
            count,
            taken,
        })
        .boxed()
}

fn any_limit() -> impl Strategy<Value = Option<TooMuch>> {
    let status = || prop_oneof![Just(504_u16), Just(512), Just(513)];
    let wide = (1_i64..20, status()).prop_map(|(days, status)| TooMuch {
        span: Some(SignedDuration::from_hours(24 * days)),
        rows: None,
        members: None,
        status,
    });
    let many = (20_usize..80, status()).prop_map(|(rows, status)| TooMuch {
        span: None,
        rows: Some(rows),
        members: None,
        status,
    });
    prop_oneof![2 => Just(None), 1 => wide.prop_map(Some), 1 => many.prop_map(Some)]
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    (0_usize..20, 1_usize..5, any_fault()).prop_map(|(skip, times, fault)| {
        // These are waited out in real seconds.
        let is_slow = matches!(
            fault,
            Fault::Hang
                | Fault::Throttle {
                    retry_after: Some(_)
                }
                | Fault::DatabaseUnavailable
        );
        Trouble {
            skip,
            times: if is_slow { 1 } else { times },
            fault,
        }
    })
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let passing = prop::sample::select(vec![
        Fault::Throttle { retry_after: None },
        Fault::Concurrency,
        Fault::Internal,
        Fault::Busy,
        Fault::Timeout,
        Fault::TooSlow,
        Fault::OutOfMemory,
        Fault::Reset,
        Fault::DuplicateRows,
        Fault::Endless,
        Fault::Drip {
            bytes: 700,
            every: Duration::from_millis(1),
        },
    ]);
    let slow = prop::sample::select(vec![
        Fault::Throttle {
            retry_after: Some(1),
        },
        Fault::DatabaseUnavailable,
        Fault::Hang,
    ]);
    let last = prop::sample::select(vec![
        Fault::Budget { retry_after: 3000 },
        Fault::QuotaExceeded,
        Fault::Html { status: 200 },
        Fault::WrongColumns,
        Fault::ShortRows,
        Fault::ErrorInBody,
    ]);
    let cut = (0_usize..3000).prop_map(|bytes| Fault::Truncated { bytes });
    prop_oneof![12 => passing, 1 => slow, 3 => last, 4 => cut]
}
