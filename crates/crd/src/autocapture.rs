//! Clicks that PostHog captured by itself, and the clickmaps made of them.

use domain::clickmap::ClickmapRules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Clicks that PostHog captured by itself, and the clickmaps made of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Autocapture {
    /// Whether clickmaps are made, and what was clicked is kept with each event. Without, autocapture's
    /// events are counted like all others, and nothing else is known of them.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// Pages that clickmaps count together, such as /products/*: * is one part of the path, ** any
    /// number of them. The first that matches counts; a page without any is counted by itself. An
    /// empty list counts each page by itself.
    #[serde(default = "page_defaults")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 300)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub page_templates: Vec<String>,

    /// Attributes of the shop's HTML that name an element for good, such as data-attr, or data-test-*
    /// for several. The first that an element has counts.
    #[serde(default = "attribute_defaults")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 200)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub data_attributes: Vec<String>,
}

impl Default for Autocapture {
    fn default() -> Self {
        Self {
            enabled: true,
            page_templates: page_defaults(),
            data_attributes: attribute_defaults(),
        }
    }
}

fn page_defaults() -> Vec<String> {
    ClickmapRules::default().page_templates.into()
}

fn attribute_defaults() -> Vec<String> {
    ClickmapRules::default().data_attributes.into()
}

fn yes() -> bool {
    true
}
