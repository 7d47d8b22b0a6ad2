//! `up`: syncs and serves at once, follows its files, drains on a signal.

mod files;
mod reads;
mod standing;
