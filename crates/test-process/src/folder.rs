//! The folder that a server of a test lives in.

use std::ffi::OsStr;
use std::io::{Error, Result};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Ending, Supervised};

/// A folder under the system's temporary one, readable by nobody else. It stays until
/// [`Folder::remove_after`].
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The user and group that programs in it run as, where that is not who runs this process.
    owner: Option<(u32, u32)>,
}

impl Folder {
    /// One whose name begins with `prefix`, for programs that run as whoever runs this process.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(prefix: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir()?;
        Ok(Self {
            path: folder.keep(),
            owner: None,
        })
    }

    /// The same for programs that refuse to run as root: where this process does, they are
    /// `postgres` or else `nobody`.
    ///
    /// # Errors
    /// When it cannot be made, or there is no such user.
    pub fn new_of_common_user(prefix: &str) -> Result<Self> {
        let mut folder = Self::new(prefix)?;
        if folder.path.metadata()?.uid() == 0 {
            let (user, group) = common_user()?;
            chown(&folder.path, Some(user), Some(group))?;
            folder.owner = Some((user, group));
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs in the folder as its owner.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path);
        if let Some((user, group)) = self.owner {
            command.gid(group).uid(user);
        }
        command
    }

    /// Starts a program in the folder that goes with this process, or when it is stopped; what it
    /// says is appended to the file `log` there.
    ///
    /// # Errors
    /// When no process can be started.
    pub fn start(
        &self,
        program: &Path,
        arguments: &[String],
        log: &str,
        ending: Ending,
    ) -> Result<Supervised> {
        Supervised::start(&mut self.command("sh"), log, ending, program, arguments)
    }

    /// What a program wrote to its `log`.
    pub fn log(&self, log: &str) -> String {
        let bytes = std::fs::read(self.path.join(log)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Has the folder removed once this process and `programs` are gone.
    ///
    /// # Errors
    /// When no process can be started.
    pub fn remove_after(&self, programs: &[&Supervised]) -> Result<Supervised> {
        let mut shell = self.command("sh");
        shell.current_dir("/");
        Supervised::remove_after(&mut shell, &self.path, programs)
    }
}

/// The user and group to be when one is root.
fn common_user() -> Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let mut parts = line.split(':');
            let (user, _, id, group) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            (user == name).then_some((id.parse().ok()?, group.parse().ok()?))
        })
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .ok_or_else(|| Error::other("there is neither a user postgres nor nobody to run as"))
}
