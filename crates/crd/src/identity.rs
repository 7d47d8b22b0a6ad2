//! Which event properties carry ids of the shop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::rule;

/// Which event properties carry ids of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule(
    "!self.customerIdProperties.exists(property, property in self.anonymousIdProperties)",
    "a property names either customers or anonymous visitors: remove it from customerIdProperties or from anonymousIdProperties",
)]))]
pub struct Identity {
    /// Properties whose value is a customer id of the shop.
    #[serde(default = "customer_defaults")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 200)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub customer_id_properties: Vec<String>,
    /// Properties whose value is an anonymous visitor's id in the shop.
    #[serde(default = "anonymous_defaults")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 200)))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub anonymous_id_properties: Vec<String>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            customer_id_properties: customer_defaults(),
            anonymous_id_properties: anonymous_defaults(),
        }
    }
}

fn customer_defaults() -> Vec<String> {
    ["shopify_customer_id", "customer_id"]
        .map(str::to_owned)
        .to_vec()
}

fn anonymous_defaults() -> Vec<String> {
    ["shopify_client_id", "_shopify_y", "shopify_y", "clientId"]
        .map(str::to_owned)
        .to_vec()
}
