//! A session that keeps tables locked.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::{Error, Result};

/// Keeps tables from everybody else, readers too, until dropped.
#[derive(Debug)]
pub struct TableLock {
    psql: Child,
}

impl TableLock {
    /// Locks the tables in a session of `psql`, and returns once they are.
    pub(crate) fn take(psql: &mut Command, tables: &[&str]) -> Result<Self> {
        let psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut lock = Self { psql };
        let tables = tables.join(", ");
        let script =
            format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n");
        if let Some(input) = &mut lock.psql.stdin {
            input.write_all(script.as_bytes())?;
        }
        let mut said = String::new();
        if let Some(output) = lock.psql.stdout.take() {
            BufReader::new(output).read_line(&mut said)?;
        }
        // It ends without a word when it fails.
        if said.trim() != "locked" {
            return Err(Error::Failed {
                program: "psql".to_owned(),
                why: format!("it could not lock {tables}"),
            });
        }
        Ok(lock)
    }
}

impl Drop for TableLock {
    fn drop(&mut self) {
        // At the end of its input the session ends, and with it its transaction.
        drop(self.psql.stdin.take());
        let _ = self.psql.wait();
    }
}
