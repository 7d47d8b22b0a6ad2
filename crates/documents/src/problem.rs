//! What is wrong in which line of which file, as one sentence with the fix.

use std::fmt;

/// Which kind of trouble it is, for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemClass {
    /// A document cannot be used as it is written.
    Configuration,
    /// The API key is not a personal one.
    WrongKindOfKey,
}

/// One thing that is wrong, or for a warning, probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user named it, or `standard input`.
    pub file: String,
    /// The line, from 1, where one is to blame.
    pub line: Option<u64>,
    /// The field, as `spec.refresh.lookback`, where one is to blame.
    pub path: Option<String>,
    /// What is wrong and the fix. Never contains an API key.
    pub message: String,
    /// Which kind of trouble it is.
    pub class: ProblemClass,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why nothing was loaded: all problems of all files. Shown one to a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
    /// What is probably not meant.
    pub warnings: Vec<Problem>,
}

impl Refused {
    /// Whether all would be well with another API key.
    pub fn is_only_wrong_keys(&self) -> bool {
        self.problems
            .iter()
            .all(|problem| problem.class == ProblemClass::WrongKindOfKey)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// What a load has found so far.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

impl Report {
    /// Takes a problem in, unless the same field of the same document has one already: a value
    /// that is no text is not also missing.
    pub(crate) fn refuse(&mut self, problem: Problem) {
        let told = self.problems.iter().any(|known| {
            problem.path.is_some()
                && (&known.file, known.line, &known.path)
                    == (&problem.file, problem.line, &problem.path)
        });
        if !told {
            self.problems.push(problem);
        }
    }
}
