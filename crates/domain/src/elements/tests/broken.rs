//! Chains that were cut or corrupted: refused with the place, or read without losing a byte.

use proptest::prelude::*;

use super::written::{Captured, captured, write};
use super::*;

fn fault(text: &str) -> (Fault, usize) {
    let broken = ElementsChain::parse(text).unwrap_err();
    (broken.fault, broken.at)
}

#[test]
fn each_fault_is_told_with_its_byte() {
    assert_eq!(fault(r#"a:b="1";"#), (Fault::EmptyElement, 8));
    assert_eq!(fault(r#";a:b="1""#), (Fault::EmptyElement, 0));
    assert_eq!(fault(r#"a:b="1";;b:c="1""#), (Fault::EmptyElement, 8));
    assert_eq!(fault("a"), (Fault::NoAttributes, 0));
    assert_eq!(fault(r#"a:b="1";div.x:"#), (Fault::NoAttributes, 8));
    assert_eq!(fault(r#"a="1""#), (Fault::NoAttributes, 0));
    assert_eq!(
        fault(r#"UIView;UIButton:text="Buy""#),
        (Fault::NoAttributes, 6)
    );
    assert_eq!(fault(r#"a b:c="1""#), (Fault::BadTag, 1));
    assert_eq!(fault(r#"a\"b:c="1""#), (Fault::BadTag, 2));
    assert_eq!(fault(r#"a.x\"b:c="1""#), (Fault::BadTag, 4));
    assert_eq!(fault(r#""a:b="1""#), (Fault::StrayQuote, 0));
    assert_eq!(fault(r#"a:b="1"c"d="2""#), (Fault::StrayQuote, 8));
    assert_eq!(fault(r#"a:="1""#), (Fault::BadAttribute, 2));
    assert_eq!(fault(r#"a:b="1"c d="2""#), (Fault::BadAttribute, 8));
    assert_eq!(fault(r#"a:b="1"nth-ch"#), (Fault::BadAttribute, 7));
    assert_eq!(fault(r#"a:b="1"#), (Fault::OpenValue, 6));
    assert_eq!(fault(r#"a:b="C:\""#), (Fault::OpenValue, 9));
    assert_eq!(fault("a:b=\"x\\"), (Fault::OpenValue, 7));
    assert_eq!(fault(r#"a:nth-child="one""#), (Fault::BadPosition, 13));
    assert_eq!(fault(r#"a:nth-child="+1""#), (Fault::BadPosition, 13));
    assert_eq!(
        fault(r#"a:nth-of-type="4294967296""#),
        (Fault::BadPosition, 15)
    );
    assert_eq!(
        fault(r#"a:text="x"text="y""#),
        (Fault::RepeatedAttribute, 10)
    );
    assert_eq!(
        ElementsChain::parse(r#"a:b="1"#).unwrap_err().to_string(),
        "elements_chain is broken at byte 6: a value is not closed"
    );
}

#[test]
fn no_byte_of_a_real_chain_can_be_replaced_unnoticed() {
    for text in corpus::WHOLE {
        for (at, old) in text.char_indices() {
            for new in "\";\\:=. \n\u{0}xa0é".chars() {
                let replaced = format!("{}{new}{}", &text[..at], &text[at + old.len_utf8()..]);
                match ElementsChain::parse(&replaced) {
                    Ok(chain) => assert_eq!(again(&chain), replaced),
                    Err(broken) => assert!(broken.at <= replaced.len(), "{broken}: {replaced}"),
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_cut_chain_is_whole_only_if_it_ends_where_a_value_did(elements in captured()) {
        let (text, ends) = write(&elements);
        prop_assume!(elements.iter().all(Captured::is_clear));
        for cut in (1..text.len()).filter(|&cut| text.is_char_boundary(cut)) {
            let whole = ElementsChain::parse(&text[..cut]).is_ok();
            prop_assert!(!whole || ends.contains(&cut), "{}", &text[..cut]);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", marks in r#"[a;:="\\. ]{0,60}"#) {
        let _ = ElementsChain::parse(&text);
        let _ = ElementsChain::parse(&marks);
    }
}
