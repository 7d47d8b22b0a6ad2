//! Names of configured identity properties as HogQL identifiers: the only configured text that is
//! ever part of a query, so it is checked and quoted.

use domain::identity::IdProperty;

use crate::error::Error;

/// PostHog keeps property names of up to 400 characters.
const LONGEST: usize = 400;

/// The identity properties as columns: `id_0`, `id_1`, … in the order given, each property once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdColumns(Vec<IdColumn>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct IdColumn {
    property: String,
    quoted: String,
}

impl IdColumns {
    /// Checks and quotes the names.
    ///
    /// # Errors
    /// [`Error::IdProperty`] for a name that HogQL takes in no form.
    pub(crate) fn of(properties: &[IdProperty]) -> Result<Self, Error> {
        let mut columns: Vec<IdColumn> = Vec::new();
        for IdProperty { property, .. } in properties {
            if columns.iter().all(|column| column.property != *property) {
                columns.push(IdColumn {
                    property: property.clone(),
                    quoted: quote(property)?,
                });
            }
        }
        Ok(Self(columns))
    }

    /// The property names, in column order.
    pub(crate) fn properties(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|column| column.property.as_str())
    }

    /// `(property, expression as PostHog has typed it, column name)` of each.
    pub(crate) fn bare(&self) -> impl Iterator<Item = (&str, String, String)> {
        self.0.iter().enumerate().map(|(index, column)| {
            (
                column.property.as_str(),
                format!("properties.{}", column.quoted),
                format!("id_{index}"),
            )
        })
    }

    /// `(expression, column name)` of each. A property that PostHog has typed as a number would come
    /// as one, so each is turned to text.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().enumerate().map(|(index, column)| {
            (
                format!("toString(properties.{})", column.quoted),
                format!("id_{index}"),
            )
        })
    }
}

/// Back-quotes a name as HogQL's lexer reads it (`QUOTED_IDENTIFIER`).
fn quote(name: &str) -> Result<String, Error> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.chars().count() > LONGEST {
        "it is longer than 400 characters"
    } else if name.chars().any(char::is_control) {
        "it contains a control character"
    } else if name.contains('%') {
        // HogQL's printer refuses it: identifiers pass through a % template there.
        "it contains a percent sign"
    } else {
        let escaped = name.replace('\\', "\\\\").replace('`', "``");
        return Ok(format!("`{escaped}`"));
    };
    Err(Error::IdProperty {
        name: name.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_cannot_end_an_identifier() {
        assert_eq!(quote("plain_id").ok().as_deref(), Some("`plain_id`"));
        assert_eq!(
            quote("a` from x --").ok().as_deref(),
            Some("`a`` from x --`")
        );
        assert_eq!(quote("a\\`b").ok().as_deref(), Some("`a\\\\``b`"));
    }

    #[test]
    fn names_that_hogql_takes_in_no_form_are_refused() {
        for name in ["", "100%", "line\nbreak", &"x".repeat(401)] {
            assert!(matches!(quote(name), Err(Error::IdProperty { .. })));
        }
    }
}
