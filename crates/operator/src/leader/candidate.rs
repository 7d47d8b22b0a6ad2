//! What a candidate makes of the Lease as it finds it. Pure: time is given.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::ObjectMeta;
use tokio::time::Instant;

use super::LEASE;

/// Somebody who wants to hold the Lease.
pub(super) struct Candidate {
    identity: String,
    duration: Duration,
    /// What the Lease last said, and since when it says so by our own clock. The times written in it are
    /// by others' clocks, and say nothing here.
    seen: Option<(LeaseSpec, Instant)>,
}

/// What to do about a Lease.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// There is none yet.
    Create(Lease),
    /// It is ours, free, or its holder is gone.
    Replace(Lease),
    /// Its holder lives.
    Wait {
        /// Who that is.
        holder: String,
    },
}

impl Candidate {
    pub(super) fn new(identity: String, duration: Duration) -> Self {
        Self {
            identity,
            duration,
            seen: None,
        }
    }

    /// Judges the Lease as it was found; `now` is no earlier than that, for its holder may have renewed it
    /// until then. `time` is written into it.
    pub(super) fn next(&mut self, found: Option<Lease>, now: Instant, time: Timestamp) -> Step {
        let Some(lease) = found else {
            self.seen = None;
            let metadata = ObjectMeta {
                name: Some(LEASE.to_owned()),
                ..ObjectMeta::default()
            };
            return Step::Create(Lease {
                metadata,
                spec: Some(self.taken(0, time)),
            });
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder == self.identity {
            let renewed = LeaseSpec {
                acquire_time: spec.acquire_time,
                ..self.taken(spec.lease_transitions.unwrap_or(0), time)
            };
            return Step::Replace(with(lease, renewed));
        }
        let promised = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.duration, Duration::from_secs);
        let since = match &self.seen {
            Some((seen, since)) if *seen == spec => *since,
            _ => now,
        };
        let transitions = spec.lease_transitions.unwrap_or(0);
        self.seen = Some((spec, since));
        if !holder.is_empty() && now.saturating_duration_since(since) < promised {
            return Step::Wait { holder };
        }
        let taken = self.taken(transitions.saturating_add(1), time);
        Step::Replace(with(lease, taken))
    }

    /// The Lease without a holder; nothing when it is not ours.
    pub(super) fn released(&self, lease: Lease) -> Option<Lease> {
        let spec = lease.spec.clone()?;
        (spec.holder_identity.as_ref() == Some(&self.identity)).then(|| {
            let freed = LeaseSpec {
                holder_identity: Some(String::new()),
                lease_duration_seconds: Some(1),
                ..spec
            };
            with(lease, freed)
        })
    }

    fn taken(&self, transitions: i32, time: Timestamp) -> LeaseSpec {
        // The API has whole seconds of at least 1.
        let seconds = i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(seconds.max(1)),
            acquire_time: Some(MicroTime(time)),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

fn with(lease: Lease, spec: LeaseSpec) -> Lease {
    Lease {
        spec: Some(spec),
        ..lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn candidate(name: &str) -> Candidate {
        Candidate::new(name.to_owned(), DURATION)
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn written(step: Step) -> Lease {
        match step {
            Step::Create(lease) | Step::Replace(lease) => lease,
            Step::Wait { holder } => panic!("{holder} holds it"),
        }
    }

    fn spec(lease: &Lease) -> &LeaseSpec {
        lease.spec.as_ref().unwrap()
    }

    #[test]
    fn a_free_lease_is_taken_and_renewed_by_its_holder() {
        let start = Instant::now();
        let mut a = candidate("a");
        let step = a.next(None, start, time(0));
        assert!(matches!(step, Step::Create(_)));
        let lease = written(step);
        assert_eq!(spec(&lease).holder_identity.as_deref(), Some("a"));
        let renewed = written(a.next(Some(lease.clone()), start + DURATION * 9, time(99)));
        assert_eq!(spec(&renewed).acquire_time, spec(&lease).acquire_time);
        assert_eq!(spec(&renewed).renew_time, Some(MicroTime(time(99))));
        assert_eq!(spec(&renewed).lease_transitions, Some(0));
    }

    #[test]
    fn a_holder_is_gone_when_its_lease_did_not_change_for_its_duration_by_our_clock() {
        let start = Instant::now();
        // The holder's clock is years ahead or behind: that changes nothing.
        for theirs in [0, 10_000_000_000] {
            let lease = written(candidate("a").next(None, start, time(theirs)));
            let mut b = candidate("b");
            let held = Step::Wait {
                holder: "a".to_owned(),
            };
            let mut at = |after, lease: &Lease| {
                b.next(
                    Some(lease.clone()),
                    start + Duration::from_secs(after),
                    time(50),
                )
            };
            assert_eq!(at(0, &lease), held);
            assert_eq!(at(14, &lease), held);
            let renewed =
                written(candidate("a").next(Some(lease.clone()), start, time(theirs + 1)));
            assert_eq!(at(15, &renewed), held);
            assert_eq!(at(29, &renewed), held);
            let taken = written(at(30, &renewed));
            assert_eq!(spec(&taken).holder_identity.as_deref(), Some("b"));
            assert_eq!(spec(&taken).lease_transitions, Some(1));
        }
    }

    #[test]
    fn the_duration_that_the_holder_promised_counts_and_not_our_own() {
        let start = Instant::now();
        let mut patient = Candidate::new("a".to_owned(), DURATION * 4);
        let lease = written(patient.next(None, start, time(0)));
        let mut b = candidate("b");
        b.next(Some(lease.clone()), start, time(0));
        let step = b.next(Some(lease), start + DURATION * 3, time(0));
        assert!(matches!(step, Step::Wait { .. }));
    }

    #[test]
    fn a_lease_given_back_is_taken_at_once_and_only_its_holder_gives_it_back() {
        let start = Instant::now();
        let mut a = candidate("a");
        let lease = written(a.next(None, start, time(0)));
        let mut b = candidate("b");
        assert_eq!(b.released(lease.clone()), None);
        let free = a.released(lease).unwrap();
        let taken = written(b.next(Some(free), start, time(1)));
        assert_eq!(spec(&taken).holder_identity.as_deref(), Some("b"));
    }

    #[test]
    fn what_is_written_keeps_the_version_that_was_found() {
        let start = Instant::now();
        let mut a = candidate("a");
        let mut lease = written(a.next(None, start, time(0)));
        lease.metadata.resource_version = Some("7".to_owned());
        let renewed = written(a.next(Some(lease.clone()), start, time(1)));
        assert_eq!(renewed.metadata.resource_version.as_deref(), Some("7"));
        let freed = a.released(lease).unwrap();
        assert_eq!(freed.metadata.resource_version.as_deref(), Some("7"));
    }
}
