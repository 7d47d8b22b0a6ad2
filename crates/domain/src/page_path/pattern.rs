//! `urlPath` patterns, read once and matched millions of times.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::error::PathPatternError;
use super::normal::{is_collections, is_locale, normalise};

/// A checked `urlPath` pattern: `*` is exactly one segment, `**` any number; letters compare
/// case-insensitively. Shopify's data views of a page (`.json`, `.js`, `.xml`, `.oembed`) are no
/// pages: only a segment written out takes them, never `*` or `**`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    text: String,
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// `*`.
    One,
    /// `**`.
    Any,
    /// Percent-decoded and folded to lower case.
    Literal(Box<str>),
}

impl PathPattern {
    /// Reads a pattern such as `/products/*`.
    ///
    /// # Errors
    /// [`PathPatternError`] says what to write instead.
    pub fn parse(pattern: &str) -> Result<Self, PathPatternError> {
        let given = || pattern.to_owned();
        if pattern.is_empty() {
            return Err(PathPatternError::Empty);
        }
        if pattern.trim() != pattern || pattern.contains(char::is_control) {
            return Err(PathPatternError::Unclean(given()));
        }
        if let Some((_, rest)) = pattern.split_once("://") {
            let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
            return Err(PathPatternError::Address {
                given: given(),
                path: path.to_owned(),
            });
        }
        let Some(relative) = pattern.strip_prefix('/') else {
            return Err(PathPatternError::NotAbsolute(given()));
        };
        if let Some(end) = pattern.find(['?', '#']) {
            return Err(PathPatternError::Query {
                given: given(),
                path: pattern[..end].to_owned(),
            });
        }
        // The home page alone is no segment rather than an empty one.
        let written: Vec<&str> = match relative {
            "" => Vec::new(),
            _ => relative.split('/').collect(),
        };
        if written.contains(&"") {
            return Err(PathPatternError::EmptySegment {
                given: given(),
                path: joined(written.into_iter().filter(|segment| !segment.is_empty())),
            });
        }
        let segments = written
            .iter()
            .map(|segment| Segment::parse(pattern, segment))
            .collect::<Result<_, _>>()?;
        match reachable(&written) {
            Some(path) => Err(PathPatternError::Dropped {
                given: given(),
                path,
            }),
            None => Ok(Self {
                text: pattern.to_owned(),
                segments,
            }),
        }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a page's path (as stored: without query and fragment) is one that the pattern means.
    pub fn matches(&self, path: &str) -> bool {
        let path = normalise(path);
        let mut wanted = &self.segments[..];
        if path.segments().last().is_some_and(is_data_view) {
            while let [rest @ .., Segment::Any] = wanted {
                wanted = rest;
            }
            if !matches!(wanted, [.., Segment::Literal(_)]) {
                return false;
            }
        }
        matches_segments(wanted, path.segments(), |one, segment| one.takes(segment))
    }

    /// Whether this pattern surely matches every page that another does.
    pub fn covers(&self, other: &Self) -> bool {
        let bare = other
            .segments
            .iter()
            .rfind(|segment| **segment != Segment::Any);
        // Such a page is matched by those alone that write it out.
        if matches!(bare, Some(Segment::Literal(literal)) if is_data_view(literal)) {
            return self.segments == other.segments;
        }
        matches_segments(&self.segments, other.segments.iter(), |one, segment| {
            *one == Segment::Any
                || (*one == Segment::One && **segment != Segment::Any)
                || one == *segment
        })
    }
}

impl Segment {
    fn parse(pattern: &str, segment: &str) -> Result<Self, PathPatternError> {
        match segment {
            "*" => Ok(Self::One),
            "**" => Ok(Self::Any),
            _ if segment.contains('*') => Err(PathPatternError::PartialWildcard {
                given: pattern.to_owned(),
                segment: segment.to_owned(),
            }),
            _ => {
                let decoded = percent_decode_str(segment).decode_utf8_lossy();
                Ok(Self::Literal(folded(&decoded).collect()))
            }
        }
    }

    fn takes(&self, segment: &str) -> bool {
        match self {
            Self::One | Self::Any => true,
            Self::Literal(literal) if segment.is_ascii() => literal.eq_ignore_ascii_case(segment),
            Self::Literal(literal) => literal.chars().eq(folded(segment)),
        }
    }
}

/// Whether all of `path` is taken by all of `wanted`. A mismatch goes back to the last `**` and
/// lets it take one segment more, so the work is at most the product of both lengths.
fn matches_segments<T: Copy>(
    wanted: &[Segment],
    path: impl Iterator<Item = T> + Clone,
    takes: impl Fn(&Segment, &T) -> bool,
) -> bool {
    let mut place = (0, path);
    let mut last_any = None;
    loop {
        let (next, mut rest) = place.clone();
        let Some(segment) = rest.next() else {
            return wanted[next..].iter().all(|left| *left == Segment::Any);
        };
        place = match wanted.get(next) {
            Some(Segment::Any) => {
                last_any = Some((next + 1, rest));
                (next + 1, place.1)
            }
            Some(one) if takes(one, &segment) => (next + 1, rest),
            _ => {
                let Some((after_any, from)) = &mut last_any else {
                    return false;
                };
                let again = (*after_any, from.clone());
                from.next();
                again
            }
        };
    }
}

/// What to write instead of a pattern that begins with segments that normal paths never have.
fn reachable(written: &[&str]) -> Option<String> {
    let without_locale = match written {
        [locale, rest @ ..] if is_locale(locale) => rest,
        _ => written,
    };
    let rest = match without_locale {
        [collections, handle, rest @ ..]
            if is_collections(collections)
                && *handle != "**"
                && rest
                    .first()
                    .is_some_and(|next| next.eq_ignore_ascii_case("products")) =>
        {
            rest
        }
        _ => without_locale,
    };
    (rest.len() < written.len()).then(|| joined(rest.iter().copied()))
}

fn joined<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    let path: String = segments.map(|segment| format!("/{segment}")).collect();
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Whether a page's last segment asks Shopify for data instead of a page.
fn is_data_view(segment: &str) -> bool {
    segment.rsplit_once('.').is_some_and(|(_, extension)| {
        ["json", "js", "xml", "oembed"]
            .iter()
            .any(|data| data.eq_ignore_ascii_case(extension))
    })
}

impl TryFrom<String> for PathPattern {
    type Error = PathPatternError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        Self::parse(&value)
    }
}

impl From<PathPattern> for String {
    fn from(value: PathPattern) -> Self {
        value.text
    }
}
