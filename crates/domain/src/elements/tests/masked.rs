use proptest::prelude::*;

use super::selectors::private;
use super::written::{Captured, write};
use super::*;
use crate::masking::is_harmless;

#[test]
fn what_could_be_an_address_or_a_card_is_masked_in_texts_and_attributes() {
    let chain = r#"a.btn:attr__class="btn"attr_id="for-ada@x.de"href="mailto:ada@x.de"nth-child="2"nth-of-type="1"text="Pay 4111 1111 1111 1111, \"Ada\"";body:nth-child="2"nth-of-type="1""#;
    let kept = r#"a.btn:attr__class="btn"attr_id="[email]"href="mailto:[email]"nth-child="2"nth-of-type="1"text="Pay [card], \"Ada\"";body:nth-child="2"nth-of-type="1""#;
    assert_eq!(masked(chain), kept);
}

#[test]
fn what_only_looks_like_an_address_in_its_place_stays() {
    let classes = r#"div.flex.@container.mx-auto:attr__@click.prevent="open"attr__class="flex @container mx-auto"nth-child="1"nth-of-type="1"text="ada@x.de""#;
    assert_eq!(masked(classes), classes.replace("ada@x.de", "[email]"));
}

#[test]
fn classes_are_masked_before_the_colon_too() {
    let chain = r#"b.of-ada@x.de.wide:attr__class="of-ada@x.de wide"nth-child="1"nth-of-type="1""#;
    let kept = r#"b.[email].wide:attr__class="[email] wide"nth-child="1"nth-of-type="1""#;
    assert_eq!(masked(chain), kept);
    let other = r#"b.of-ada@x.de:attr__class="of-"nth-child="1"nth-of-type="1""#;
    assert_eq!(masked(other), other.replace("of-ada@x.de", "[email]"));
    let bare = r#"b.of-ada@x.de:nth-child="1"nth-of-type="1""#;
    assert_eq!(masked(bare), r#"b.[email]:nth-child="1"nth-of-type="1""#);
}

#[test]
fn a_text_that_is_no_chain_is_masked_and_stays_none() {
    let broken = r#"a:text="ada@x.de"#;
    assert_eq!(masked(broken), r#"a:text="[email]"#);
    assert!(ElementsChain::parse(&masked(broken)).is_err());
}

#[test]
fn an_element_is_not_named_by_a_mask() {
    let chain =
        r#"b:attr_id="for-ada@x.de"nth-child="1"nth-of-type="1";body:nth-child="2"nth-of-type="1""#;
    let of = |chain: &str| {
        let chain = ElementsChain::parse(chain).unwrap();
        Selector::of(&chain, 0, &DataAttributes::default())
    };
    assert_eq!(of(&masked(chain)), of(chain));
    assert_eq!(of(chain).unwrap().as_str(), "body > b:nth-of-type(1)");
}

proptest! {
    /// The chain is read as before, but for what must not be kept.
    #[test]
    fn a_masked_chain_names_the_same_elements_and_keeps_nothing_private(elements in private()) {
        prop_assume!(elements.iter().all(Captured::is_clear));
        let (text, _) = write(&elements);
        let kept = masked(&text);
        prop_assert_eq!(masked(&kept), kept.clone());
        let (before, after) = (ElementsChain::parse(&text).unwrap(), ElementsChain::parse(&kept).unwrap());
        prop_assert_eq!(before.elements().len(), after.elements().len());
        for (before, after) in before.elements().iter().zip(after.elements()) {
            let keys = |element: &Element<'_>| element.pairs().map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(keys(before), keys(after));
            prop_assert_eq!((before.tag(), before.nth_child()), (after.tag(), after.nth_child()));
            for class in after.classes() {
                prop_assert!(is_harmless(&class), "{}", class);
            }
            for (key, value) in after.pairs() {
                prop_assert!(is_harmless(value.raw()), "{}: {}", key, value.raw());
            }
        }
        let names = DataAttributes::parse(["*"]).unwrap();
        let of = |chain: &ElementsChain<'_>| ClickedElement::of(chain, &names).map(|it| (it.selector, it.tag, it.text));
        prop_assert_eq!(of(&before), of(&after));
    }

    #[test]
    fn no_text_is_a_chain_only_when_masked(text in ".*") {
        prop_assert_eq!(ElementsChain::parse(&text).is_ok(), ElementsChain::parse(&masked(&text)).is_ok());
    }
}
