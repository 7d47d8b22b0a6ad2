//! Turns the domain's types back into the API's messages.

mod clickmap;
mod cohort;
mod completeness;
mod connection;
mod definition;
mod event;
mod fields;
mod funnel;
mod identity;
mod order_like;
mod packed;
mod resolved;
mod run;
mod stage;
mod time;
mod trail;

pub(crate) use self::clickmap::{clickmap_element, clickmap_page};
pub(crate) use self::cohort::{
    Membership, cohort, cohort_change, cohort_member, cohort_membership,
};
pub(crate) use self::completeness::DayVerdicts;
pub(crate) use self::connection::{ConnectionView, connection};
pub(crate) use self::definition::{KnownNames, definition};
pub(crate) use self::event::Events;
pub(crate) use self::funnel::funnel;
pub(crate) use self::identity::{link, link_change};
pub(crate) use self::packed::PackedEvents;
pub(crate) use self::resolved::{PackedIdentities, resolved_status};
pub(crate) use self::stage::{mapped_stage, stage};
pub(crate) use self::time::{date, timestamp};
pub(crate) use self::trail::TrailEvents;
