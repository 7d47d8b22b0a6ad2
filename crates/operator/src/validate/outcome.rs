//! Why a Job failed: what the run wrote down in the store, else what its exit code says
//! (`docs/exit-codes.md`), else what the Job controller says.

use crd::reasons;
use sync::backoff::{Class, Setback};

use crate::dereference::Found;
use crate::jobs::{Phase, RunJob};

/// Why a Job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// As one word.
    pub(crate) reason: String,
    /// As a sentence.
    pub(crate) message: String,
    /// How long to leave it alone.
    pub(crate) setback: Setback,
}

/// Why `job`, which failed, did so.
pub(super) fn outcome(job: &RunJob, found: &Found) -> Outcome {
    let written = found
        .stored
        .as_ref()
        .and_then(|stored| stored.record.as_ref()?.failure.as_ref())
        .filter(|failure| failure.at >= job.created_at);
    if let Some(failure) = written {
        return Outcome {
            setback: Setback::of_reason(&failure.reason),
            reason: failure.reason.clone(),
            message: failure.message.clone(),
        };
    }
    let Phase::Failed {
        reason, message, ..
    } = &job.phase
    else {
        return of_job(job, reasons::JOB_FAILED, "failed", Class::Passing);
    };
    if reason == "DeadlineExceeded" {
        return of_job(
            job,
            reasons::DEADLINE_EXCEEDED,
            "took longer than allowed and was stopped; the next one goes on from there",
            Class::Passing,
        );
    }
    match exit_code(message) {
        Some(2 | 10) => of_job(
            job,
            reasons::CONFIGURATION,
            "cannot use its configuration",
            Class::NeedsPerson,
        ),
        Some(11) => of_job(
            job,
            reasons::INVALID_API_KEY,
            "met an invalid API key",
            Class::NeedsPerson,
        ),
        Some(12) => of_job(
            job,
            reasons::WRONG_KIND_OF_KEY,
            "was given another kind of key",
            Class::NeedsPerson,
        ),
        Some(13) => of_job(
            job,
            reasons::MISSING_SCOPE,
            "met a key without a required scope",
            Class::NeedsPerson,
        ),
        Some(14) => of_job(
            job,
            reasons::PROJECT_NOT_FOUND,
            "did not find the project",
            Class::NeedsPerson,
        ),
        Some(15) => of_job(
            job,
            reasons::WRONG_REGION,
            "met a key of another region",
            Class::NeedsPerson,
        ),
        Some(16) => of_job(
            job,
            reasons::HOST_REFUSED,
            "may not ask the host",
            Class::NeedsPerson,
        ),
        Some(18) => of_job(
            job,
            reasons::MALFORMED,
            "did not understand the answer",
            Class::NeedsPerson,
        ),
        Some(19) => of_job(job, reasons::THROTTLED, "was throttled", Class::Throttled),
        Some(21) => of_job(
            job,
            reasons::PLAN_TOO_LOW,
            "found a plan that does not include PostHog",
            Class::Passing,
        ),
        _ => of_job(
            job,
            reasons::JOB_FAILED,
            "failed without saying why",
            Class::Passing,
        ),
    }
}

fn of_job(job: &RunJob, reason: &str, what: &str, class: Class) -> Outcome {
    Outcome {
        reason: reason.to_owned(),
        message: format!(
            "The Job {} {what}: its log tells more (kubectl -n {} logs job/{})",
            job.name, job.namespace, job.name
        ),
        setback: Setback::plain(class),
    }
}

/// The Job controller names the exit code of a pod that a failure policy ended: "Container sync for
/// pod ns/name failed with exit code 11 matching FailJob rule at index 0". It names none of a pod that is
/// started again, such as one that could not use the store (20), when that was tried often enough.
fn exit_code(message: &str) -> Option<u8> {
    let (_, rest) = message.split_once("exit code ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::exit_code;

    #[test]
    fn the_exit_code_is_read_from_the_job_controllers_sentence() {
        let said = "Container sync for pod ordinary/storefront-1-x failed with exit code 11 matching FailJob rule at index 0";
        assert_eq!(exit_code(said), Some(11));
        assert_eq!(
            exit_code("Job has reached the specified backoff limit"),
            None
        );
    }
}
