//! One terminal shared by progress bars and log lines, so that neither tears the other.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::MultiProgress;

/// The bars being shown; empty when stderr is no terminal.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Whether a person is watching.
pub(crate) fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

/// The place to add bars to.
pub(crate) fn bars() -> &'static MultiProgress {
    &BARS
}

/// Writes log lines to stderr above the bars.
#[derive(Debug, Default)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Prints to stdout what the user asked for. A closed pipe (`| head`) is no error.
pub(crate) fn print(text: &str) {
    BARS.suspend(|| {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    });
}

/// Prints a command's failure to stderr.
pub(crate) fn print_error(text: &str) {
    BARS.suspend(|| {
        let _ = writeln!(io::stderr(), "error: {text}");
    });
}
