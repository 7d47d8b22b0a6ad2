//! Whether clickmaps are made, and by what.

use domain::clickmap::{ClickmapPolicy, ClickmapRules};
use domain::elements::{DataAttributes, DataAttributesError};
use domain::page_path::{PageTemplates, PageTemplatesError, PathPatternError};

use super::Problems;
use crate::autocapture::Autocapture;

const PAGES: &str = "spec.autocapture.pageTemplates";
const ATTRIBUTES: &str = "spec.autocapture.dataAttributes";

/// What is written, also where clickmaps are off: a mistake is not to wait until they are on.
pub(super) fn clickmaps(problems: &mut Problems, written: &Autocapture) -> Option<ClickmapPolicy> {
    let pages = PageTemplates::parse(written.page_templates.iter().map(String::as_str))
        .map_err(|error| {
            let (path, message) = of_pages(&error);
            problems.add(path, message);
        })
        .ok();
    let attributes = DataAttributes::parse(written.data_attributes.iter().map(String::as_str))
        .map_err(|error| {
            let (path, message) = of_attributes(&error);
            problems.add(path, message);
        })
        .ok();
    let rules = ClickmapRules {
        page_templates: pages?,
        data_attributes: attributes?,
    };
    Some(if written.enabled {
        ClickmapPolicy::On(rules)
    } else {
        ClickmapPolicy::Off
    })
}

/// The field, and the rest of the sentence.
fn of_pages(error: &PageTemplatesError) -> (String, String) {
    match error {
        PageTemplatesError::TooMany(_) => (PAGES.to_owned(), bare(error, "pageTemplates ")),
        PageTemplatesError::BadPattern {
            place,
            fault: PathPatternError::Empty,
        } => (
            format!("{PAGES}[{place}]"),
            "is empty: write a path such as /products/*, or remove it".to_owned(),
        ),
        PageTemplatesError::BadPattern { place, fault } => {
            (format!("{PAGES}[{place}]"), bare(fault, "urlPath "))
        }
        PageTemplatesError::Covered { place, .. } => (
            format!("{PAGES}[{place}]"),
            bare(error, &format!("pageTemplates[{place}] ")),
        ),
    }
}

fn of_attributes(error: &DataAttributesError) -> (String, String) {
    match error {
        DataAttributesError::TooMany(_) => (ATTRIBUTES.to_owned(), bare(error, "dataAttributes ")),
        DataAttributesError::NoName { place, .. } | DataAttributesError::Prefixed { place, .. } => {
            (
                format!("{ATTRIBUTES}[{place}]"),
                bare(error, &format!("dataAttributes[{place}] ")),
            )
        }
    }
}

/// A message without the field's name, which the path says.
fn bare(error: &impl std::fmt::Display, field: &str) -> String {
    let message = error.to_string();
    message.strip_prefix(field).unwrap_or(&message).to_owned()
}
