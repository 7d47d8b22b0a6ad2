//! Where PostgreSQL's programs are: a folder that the environment names, Debian's newest
//! version, or PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result};

/// Names the folder of the server's programs, to test against another version than the newest.
const CHOICE: &str = "TEST_POSTGRES_BIN";

/// Where Debian and its kin put each version's programs.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of the programs of one PostgreSQL version.
#[derive(Debug, Clone)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Finds them.
    ///
    /// # Errors
    /// [`Error::Missing`] when there are none.
    pub fn find() -> Result<Self> {
        let chosen = std::env::var_os(CHOICE).map(PathBuf::from);
        chosen
            .or_else(newest_of_debian)
            .or_else(|| on_path("postgres"))
            .filter(|folder| folder.join("postgres").exists())
            .map(Self)
            .ok_or(Error::Missing {
                program: "PostgreSQL server",
                package: "postgresql",
            })
    }

    /// The path of one program. A client that the folder lacks, as npm's have only the server's
    /// programs, is the installed one: it speaks with any version of the server.
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.0.join(name);
        if own.exists() {
            return own;
        }
        newest_of_debian()
            .or_else(|| on_path(name))
            .map_or(own, |folder| folder.join(name))
    }

    /// The major version.
    ///
    /// # Errors
    /// [`Error::Failed`] when the server's program cannot say.
    pub fn major(&self) -> Result<u32> {
        let said = output(Command::new(self.program("postgres")).arg("--version"))?;
        let number = said.split_whitespace().find_map(|word| {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        number.ok_or_else(|| Error::Failed {
            program: "postgres --version".to_owned(),
            why: said,
        })
    }
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?;
    let newest = versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()?;
    Some(Path::new(DEBIAN).join(newest.to_string()).join("bin"))
}

/// The folder on PATH that has a program.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join(program).exists())
}

/// Runs a program to its end and takes what it says.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = name_of(command.get_program());
    let failed = |why: String| Error::Failed {
        program: program.clone(),
        why,
    };
    let done = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !done.status.success() {
        return Err(failed(String::from_utf8_lossy(&done.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn name_of(program: &OsStr) -> String {
    Path::new(program)
        .file_name()
        .unwrap_or(program)
        .to_string_lossy()
        .into_owned()
}
