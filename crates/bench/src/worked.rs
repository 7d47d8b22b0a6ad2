//! How long a process has had a core: what it costs, whoever else is running.

use std::time::Duration;

use crate::Outcome;

/// What Linux counts the times of a process in, on every machine: hundredths of a second.
const TICKS: f64 = 100.0;

/// The time that a process, with all of its threads, has worked since it began.
pub(crate) fn worked(process: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold spaces; the times are the 14th and 15th field.
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
    let ticks: f64 = ticks.sum::<Result<f64, _>>()?;
    Ok(Duration::from_secs_f64(ticks / TICKS))
}
