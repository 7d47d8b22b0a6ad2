//! PostHog's writer, and elements for it to write: `elementsToString` of posthog-js
//! (`autocapture-utils.ts`), which PostHog's ingestion has too.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// What an SDK captured of an element.
#[derive(Debug, Clone)]
pub(super) struct Captured {
    pub(super) tag: Option<String>,
    /// The class attribute.
    pub(super) class: Option<String>,
    pub(super) nth_child: u32,
    pub(super) nth_of_type: u32,
    /// By their keys; `attr__class` is not among them.
    pub(super) others: BTreeMap<String, String>,
}

/// A quote gets a backslash unless it has one.
fn escaped(text: &str) -> String {
    text.replace(r#"\""#, "\"").replace('"', r#"\""#)
}

impl Captured {
    /// The element as written, and where each of its pairs ends.
    fn write(&self, chain: &mut String, ends: &mut Vec<usize>) {
        chain.push_str(self.tag.as_deref().unwrap_or_default());
        let class = self.class.as_deref().unwrap_or_default();
        let mut classes: Vec<&str> = class.split_whitespace().collect();
        classes.sort_by_key(|class| class.encode_utf16().collect::<Vec<_>>());
        for class in classes {
            chain.push('.');
            chain.push_str(&class.replace('"', ""));
        }
        chain.push(':');
        let mut pairs = self.others.clone();
        pairs.extend(
            self.class
                .clone()
                .map(|class| ("attr__class".to_owned(), class)),
        );
        pairs.insert("nth-child".to_owned(), self.nth_child.to_string());
        pairs.insert("nth-of-type".to_owned(), self.nth_of_type.to_string());
        for (key, value) in pairs {
            chain.push_str(&format!("{}=\"{}\"", escaped(&key), escaped(&value)));
            ends.push(chain.len());
        }
    }

    /// Whether a reader can tell where each value ends. The writer leaves backslashes alone, so that
    /// one before a quote of its own, or two before another, cannot be told from an escape.
    pub(super) fn is_clear(&self) -> bool {
        self.others.values().chain(&self.class).all(|value| {
            let written = escaped(value);
            let mut rest = written.chars();
            let mut whole = true;
            while let Some(next) = rest.next() {
                match next {
                    '"' => return false,
                    '\\' => whole = rest.next().is_some(),
                    _ => {}
                }
            }
            whole
        })
    }
}

pub(super) fn write(elements: &[Captured]) -> (String, Vec<usize>) {
    let (mut chain, mut ends) = (String::new(), Vec::new());
    for element in elements {
        if !chain.is_empty() {
            chain.push(';');
        }
        element.write(&mut chain, &mut ends);
    }
    (chain, ends)
}

/// Any elements, with whatever HTML may hold.
pub(super) fn captured() -> impl Strategy<Value = Vec<Captured>> {
    elements(
        "([a-z]{1,6}[:-])?[a-z]{1,6}[0-9]?",
        r#"[a-zA-Z0-9 \n;:.="'\\\[\]\u{a0}é💻-]{0,24}"#,
        r#"[a-z:@.;"=-]{1,8}"#,
        r#"[a-z0-9"\\\n;:.= é💻{}-]{0,16}"#,
    )
}

/// Elements of which PostHog's regular expressions lose nothing.
pub(super) fn plain() -> impl Strategy<Value = Vec<Captured>> {
    elements(
        "[a-z]{1,6}[0-9]?",
        r"[a-zA-Z0-9 :'\[\]é💻-]{0,24}",
        "[a-z-]{1,8}",
        r#"[a-z0-9";:.= é💻{}-]{0,16}"#,
    )
}

fn elements(
    tag: &'static str,
    class: &'static str,
    name: &'static str,
    value: &'static str,
) -> impl Strategy<Value = Vec<Captured>> {
    let name = name.prop_map(|name| format!("attr__{name}"));
    let name = name.prop_filter("the class is another field", |name| name != "attr__class");
    let key = prop_oneof![
        4 => name,
        1 => prop::sample::select(vec!["text", "href", "attr_id"]).prop_map(str::to_owned),
    ];
    let element = (
        prop::option::weighted(0.95, tag),
        prop::option::of(class),
        (0..40_u32, 0..9_u32),
        prop::collection::btree_map(key, value, 0..5),
    );
    let element = element.prop_map(|(tag, class, (nth_child, nth_of_type), others)| Captured {
        tag,
        class,
        nth_child,
        nth_of_type,
        others,
    });
    prop::collection::vec(element, 1..5)
}
