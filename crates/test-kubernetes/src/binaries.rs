//! Where Kubernetes' programs are: in the folder that the environment names, as envtest's users
//! have it, and what is missing there as the repository builds it from pinned sources.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Names a folder of programs to use instead of building them: the variable of envtest.
const CHOICE: &str = "KUBEBUILDER_ASSETS";

/// Builds what its cache does not hold, and prints the folder.
const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kubernetes/build");

/// Where one version's programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    chosen: Option<PathBuf>,
    built: Option<PathBuf>,
}

impl Binaries {
    /// Finds them, or builds those that a cluster needs: that takes minutes, once.
    ///
    /// # Errors
    /// [`Error::Assets`] when the environment names a wrong folder, [`Error::Failed`] with what
    /// keeps them from being built.
    pub fn find() -> Result<Self> {
        let chosen = std::env::var_os(CHOICE)
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        if let Some(chosen) = &chosen
            && !(chosen.join("kube-apiserver").exists() && chosen.join("etcd").exists())
        {
            return Err(Error::Assets {
                folder: chosen.clone(),
            });
        }
        let complete = chosen.as_ref().is_some_and(|folder| {
            ["kube-controller-manager", "kubectl"]
                .iter()
                .all(|program| folder.join(program).exists())
        });
        let built = if complete { None } else { Some(build()?) };
        Ok(Self { chosen, built })
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        let chosen = self.chosen.as_ref().map(|folder| folder.join(name));
        chosen
            .filter(|path| path.exists())
            .or_else(|| self.built.as_ref().map(|folder| folder.join(name)))
            .unwrap_or_else(|| Path::new(name).to_owned())
    }
}

fn build() -> Result<PathBuf> {
    let failed = |why: String| Error::Failed {
        program: "tests/kubernetes/build".to_owned(),
        why,
    };
    // What it says on the way is for whoever waits for it.
    let done = Command::new(BUILD)
        .arg("control-plane")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !done.status.success() {
        return Err(failed("what it said is above".to_owned()));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&done.stdout).trim()))
}
