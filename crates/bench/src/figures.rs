//! How figures are summed up and written.

use std::time::Duration;

/// Says what this was measured on.
pub(crate) fn machine() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    println!("{cores} cores for all that runs here; load before: {load}");
}

/// Begins a part.
pub(crate) fn title(title: &str) {
    println!("\n{title}");
}

/// A line of a part.
pub(crate) fn line(what: &str, figure: &str) {
    println!("  {what:<56} {figure:>20}");
}

/// Rows a second.
pub(crate) fn rate(rows: usize, time: Duration) -> f64 {
    rows as f64 / time.as_secs_f64()
}

/// The middle one, by size.
pub(crate) fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

/// A rate for a line.
pub(crate) fn rows_a_second(rates: &[f64]) -> String {
    format!("{:.0} rows/s", median(rates).unwrap_or(0.0))
}

/// The ratio of each pair that took turns, and the middle one.
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> String {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    format!(
        "{:.2} ({})",
        median(&ratios).unwrap_or(0.0),
        each.join(", ")
    )
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
