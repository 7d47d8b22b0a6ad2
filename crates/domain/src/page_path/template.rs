//! Pages of one template, which are one page of a clickmap: all products, all collections.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::PathPatternError;
use super::normal::normalise;
use super::pattern::PathPattern;
use crate::event::without_nul;
use crate::masking::MaskedText;

/// The most patterns of a list.
const MOST: usize = 64;

/// The longest path that is kept of a page without a template, in bytes: it is a part of database keys.
const LONGEST: usize = 512;

/// The templates whose pages are counted together, the first that matches counting: as `urlPath` of a
/// mapping is written and matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PageTemplates(Box<[PathPattern]>);

/// A page as clickmaps know it: `/products/*`, or its own path where it has no template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageTemplate(String);

/// A list of templates that cannot be used, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum PageTemplatesError {
    /// More than anybody needs.
    #[error("pageTemplates has {0} patterns: write at most 64")]
    TooMany(usize),
    /// A pattern that cannot be read.
    #[error("pageTemplates[{place}]: {fault}")]
    BadPattern {
        /// Its place in the list.
        place: usize,
        /// What is wrong with it.
        fault: PathPatternError,
    },
    /// An earlier pattern takes all its pages.
    #[error(
        "pageTemplates[{place}] {pattern:?} can match no page, for pageTemplates[{earlier}] {earlier_pattern:?} takes all of them first: write it before that one, or leave it out"
    )]
    Covered {
        /// Its place in the list.
        place: usize,
        /// The pattern.
        pattern: String,
        /// The place of the other.
        earlier: usize,
        /// The other.
        earlier_pattern: String,
    },
}

impl PageTemplates {
    /// Reads a list of patterns; with an empty one each page is by itself.
    ///
    /// # Errors
    /// [`PageTemplatesError`] says which pattern is wrong.
    pub fn parse<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, PageTemplatesError> {
        let mut read: Vec<PathPattern> = Vec::new();
        for (place, pattern) in patterns.into_iter().enumerate() {
            let pattern = PathPattern::parse(pattern)
                .map_err(|fault| PageTemplatesError::BadPattern { place, fault })?;
            if let Some(earlier) = read.iter().position(|earlier| earlier.covers(&pattern)) {
                return Err(PageTemplatesError::Covered {
                    place,
                    pattern: pattern.as_str().to_owned(),
                    earlier,
                    earlier_pattern: read[earlier].as_str().to_owned(),
                });
            }
            read.push(pattern);
        }
        match read.len() {
            0..=MOST => Ok(Self(read.into())),
            many => Err(PageTemplatesError::TooMany(many)),
        }
    }

    /// The page that somebody means by one of the patterns, or by a page's path. What [`PageTemplates::of`]
    /// answered is no path any more, and may be read as another page's.
    pub fn meant(&self, page: &str) -> PageTemplate {
        match self.patterns().find(|pattern| *pattern == page) {
            Some(pattern) => PageTemplate(pattern.to_owned()),
            None => self.of(page),
        }
    }

    /// The patterns as written.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(PathPattern::as_str)
    }

    /// The template of a page's path: the pattern as written, else the path in its normal form
    /// ([`normalise`]) and lower case, masked, without NULs ([`without_nul`]) and cut at 512 bytes.
    pub fn of(&self, path: &str) -> PageTemplate {
        if let Some(pattern) = self.0.iter().find(|pattern| pattern.matches(path)) {
            return PageTemplate(pattern.as_str().to_owned());
        }
        let path = normalise(path).to_string().to_lowercase();
        // A path that had none before it was decoded may have some now.
        let mut kept = without_nul(MaskedText::new(&path).as_str()).into_owned();
        kept.truncate(kept.floor_char_boundary(LONGEST));
        PageTemplate(kept)
    }
}

impl TryFrom<Vec<String>> for PageTemplates {
    type Error = PageTemplatesError;

    fn try_from(patterns: Vec<String>) -> Result<Self, Self::Error> {
        Self::parse(patterns.iter().map(String::as_str))
    }
}

impl From<PageTemplates> for Vec<String> {
    fn from(templates: PageTemplates) -> Self {
        templates.patterns().map(str::to_owned).collect()
    }
}

/// The pages that Shopify makes of one template each, where they are many.
impl Default for PageTemplates {
    fn default() -> Self {
        let patterns = [
            "/products/*",
            "/collections/*",
            "/collections/*/*",
            "/blogs/*",
            "/blogs/*/*",
        ];
        Self(patterns.into_iter().flat_map(PathPattern::parse).collect())
    }
}

impl PageTemplate {
    /// The page of an event that does not say where it happened.
    pub const UNKNOWN: Self = Self(String::new());

    /// What [`PageTemplates::of`] gave once, or what somebody asks for.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The template's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PageTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
