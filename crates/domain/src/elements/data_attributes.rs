//! Which attributes a shop gives its elements so that they can be told apart: PostHog's project
//! setting "data attributes".

use serde::{Deserialize, Serialize};

use super::chain::Element;
use super::name::is_name;

/// The most that PostHog looks at (`_MAX_DATA_ATTRIBUTES` in `posthog/models/element/element.py`).
const MOST: usize = 50;

/// Names of attributes, each perhaps with `*` for any run of characters; an earlier one wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct DataAttributes(Box<[Box<str>]>);

/// A list of attributes that cannot be used, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
pub enum DataAttributesError {
    /// More than PostHog looks at.
    #[error("dataAttributes has {0} names: write at most 50, as PostHog looks at no more")]
    TooMany(usize),
    /// A name that HTML attributes cannot have.
    #[error(
        "dataAttributes[{place}] {given:?} is no attribute's name: write letters, digits, - and _, with * for any of them, such as data-attr or data-test-*"
    )]
    NoName {
        /// Its place in the list.
        place: usize,
        /// The value as given.
        given: String,
    },
    /// The name as it stands in an elements chain.
    #[error(
        "dataAttributes[{place}] {given:?} begins as in PostHog's elements chain: write {name:?}"
    )]
    Prefixed {
        /// Its place in the list.
        place: usize,
        /// The value as given.
        given: String,
        /// What to write instead.
        name: String,
    },
}

impl DataAttributes {
    /// Checks a list of names; an empty one names no element.
    ///
    /// # Errors
    /// [`DataAttributesError`] says which name is wrong.
    pub fn parse<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, DataAttributesError> {
        let names: Vec<&str> = names.into_iter().collect();
        if names.len() > MOST {
            return Err(DataAttributesError::TooMany(names.len()));
        }
        for (place, name) in names.iter().enumerate() {
            let given = || (*name).to_owned();
            if let Some(bare) = name.strip_prefix("attr__") {
                return Err(DataAttributesError::Prefixed {
                    place,
                    given: given(),
                    name: bare.to_owned(),
                });
            }
            if name.is_empty() || !name.bytes().all(|byte| is_of_a_name(byte) || byte == b'*') {
                return Err(DataAttributesError::NoName {
                    place,
                    given: given(),
                });
            }
        }
        Ok(Self(names.into_iter().map(Box::from).collect()))
    }

    /// The element's name and value of the first of these attributes whose value names it for good.
    pub(super) fn of<'a>(&self, element: &Element<'a>) -> Option<(&'a str, String)> {
        self.0.iter().find_map(|wanted| {
            element.pairs().find_map(|(key, value)| {
                let attribute = key.strip_prefix("attr__")?;
                let takes = takes(wanted, attribute) && attribute.bytes().all(is_of_a_name);
                let value = value.text();
                (takes && is_name(&value)).then(|| (attribute, value.into_owned()))
            })
        })
    }
}

impl TryFrom<Vec<String>> for DataAttributes {
    type Error = DataAttributesError;

    fn try_from(names: Vec<String>) -> Result<Self, Self::Error> {
        Self::parse(names.iter().map(String::as_str))
    }
}

impl From<DataAttributes> for Vec<String> {
    fn from(names: DataAttributes) -> Self {
        names.0.into_iter().map(String::from).collect()
    }
}

/// `data-attr` alone, as PostHog's projects begin with.
impl Default for DataAttributes {
    fn default() -> Self {
        Self(["data-attr".into()].into())
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether a name is what was written, where each `*` is any run of characters.
fn takes(wanted: &str, name: &str) -> bool {
    let Some((head, rest)) = wanted.split_once('*') else {
        return wanted == name;
    };
    let Some(mut left) = name.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match left.find(part) {
            Some(found) => left = &left[found + part.len()..],
            None => return false,
        }
    }
    left.ends_with(tail)
}
