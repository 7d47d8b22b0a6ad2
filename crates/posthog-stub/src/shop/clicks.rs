//! Autocapture: what is clicked, as an elements chain (POSTHOG.md 7.7).

use super::random::Random;

/// A kind of element that visitors click.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) text: &'static str,
    chain: &'static str,
}

pub(super) const ELEMENTS: [Element; 7] = [
    Element {
        text: "Add to cart",
        chain: r#"button.btn.btn--primary:attr__type="submit"attr_id="add-to-cart"nth-child="3"nth-of-type="1"text="Add to cart";form.product-form:attr__action="/cart/add"nth-child="2"nth-of-type="1";main:attr_id="main"nth-child="4"nth-of-type="1";body:nth-child="2"nth-of-type="1""#,
    },
    Element {
        text: "Size guide",
        chain: r#"a.link.size-guide:href="/pages/size-guide"nth-child="2"nth-of-type="1"text="Size guide";div.product__info:nth-child="2"nth-of-type="2";body:nth-child="2"nth-of-type="1""#,
    },
    Element {
        text: "Search",
        chain: r#"button.header__search:attr__aria-label="Search; \"all\" products"nth-child="1"nth-of-type="1"text="Search";header.header:nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1""#,
    },
    Element {
        text: "Menu",
        chain: r#"button.sm:hidden.menu-toggle:attr__aria-expanded="false"nth-child="1"nth-of-type="1"text="Menu";nav:nth-child="2"nth-of-type="1";body:nth-child="2"nth-of-type="1""#,
    },
    Element {
        text: "New in: linen; wool",
        chain: r#"a.hero__link:href="/collections/new-in?sort=a:b"nth-child="1"nth-of-type="1"text="New in: linen; wool";section.hero:nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1""#,
    },
    Element {
        text: "Check out",
        chain: r#"button.cart__checkout:attr__name="checkout"nth-child="4"nth-of-type="2"text="Check out";form:attr__action="/cart"nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1""#,
    },
    Element {
        text: "",
        chain: r#"img.product__media:attr__alt="Red Shirt, front"nth-child="1"nth-of-type="1";div.gallery:nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1""#,
    },
];

impl Element {
    pub(super) fn any(random: &mut Random) -> &'static Self {
        random.favourite(&ELEMENTS).unwrap_or(&ELEMENTS[0])
    }

    pub(super) fn chain(&self) -> &'static str {
        self.chain
    }
}
