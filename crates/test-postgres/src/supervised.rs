//! A folder and a program in it that both go with this process.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Error, Result};

/// Runs the program of the arguments until standard input ends, which it does when whoever holds
/// its other end is gone, however that went.
const UNTIL_ALONE: &str = r#""$@" >>log 2>&1 & program=$!
cat >/dev/null
kill -INT "$program" 2>/dev/null
wait "$program"
"#;

/// The same, and removes the folder.
const UNTIL_ALONE_AND_CLEAN: &str = r#"folder=$1; shift
cat >/dev/null
while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
rm -rf "$folder"
"#;

/// A folder under the system's temporary one that belongs to a user who is not root.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The user and group, where this process is root: PostgreSQL and its pooler refuse root.
    owner: Option<(u32, u32)>,
}

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("test-pg-").tempdir()?;
        let is_root = folder.path().metadata()?.uid() == 0;
        let owner = if is_root { Some(nobody()?) } else { None };
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        Ok(Self {
            path: folder.keep(),
            owner,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs in the folder as its owner.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.path);
        if let Some((user, group)) = self.owner {
            command.gid(group).uid(user);
        }
        command
    }

    /// Starts a program in the folder that goes with this process, or when it is stopped.
    pub(crate) fn start(&self, program: &Path, arguments: &[String]) -> Result<Supervised> {
        let child = self
            .command("sh")
            .args(["-c", UNTIL_ALONE, "sh"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            // What ends a test on a terminal must leave the program time to end in order.
            .process_group(0)
            .spawn()?;
        Ok(Supervised { child: Some(child) })
    }

    /// What the folder's program wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path.join("log")).unwrap_or_default()
    }

    /// Has the folder removed once this process and `program` are gone.
    pub(crate) fn remove_after(&self, program: &Supervised) -> Result<Supervised> {
        let id = program.child.as_ref().map_or(0, Child::id).to_string();
        let child = self
            .command("sh")
            .current_dir("/")
            .args(["-c", UNTIL_ALONE_AND_CLEAN, "sh"])
            .arg(&self.path)
            .arg(id)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Supervised { child: Some(child) })
    }
}

/// A program that ends when this is dropped, or with the process.
#[derive(Debug)]
pub(crate) struct Supervised {
    child: Option<Child>,
}

impl Supervised {
    /// Ends the program and waits for it.
    pub(crate) fn stop(&mut self) {
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

/// The user and group to be when one is root.
fn nobody() -> Result<(u32, u32)> {
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
        .ok_or_else(|| Error::Failed {
            program: "looking for a user to run as".to_owned(),
            why: "there is neither postgres nor nobody".to_owned(),
        })
}
