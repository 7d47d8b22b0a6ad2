//! Turns what callers sent into the domain's types, once; what cannot be used is refused with
//! the field, what is wrong and the fix.

mod clicks;
mod cohorts;
mod days;
mod filter;
mod keys;
mod names;

pub(crate) use self::clicks::{check_devices, check_page};
pub(crate) use self::cohorts::{check_cohort, check_cohorts};
pub(crate) use self::days::{AskedDays, DayRange, check_days};
pub(crate) use self::filter::{check_event_names, check_instants, check_order, check_stages};
pub(crate) use self::keys::{check_key, check_keys, check_trail_key};
pub(crate) use self::names::{check_connection, check_namespace};
