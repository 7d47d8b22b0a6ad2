//! The binary as a user runs it: its own process, its arguments, what it prints and how it ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::documents::SECRET_PART;
use super::home::Listening;
use super::wait;

/// A run that has not begun.
pub(crate) struct Program {
    command: Command,
    out: PathBuf,
    err: PathBuf,
}

impl Program {
    /// Nothing of the machine's settings or of whoever runs the tests reaches the program.
    pub(crate) fn new(home: &Path, output: &Path, arguments: &[&str]) -> Self {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ordinary-posthog"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .current_dir(home)
            .stdin(Stdio::null());
        Self {
            command,
            out: output.join(format!("{number}.out")),
            err: output.join(format!("{number}.err")),
        }
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn documents(mut self, path: &Path) -> Self {
        self.command.arg("-f").arg(path);
        self
    }

    /// The stand-in is plain http on loopback, which policy forbids by itself.
    pub(crate) fn reaching_loopback(self) -> Self {
        self.arguments(&["--allow-insecure-host", "127.0.0.1"])
    }

    pub(crate) fn listening(self, on: Listening) -> Self {
        let (grpc, admin) = (on.grpc.to_string(), on.admin.to_string());
        self.arguments(&["--grpc-addr", &grpc, "--admin-addr", &admin])
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, file: &Path) -> Self {
        self.command.stdin(File::open(file).unwrap());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let child = self
            .command
            .stdout(File::create(&self.out).unwrap())
            .stderr(File::create(&self.err).unwrap())
            .spawn()
            .unwrap();
        Running {
            child,
            out: self.out,
            err: self.err,
        }
    }

    /// Runs to the end.
    pub(crate) async fn run(self) -> Ended {
        self.start().ended().await
    }
}

/// A process; killed when dropped.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// What it has printed so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.out)
    }

    /// What it has logged so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.err)
    }

    /// What `look` finally gives; fails with the program's output when it ends before.
    pub(crate) async fn until<T>(&mut self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        let found = wait::within(wait::PATIENCE, watched(&mut self.child, look)).await;
        match found {
            Some(Ok(found)) => found,
            Some(Err(status)) => panic!(
                "the program ended ({status}) before {what}\n{}",
                self.output()
            ),
            None => panic!("waited in vain: {what}\n{}", self.output()),
        }
    }

    /// Waits until the log has this part.
    pub(crate) async fn until_it_logs(&mut self, part: &str) {
        let log = self.err.clone();
        let what = format!("it logs {part:?}");
        self.until(&what, async || read(&log).contains(part).then_some(()))
            .await;
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// What a service manager sends.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`, for the standard library knows SIGKILL alone and not every
        // system has the program.
        let sent = Command::new("sh")
            .args([
                "-c",
                "kill -s \"$0\" \"$1\"",
                name,
                &self.child.id().to_string(),
            ])
            .status()
            .unwrap();
        assert!(
            sent.success(),
            "the program had ended before it was sent {name}\n{}",
            self.output()
        );
    }

    /// kill -9.
    pub(crate) async fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.ended().await
    }

    /// Waits for the end.
    pub(crate) async fn ended(mut self) -> Ended {
        let child = &mut self.child;
        let status = wait::within(wait::PATIENCE, async || child.try_wait().unwrap()).await;
        let Some(status) = status else {
            panic!("the program does not end\n{}", self.output());
        };
        let ended = Ended {
            code: status.code(),
            stdout: self.stdout(),
            stderr: self.stderr(),
        };
        for text in [&ended.stdout, &ended.stderr] {
            assert!(
                !text.contains(SECRET_PART),
                "the API key was printed\n{ended}"
            );
        }
        ended
    }

    fn output(&self) -> String {
        format!(
            "--- stdout\n{}\n--- stderr\n{}",
            self.stdout(),
            self.stderr()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `look`, or how the process ended when it has.
fn watched<T>(
    child: &mut Child,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> impl AsyncFnMut() -> Option<Result<T, ExitStatus>> {
    async move || {
        let found = look().await.map(Ok);
        found.or_else(|| child.try_wait().unwrap().map(Err))
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Absent when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails unless it ended so.
    #[track_caller]
    pub(crate) fn with_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails unless each of these parts was printed somewhere.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            let said = self.stdout.contains(part) || self.stderr.contains(part);
            assert!(said, "nothing says {part:?}\n{self}");
        }
        self
    }

    /// Fails if any of these parts was printed.
    #[track_caller]
    pub(crate) fn does_not_say(&self, parts: &[&str]) -> &Self {
        for part in parts {
            let said = self.stdout.contains(part) || self.stderr.contains(part);
            assert!(!said, "something says {part:?}\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}
