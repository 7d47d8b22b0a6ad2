//! The answer to a query, read as a stream: each row becomes what it means at once, so that no more
//! than one row is held in PostHog's form.

mod cell;
mod reader;
mod row;
mod visit;

use std::io::Read;

pub(crate) use self::cell::Cell;
pub(crate) use self::reader::{End, Pipe};
pub(crate) use self::row::Row;
use self::visit::Answer;
use crate::error::Error;

/// Reads the rows of an answer, all of them, as [`each_row`] does.
///
/// # Errors
/// Those of [`each_row`].
pub(crate) fn read_rows<T>(
    request: &'static str,
    source: impl Read,
    columns: &[String],
    limit: usize,
    mut parse: impl FnMut(&mut Row<'_>) -> Result<T, String>,
) -> Result<Vec<T>, Error> {
    let mut rows = Vec::new();
    each_row(request, source, columns, limit, |row| {
        rows.push(parse(row)?);
        Ok(())
    })?;
    Ok(rows)
}

/// Reads an answer that must have exactly the `columns`, in their order, and at most `limit` rows,
/// and hands over each row as it comes. Everything else that it holds is passed over: it varies by
/// release (POSTHOG.md 5.3).
///
/// # Errors
/// [`Error::Truncated`] when it ends early, [`Error::QueryRejected`] when it tells of an error
/// within, [`Error::Malformed`] when a column or a row is not as asked, or `each` says so.
pub(crate) fn each_row(
    request: &'static str,
    source: impl Read,
    columns: &[String],
    limit: usize,
    each: impl FnMut(&mut Row<'_>) -> Result<(), String>,
) -> Result<(), Error> {
    let mut answer = Answer::new(columns, limit, each);
    let mut json = serde_json::Deserializer::from_reader(source);
    let read =
        serde::de::DeserializeSeed::deserialize(&mut answer, &mut json).and_then(|()| json.end());
    let malformed = |reason: String| Error::Malformed {
        request: request.to_owned(),
        reason,
    };
    if let Some(problem) = answer.problem.take() {
        return Err(malformed(problem));
    }
    if let Err(error) = read {
        if error.is_eof() || error.is_io() {
            return Err(Error::Truncated {
                request: request.to_owned(),
            });
        }
        // serde's own message may quote customers' data.
        return Err(malformed(format!(
            "it is not the expected JSON at line {} column {}",
            error.line(),
            error.column()
        )));
    }
    if answer.is_cached {
        tracing::warn!(
            request,
            "PostHog answered from its cache although a fresh answer was asked for."
        );
    }
    answer.finish(request)
}

#[cfg(test)]
mod tests;
