//! What the rest of the product asks of storage: one trait per question, kept alike by SQLite
//! and PostgreSQL and proven by one test suite.

mod budget;
mod clickmaps;
mod cohorts;
mod completeness;
mod connections;
mod erasures;
mod events;
mod identities;
mod purge;
mod runs;
mod throttles;

pub use self::budget::{BudgetKey, BudgetLimits, BudgetStore, Grant};
pub use self::clickmaps::{
    ClickedElementRow, ClickedPage, ClickmapReader, ClickmapSpan, ClickmapWriter, ElementPlace,
    PagePlace,
};
pub use self::cohorts::{
    CohortChange, CohortHistory, CohortMember, CohortMove, CohortPart, CohortRead, CohortReader,
    CohortRecord, CohortWriter, MembersMoved, Membership,
};
pub use self::completeness::{CompletenessStore, DayVerdict, Verdict};
pub use self::connections::{
    ConnectionFailure, ConnectionRecord, ConnectionStore, DesiredConnection, EpochRecord,
};
pub use self::erasures::ErasureStore;
pub use self::events::{
    Change, ChangeKind, DailyEventCount, DailyStageCount, EventDefinition, EventFilter, EventKey,
    EventReader, EventRow,
};
pub use self::identities::{
    FactChange, FactChanges, IdentityReader, IdentityWriter, LinkChange, LinkKey, PersonChange,
    PersonMapping, PersonsReading, ReadRange,
};
pub use self::purge::{Deletion, Purge};
pub use self::runs::{
    Lease, NewRun, OpenRun, Page, PageOutcome, PendingSlice, RunEnd, RunId, RunRecord,
    SliceAdvance, SyncStore,
};
pub use self::throttles::Throttles;

/// Everything at once: what a whole store implements.
pub trait Store:
    ConnectionStore
    + SyncStore
    + CompletenessStore
    + BudgetStore
    + EventReader
    + IdentityReader
    + IdentityWriter
    + ErasureStore
    + ClickmapReader
    + ClickmapWriter
    + CohortReader
    + CohortWriter
{
}

impl<T> Store for T where
    T: ConnectionStore
        + SyncStore
        + CompletenessStore
        + BudgetStore
        + EventReader
        + IdentityReader
        + IdentityWriter
        + ErasureStore
        + ClickmapReader
        + ClickmapWriter
        + CohortReader
        + CohortWriter
        + ?Sized
{
}

/// Why storage did not do what it was asked. Nothing is half-done after any of them.
#[derive(Debug, Clone, thiserror::Error, strum::IntoStaticStr)]
pub enum StoreError {
    /// Another run has taken over the connection; this one must stop without another word.
    #[error("another run has taken over this connection")]
    FenceLost,
    /// Another run holds the connection.
    #[error("another run holds this connection until {until}")]
    LeaseHeld {
        /// When its lease ends unless renewed.
        until: jiff::Timestamp,
    },
    /// There is no such connection, epoch or run.
    #[error("{what} is not in the store")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The database does not answer or refuses; trying again later may help.
    #[error("the store does not answer: {detail}")]
    Unavailable {
        /// What the driver said; never contains a password.
        detail: String,
    },
    /// The database is not one that this program can use; a person must act.
    #[error("{detail}")]
    Unusable {
        /// What is wrong and the fix.
        detail: String,
    },
    /// Stored data cannot be read back.
    #[error("the store holds something unreadable: {detail}")]
    Corrupt {
        /// Where and what.
        detail: String,
    },
}

/// The outcome of asking storage.
pub type Result<T> = std::result::Result<T, StoreError>;
