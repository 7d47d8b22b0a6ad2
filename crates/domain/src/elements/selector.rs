//! The CSS selector that names an element the same way click after click.

use std::fmt;

use super::chain::{Element, ElementsChain};
use super::data_attributes::DataAttributes;
use super::name::is_name;

/// The longest selector, in bytes: it is a part of database keys.
const LONGEST: usize = 1024;

/// The longest tag that is written out.
const LONGEST_TAG: usize = 32;

/// Names an element of a page: `[data-attr="add-to-cart"]`, `[id="cart"]`, or the way to it from the
/// nearest ancestor that has such a name, else from the page's body:
/// `[id="main"] > div:nth-of-type(2) > button:nth-of-type(1)`.
///
/// As in PostHog's toolbar (`elementToSelector`) a data attribute goes before an id, and generated
/// ids are left out. Unlike there, a way has no classes, texts and addresses: those change with an
/// element's state (`is-open`), language and product, and then its clicks would be counted apart.
/// Nothing in it is e-mail-like or card-like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    css: String,
    basis: Basis,
}

/// What a selector rests on: the less of the page's layout, the longer it holds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
)]
pub enum Basis {
    /// One of the element's data attributes.
    DataAttribute,
    /// The element's id.
    Id,
    /// Its place in the page.
    Path,
}

impl Selector {
    /// The selector of the element at `target`, where 0 is the innermost; `None` if the chain has no
    /// such element. At most 1,024 bytes: of a longer way the outer steps are left out.
    pub fn of(chain: &ElementsChain<'_>, target: usize, names: &DataAttributes) -> Option<Self> {
        let elements = chain.elements().get(target..)?;
        let element = elements.first()?;
        if let Some((css, basis)) = name_of(element, names) {
            return Some(Self { css, basis });
        }
        let mut css = step(element);
        for ancestor in &elements[1..] {
            let name = name_of(ancestor, names).map(|(name, _)| name);
            let is_last = name.is_some();
            let outer = name.unwrap_or_else(|| step(ancestor));
            if outer.len() + " > ".len() + css.len() > LONGEST {
                break;
            }
            css = format!("{outer} > {css}");
            if is_last {
                break;
            }
        }
        let basis = Basis::Path;
        Some(Self { css, basis })
    }

    /// The selector's text.
    pub fn as_str(&self) -> &str {
        &self.css
    }

    /// What it rests on.
    pub fn basis(&self) -> Basis {
        self.basis
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.css)
    }
}

/// What names an element by itself.
fn name_of(element: &Element<'_>, names: &DataAttributes) -> Option<(String, Basis)> {
    if let Some((attribute, value)) = names.of(element) {
        return Some((has(attribute, &value), Basis::DataAttribute));
    }
    let id = element.id()?.text();
    is_name(&id).then(|| (has("id", &id), Basis::Id))
}

/// A selector by attribute; in a CSS string only a backslash, its quote and line breaks need an
/// escape (css-syntax-3), and names have no line breaks.
fn has(attribute: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', r#"\""#);
    format!("[{attribute}=\"{value}\"]")
}

/// An element by its place among its siblings.
fn step(element: &Element<'_>) -> String {
    let plain = |tag: &&str| {
        tag.len() <= LONGEST_TAG
            && tag.starts_with(|c: char| c.is_ascii_alphabetic())
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let tag = element.tag().filter(plain);
    match (tag, element.nth_of_type(), element.nth_child()) {
        (Some(tag @ ("body" | "html")), _, _) => tag.to_owned(),
        (Some(tag), Some(nth), _) => format!("{tag}:nth-of-type({nth})"),
        (_, _, Some(nth)) => format!("{}:nth-child({nth})", tag.unwrap_or("*")),
        _ => tag.unwrap_or("*").to_owned(),
    }
}
