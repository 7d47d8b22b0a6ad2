//! The files behind `-f`: a file, a folder of YAML files, or `-` for standard input.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use secrecy::{ExposeSecret, SecretString};

use crate::document::Origin;

/// The most bytes of one file: a Kubernetes object of more cannot be stored either.
const LARGEST: u64 = 2 * 1024 * 1024;

/// A file that could be read.
pub(crate) struct Input {
    pub(crate) origin: Rc<Origin>,
    pub(crate) text: SecretString,
}

/// A file that could not be read, by the name that the user knows.
pub(crate) struct InputError {
    pub(crate) name: String,
    pub(crate) message: String,
}

/// Texts that can be read only once: standard input and pipes.
pub(crate) type ReadOnce = BTreeMap<PathBuf, SecretString>;

/// Whether a path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The files that a path stands for: itself, or the YAML files of a folder by name. Hidden files
/// are left out, so that the folder of a mounted ConfigMap holds each file once.
pub(crate) fn files_of(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let yaml = file
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads everything that `paths` stand for; a file that is named twice is read once.
pub(crate) fn read_all(paths: &[PathBuf], once: &mut ReadOnce) -> Vec<Result<Input, InputError>> {
    let mut seen = Vec::new();
    let mut inputs = Vec::new();
    for path in paths {
        let files = if is_stdin(path) {
            Ok(vec![path.clone()])
        } else {
            files_of(path)
        };
        let refuse = |message: &str| InputError {
            name: path.display().to_string(),
            message: message.to_owned(),
        };
        match files {
            Err(error) => inputs.push(Err(refuse(&unreadable(&error)))),
            Ok(files) if files.is_empty() => inputs.push(Err(refuse(
                "is a folder without a .yaml file: put the documents there or name another",
            ))),
            Ok(files) => {
                for file in files {
                    let identity = file.canonicalize().unwrap_or_else(|_| file.clone());
                    if !seen.contains(&identity) {
                        seen.push(identity);
                        inputs.push(read(&file, once));
                    }
                }
            }
        }
    }
    inputs
}

fn read(path: &Path, once: &mut ReadOnce) -> Result<Input, InputError> {
    let (name, folder) = if is_stdin(path) {
        ("standard input".to_owned(), PathBuf::new())
    } else {
        (
            path.display().to_string(),
            path.parent().map(Path::to_owned).unwrap_or_default(),
        )
    };
    match text_of(path, once) {
        Ok(text) => Ok(Input {
            origin: Rc::new(Origin { name, folder }),
            text,
        }),
        Err(message) => Err(InputError { name, message }),
    }
}

fn text_of(path: &Path, once: &mut ReadOnce) -> Result<SecretString, String> {
    if let Some(text) = once.get(path) {
        return Ok(SecretString::from(text.expose_secret()));
    }
    if is_stdin(path) {
        let text = bounded(std::io::stdin().lock())?;
        once.insert(path.to_owned(), SecretString::from(text.expose_secret()));
        return Ok(text);
    }
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    let again = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let text = bounded(file)?;
    if !again {
        once.insert(path.to_owned(), SecretString::from(text.expose_secret()));
    }
    Ok(text)
}

fn bounded(reader: impl Read) -> Result<SecretString, String> {
    let mut bytes = Vec::new();
    reader
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 2 MiB: split it into several files".to_owned());
    }
    String::from_utf8(bytes)
        .map(SecretString::from)
        .map_err(|_| "is not UTF-8 text: save it as UTF-8".to_owned())
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot be read ({error}): check the path and its rights")
}
