//! `crds`: prints the CustomResourceDefinition that a cluster is given.

use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure};
use crate::terminal;

/// The arguments of `crds`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    /// Prints or writes the definition: the same text at every call.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let definition = crd::generate_crd();
        match &self.out {
            None => {
                terminal::print(&definition);
                Ok(())
            }
            Some(file) => {
                std::fs::write(file, definition).map_err(|error| unwritable(file, &error))
            }
        }
    }
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Configuration,
        format!(
            "--out {} cannot be written ({error}): name a file in a folder that exists and that you may write to.",
            file.display()
        ),
    )
}
