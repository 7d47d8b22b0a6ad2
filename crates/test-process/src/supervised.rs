//! A program that goes with this process.

use std::io::Result;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs the program of the arguments until standard input ends, which it does when whoever holds
/// its other end is gone, however that went.
const UNTIL_ALONE: &str = r#"signal=$1 log=$2; shift 2
"$@" </dev/null >>"$log" 2>&1 & program=$!
cat >/dev/null
exec 2>/dev/null
kill -"$signal" "$program"
wait "$program"
"#;

/// Waits for the same, then for the programs of the arguments, and removes the folder.
const CLEAN_WHEN_ALONE: &str = r#"folder=$1; shift
cat >/dev/null
for program; do
    while kill -0 "$program" 2>/dev/null; do sleep 0.1; done
done
rm -rf "$folder"
"#;

/// How a program is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGINT, which the program must handle: it ends in order.
    Orderly,
    /// SIGKILL: at once, for what it holds is thrown away.
    AtOnce,
}

/// A program that ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Supervised {
    child: Option<Child>,
}

impl Supervised {
    /// Has `shell` run the program and append what it says to the file `log` in the shell's folder.
    ///
    /// # Errors
    /// When no process can be started.
    pub(crate) fn start(
        shell: &mut Command,
        log: &str,
        ending: Ending,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self> {
        let signal = match ending {
            Ending::Orderly => "INT",
            Ending::AtOnce => "KILL",
        };
        shell
            .args(["-c", UNTIL_ALONE, "sh", signal, log])
            .arg(program)
            .args(arguments);
        Self::spawn(shell)
    }

    /// Has `shell` remove `folder` once this process and `programs` are gone.
    pub(crate) fn remove_after(
        shell: &mut Command,
        folder: &Path,
        programs: &[&Self],
    ) -> Result<Self> {
        shell.args(["-c", CLEAN_WHEN_ALONE, "sh"]).arg(folder);
        for program in programs.iter().filter_map(|program| program.child.as_ref()) {
            shell.arg(program.id().to_string());
        }
        Self::spawn(shell)
    }

    fn spawn(shell: &mut Command) -> Result<Self> {
        let child = shell
            .stdin(Stdio::piped())
            // What ends a test on a terminal must leave the program time to end in order.
            .process_group(0)
            .spawn()?;
        Ok(Self { child: Some(child) })
    }

    /// Ends the program and waits for it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop();
    }
}
