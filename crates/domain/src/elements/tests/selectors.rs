//! Selectors name one element of a page, and the same one whatever else of it changes.

use proptest::prelude::*;

use super::written::{Captured, captured, write};
use super::*;
use crate::masking::is_harmless;

fn selector(chain: &str) -> String {
    let chain = ElementsChain::parse(chain).unwrap();
    Selector::of(&chain, 0, &DataAttributes::default())
        .unwrap()
        .to_string()
}

#[test]
fn a_data_attribute_goes_before_an_id_and_an_id_before_the_way() {
    let both =
        r#"button:attr__data-attr="add to \"cart\""attr_id="add"nth-child="2"nth-of-type="1""#;
    assert_eq!(selector(both), r#"[data-attr="add to \"cart\""]"#);
    let id = r#"button.x:attr_id="add\now"nth-child="2"nth-of-type="1""#;
    assert_eq!(selector(id), r#"[id="add\\now"]"#);
    let way = r#"button:nth-child="2"nth-of-type="1";div.x:nth-child="3"nth-of-type="2";main:attr_id="main"nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1""#;
    assert_eq!(
        selector(way),
        r#"[id="main"] > div:nth-of-type(2) > button:nth-of-type(1)"#
    );
    let whole = r#"o:p:nth-child="4"nth-of-type="1";div:nth-child="0"nth-of-type="0";body:nth-child="2"nth-of-type="1""#;
    assert_eq!(selector(whole), "body > div > *:nth-child(4)");
}

#[test]
fn values_that_change_or_tell_who_it_was_name_nothing() {
    for value in [
        "",
        " ",
        ":r5:",
        "radix-:rr:",
        "a-«r5»-b",
        "_r_5_",
        "product-form-7982374623984",
        "for-ada@x.de",
        "4111 1111 1111 1111",
        "a\nb",
        &"x".repeat(129),
    ] {
        let chain = format!(
            r#"button:attr__data-attr="{value}"attr_id="{value}"nth-child="2"nth-of-type="1""#
        );
        assert_eq!(selector(&chain), "button:nth-of-type(1)", "{value}");
    }
    for value in [
        "order-2024",
        "MainContent",
        "shopify-section-header",
        "tab:1",
        "r:",
        "größe",
    ] {
        let chain = format!(r#"button:attr_id="{value}"nth-child="2"nth-of-type="1""#);
        assert_eq!(selector(&chain), format!("[id=\"{value}\"]"));
    }
}

#[test]
fn the_first_listed_attribute_with_a_lasting_value_names_an_element() {
    let chain = r#"b:attr__data-b="two"attr__data-test-id=":r1:"attr__data-test-name="one"nth-child="1"nth-of-type="1""#;
    let chain = ElementsChain::parse(chain).unwrap();
    let named = |names: &[&str]| {
        let names = DataAttributes::parse(names.iter().copied()).unwrap();
        let selector = Selector::of(&chain, 0, &names).unwrap();
        (selector.to_string(), selector.basis())
    };
    let by = |css: &str| (css.to_owned(), Basis::DataAttribute);
    assert_eq!(
        named(&["data-test-*", "data-b"]),
        by(r#"[data-test-name="one"]"#)
    );
    assert_eq!(named(&["data-*"]), by(r#"[data-b="two"]"#));
    assert_eq!(named(&["*t*-n*e"]), by(r#"[data-test-name="one"]"#));
    assert_eq!(
        named(&["data-c", "test-name", "*-nam"]),
        ("b:nth-of-type(1)".to_owned(), Basis::Path)
    );
    assert_eq!(named(&[]).1, Basis::Path);
}

#[test]
fn a_bad_list_of_attributes_is_told_with_the_fix() {
    let says = |names: &[&str]| {
        DataAttributes::parse(names.iter().copied())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        says(&["data-attr", "data attr"]),
        "dataAttributes[1] \"data attr\" is no attribute's name: write letters, digits, - and _, with * for any of them, such as data-attr or data-test-*"
    );
    assert!(says(&[""]).starts_with("dataAttributes[0] \"\" is no attribute's name"));
    assert_eq!(
        says(&["attr__data-attr"]),
        "dataAttributes[0] \"attr__data-attr\" begins as in PostHog's elements chain: write \"data-attr\""
    );
    assert_eq!(
        says(&["a"; 51]),
        "dataAttributes has 51 names: write at most 50, as PostHog looks at no more"
    );
}

#[test]
fn a_click_within_a_button_is_one_on_the_button() {
    let clicked = |chain: &str| {
        let chain = ElementsChain::parse(chain).unwrap();
        ClickedElement::of(&chain, &DataAttributes::default())
    };
    let icon = r#"path:nth-child="1"nth-of-type="1";svg:nth-child="1"nth-of-type="1";a:attr_id="buy"href="https://shop.example/cart?email=ada@x.de"nth-child="1"nth-of-type="1"text=" Buy for ada@x.de";body:nth-child="2"nth-of-type="1""#;
    let icon = clicked(icon).unwrap();
    assert_eq!(icon.selector.as_str(), r#"[id="buy"]"#);
    let text = |text: Option<MaskedText<'static>>| text.map(|text| text.to_string());
    assert_eq!(text(icon.tag).as_deref(), Some("a"));
    assert_eq!(text(icon.text).as_deref(), Some("Buy for [email]"));
    assert_eq!(
        text(icon.href).as_deref(),
        Some("https://shop.example/cart")
    );
    let named = r#"i:nth-child="1"nth-of-type="1";b:attr__data-attr="quick-add"nth-child="1"nth-of-type="1";a:nth-child="1"nth-of-type="1""#;
    assert_eq!(
        clicked(named).unwrap().selector.as_str(),
        r#"[data-attr="quick-add"]"#
    );
    let other = r#"div:nth-child="3"nth-of-type="2";body:nth-child="2"nth-of-type="1""#;
    assert_eq!(
        clicked(other).unwrap().selector.as_str(),
        "body > div:nth-of-type(2)"
    );
    assert_eq!(clicked(""), None);
}

/// A page: each element after its parent.
#[derive(Debug, Clone)]
struct Page(Vec<(Option<usize>, &'static str, Option<String>)>);

impl Page {
    fn siblings(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        (0..self.0.len()).filter(move |&other| self.0[other].0 == parent)
    }

    fn captured(&self, element: usize, class: &str) -> Captured {
        let (parent, tag, id) = &self.0[element];
        let before = || self.siblings(*parent).filter(|&other| other <= element);
        let id = id.iter().map(|id| ("attr_id".to_owned(), id.clone()));
        Captured {
            tag: Some((*tag).to_owned()),
            class: Some(class.to_owned()),
            nth_child: u32::try_from(before().count()).unwrap(),
            nth_of_type: u32::try_from(before().filter(|&other| self.0[other].1 == *tag).count())
                .unwrap(),
            others: id.chain([("text".to_owned(), class.to_owned())]).collect(),
        }
    }

    /// The chain of a click, with whatever class and text the element has just then.
    fn chain(&self, element: usize, class: &str) -> String {
        let way = std::iter::successors(Some(element), |&inner| self.0[inner].0);
        write(
            &way.map(|element| self.captured(element, class))
                .collect::<Vec<_>>(),
        )
        .0
    }

    /// The elements that a selector selects, tried one by one.
    fn select(&self, css: &str) -> Vec<usize> {
        let steps: Vec<&str> = css.split(" > ").collect();
        let fits = |element: usize, step: &str| {
            let captured = self.captured(element, "");
            let id = captured
                .others
                .get("attr_id")
                .map(|id| format!("[id=\"{id}\"]"));
            let tag = captured.tag.unwrap();
            let nth = format!("{tag}:nth-of-type({})", captured.nth_of_type);
            id.as_deref() == Some(step) || nth == step || (tag == "body" && step == "body")
        };
        (0..self.0.len())
            .filter(|&element| {
                let mut way = std::iter::successors(Some(element), |&inner| self.0[inner].0);
                steps
                    .iter()
                    .rev()
                    .all(|step| way.next().is_some_and(|element| fits(element, step)))
            })
            .collect()
    }
}

fn page() -> impl Strategy<Value = Page> {
    let tag = prop::sample::select(vec!["div", "span", "p"]);
    let element = (any::<prop::sample::Index>(), tag, prop::bool::weighted(0.2));
    prop::collection::vec(element, 1..24).prop_map(|elements| {
        let mut page = vec![(None, "body", None)];
        for (place, (parent, tag, has_id)) in elements.into_iter().enumerate() {
            let parent = Some(parent.index(page.len()));
            page.push((parent, tag, has_id.then(|| format!("e{place}"))));
        }
        Page(page)
    })
}

proptest! {
    #[test]
    fn a_selector_selects_the_clicked_element_alone_whatever_state_it_is_in(page in page()) {
        for element in 0..page.0.len() {
            let css = selector(&page.chain(element, "open"));
            prop_assert_eq!(page.select(&css), [element], "{}", css);
            prop_assert_eq!(selector(&page.chain(element, "closed w-1.5")), css);
        }
    }

    #[test]
    fn nothing_that_is_kept_could_be_an_address_or_a_card(elements in private()) {
        prop_assume!(elements.iter().all(Captured::is_clear));
        let (text, _) = write(&elements);
        let chain = ElementsChain::parse(&text).unwrap();
        let kept = ClickedElement::of(&chain, &DataAttributes::parse(["*"]).unwrap()).unwrap();
        for text in [kept.tag, kept.text, kept.href].into_iter().flatten() {
            prop_assert!(is_harmless(text.as_str()), "{}", text);
        }
        prop_assert!(is_harmless(kept.selector.as_str()), "{}", kept.selector);
        prop_assert!(kept.selector.as_str().len() <= 1024);
    }
}

/// Elements with what must not be kept in some of their values.
pub(super) fn private() -> impl Strategy<Value = Vec<Captured>> {
    let private = prop::sample::select(vec!["ada@x.de", "4111 1111 1111 1111", "x%40y.example"]);
    (captured(), private, any::<u8>()).prop_map(|(mut elements, private, places)| {
        let keys = ["text", "href", "attr_id", "attr__data-attr"];
        for (place, element) in elements.iter_mut().enumerate() {
            for (bit, key) in keys.into_iter().enumerate() {
                if (usize::from(places) + place) & (1 << bit) != 0 {
                    let value = format!("/for {private} now");
                    element.others.insert(key.to_owned(), value);
                }
            }
        }
        elements
    })
}

#[test]
fn a_way_without_end_is_cut_at_its_outer_end() {
    let chain = vec![r#"div:nth-child="1"nth-of-type="1""#; 1000].join(";");
    let css = selector(&chain);
    assert!(css.len() <= 1024 && css.len() > 980, "{}", css.len());
    assert!(css.starts_with("div:nth-of-type(1) > "));
}
