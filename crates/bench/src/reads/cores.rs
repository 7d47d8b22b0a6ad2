//! Keeps PostgreSQL on some of the machine's cores, as if it had a machine of its own.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use test_postgres::Server;

use crate::Outcome;

/// From now on sessions begin on the first half of the cores, and stay there.
pub(super) fn keep_to_half(server: &Server) -> Outcome<()> {
    let folder = server.run("postgres", "SHOW data_directory")?;
    let file = std::fs::read_to_string(format!("{folder}/postmaster.pid"))?;
    let number: i32 = file.lines().next().unwrap_or("").trim().parse()?;
    let half = std::thread::available_parallelism()?.get().div_ceil(2);
    let mut cores = CpuSet::new();
    (0..half).for_each(|core| cores.set(core));
    sched_setaffinity(Pid::from_raw(number), &cores)?;
    Ok(())
}
