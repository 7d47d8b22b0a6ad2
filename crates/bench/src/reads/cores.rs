//! Divides the machine's cores, as if PostgreSQL had a machine of its own.

use std::fs::read_dir;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use test_postgres::Server;

use crate::Outcome;

/// From now on sessions begin on the first half of the cores and stay there; this process, and what
/// it starts, keeps to the others.
pub(super) fn divide(server: &Server) -> Outcome<()> {
    let folder = server.run("postgres", "SHOW data_directory")?;
    let file = std::fs::read_to_string(format!("{folder}/postmaster.pid"))?;
    let postmaster = file.lines().next().unwrap_or("").trim().parse()?;
    let all = std::thread::available_parallelism()?.get();
    if all < 2 {
        return Err(
            "one core cannot be divided: run this part on a machine with two or more".into(),
        );
    }
    keep(postmaster, 0..all.div_ceil(2))?;
    for task in read_dir("/proc/self/task")? {
        let number = task?.file_name().to_string_lossy().parse()?;
        keep(number, all.div_ceil(2)..all)?;
    }
    Ok(())
}

/// Keeps a thread, and what it starts later, to some cores.
fn keep(thread: i32, cores: std::ops::Range<usize>) -> Outcome<()> {
    let mut set = CpuSet::new();
    cores.for_each(|core| set.set(core));
    sched_setaffinity(Pid::from_raw(thread), &set)?;
    Ok(())
}
