//! By what clickmaps are made.

use serde::{Deserialize, Serialize};

use crate::elements::DataAttributes;
use crate::page_path::PageTemplates;

/// Whether a connection has clickmaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "clickmaps", rename_all = "camelCase")]
pub enum ClickmapPolicy {
    /// None are made, and what there was is removed.
    Off,
    /// They are made by these rules.
    On(ClickmapRules),
}

/// Which pages are one, and by what elements are told apart. Clickmaps made by other rules are made
/// anew, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClickmapRules {
    /// The templates whose pages are counted together.
    pub page_templates: PageTemplates,
    /// The attributes that name an element.
    pub data_attributes: DataAttributes,
}

impl ClickmapPolicy {
    /// The rules; `None` where there are to be no clickmaps.
    pub fn rules(&self) -> Option<&ClickmapRules> {
        match self {
            Self::Off => None,
            Self::On(rules) => Some(rules),
        }
    }
}

/// By the usual rules: what holds where nothing was said.
impl Default for ClickmapPolicy {
    fn default() -> Self {
        Self::On(ClickmapRules::default())
    }
}
