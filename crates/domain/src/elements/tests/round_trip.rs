//! What PostHog's writer wrote is read as it was captured.

use proptest::prelude::*;

use super::written::{Captured, captured, write};
use super::*;

/// A captured text that had backslashes before its quotes comes without them: the writer adds none.
fn expected(value: &str) -> String {
    value.replace(r#"\""#, "\"")
}

fn read_as_captured(read: &Element<'_>, captured: &Captured) -> Result<(), TestCaseError> {
    prop_assert_eq!(read.tag(), captured.tag.as_deref());
    let class = expected(captured.class.as_deref().unwrap_or_default());
    let classes: Vec<&str> = class.split_ascii_whitespace().collect();
    prop_assert_eq!(read.classes(), classes);
    prop_assert_eq!(read.nth_child().map_or(0, u32::from), captured.nth_child);
    prop_assert_eq!(
        read.nth_of_type().map_or(0, u32::from),
        captured.nth_of_type
    );
    let value = |key: &str| captured.others.get(key).map(|value| expected(value));
    let text = |value: Option<Quoted<'_>>| value.map(|value| value.text().into_owned());
    prop_assert_eq!(text(read.text()), value("text"));
    prop_assert_eq!(text(read.href()), value("href"));
    prop_assert_eq!(text(read.id()), value("attr_id"));
    for (key, value) in &captured.others {
        let mut pairs = read.pairs();
        let found = pairs.find(|(found, _)| expected(found) == *key);
        prop_assert_eq!(
            text(found.map(|(_, value)| value)),
            Some(expected(value)),
            "{}",
            key
        );
    }
    let others = captured.others.len() + usize::from(captured.class.is_some()) + 2;
    prop_assert_eq!(read.pairs().count(), others);
    Ok(())
}

proptest! {
    #[test]
    fn what_posthog_writes_is_read_as_captured(elements in captured()) {
        prop_assume!(elements.iter().all(Captured::is_clear));
        let (text, _) = write(&elements);
        let chain = ElementsChain::parse(&text).map_err(|e| TestCaseError::fail(format!("{e}: {text}")))?;
        prop_assert_eq!(chain.elements().len(), elements.len());
        for (read, captured) in chain.elements().iter().zip(&elements) {
            read_as_captured(read, captured)?;
        }
        prop_assert_eq!(again(&chain), text);
    }

    #[test]
    fn what_the_writer_made_ambiguous_is_refused_or_read_without_loss(elements in captured()) {
        let (text, _) = write(&elements);
        if let Ok(chain) = ElementsChain::parse(&text) {
            prop_assert_eq!(again(&chain), text);
        }
    }
}
