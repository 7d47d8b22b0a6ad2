//! What the shop sells.

use std::sync::Arc;

use super::random::Random;

/// A product with one variant.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) handle: String,
    pub(super) title: Arc<str>,
    pub(super) id: Arc<str>,
    pub(super) sku: Arc<str>,
    pub(super) variant: u64,
    pub(super) collection: &'static str,
    /// In cents.
    pub(super) price: i64,
}

pub(super) const COLLECTIONS: [&str; 6] = [
    "linen-shirts",
    "wool-throws",
    "bags",
    "sale",
    "new-in",
    "home",
];
const COLOURS: [&str; 8] = ["Red", "Indigo", "Sand", "Moss", "Ink", "Oat", "Rust", "Sky"];
const THINGS: [&str; 8] = [
    "Shirt",
    "Throw",
    "Tote Bag",
    "Apron",
    "Cushion",
    "Scarf",
    "Tea Towel",
    "Robe",
];

/// The catalogue of a shop: every colour of every thing.
pub(super) fn products(random: &mut Random) -> Vec<Product> {
    let mut products = Vec::new();
    for (at, thing) in THINGS.iter().enumerate() {
        for colour in COLOURS {
            let title = format!("{colour} {thing}");
            let number = 8_000_000_000_000 + random.below(999_999_999_999);
            products.push(Product {
                handle: title.to_lowercase().replace(' ', "-"),
                sku: format!(
                    "{}-{}",
                    thing.get(..2).unwrap_or("XX").to_uppercase(),
                    random.between(1000, 9999)
                )
                .into(),
                id: number.to_string().into(),
                variant: number + 37_000,
                title: title.into(),
                collection: COLLECTIONS
                    .get(at % COLLECTIONS.len())
                    .copied()
                    .unwrap_or("sale"),
                price: random.between(12, 190) * 100 + 90,
            });
        }
    }
    products
}
