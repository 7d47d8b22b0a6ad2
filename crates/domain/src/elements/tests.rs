mod broken;
mod corpus;
mod fuzz;
mod masked;
mod posthog_regexps;
mod round_trip;
mod selectors;
mod written;

use super::*;
use crate::masking::MaskedText;

/// What was read, written again: each byte of a chain is in one of an element's parts.
fn again(chain: &ElementsChain<'_>) -> String {
    let element = |element: &Element<'_>| {
        let pairs: String = element
            .pairs()
            .map(|(key, value)| format!("{key}=\"{}\"", value.raw()))
            .collect();
        let tag = element.tag().unwrap_or_default();
        format!("{tag}{}:{pairs}", element.dotted_classes())
    };
    let elements: Vec<String> = chain.elements().iter().map(element).collect();
    elements.join(";")
}

fn texts(element: &Element<'_>) -> Vec<(&'static str, String)> {
    [
        ("text", element.text()),
        ("href", element.href()),
        ("id", element.id()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?.text().into_owned())))
    .collect()
}

#[test]
fn a_chain_of_posthogs_own_tests_is_read_exactly() {
    let chain = ElementsChain::parse(corpus::ESCAPED).unwrap();
    let [link, button, outer, nested] = chain.elements() else {
        panic!("{chain:?}");
    };
    assert_eq!(
        (link.tag(), link.classes()),
        (Some("a"), vec!["small".into()])
    );
    assert_eq!(
        texts(link),
        [
            ("text", "bla bla".to_owned()),
            ("href", "/a-url".to_owned())
        ]
    );
    assert_eq!(link.nth_child().map(u32::from), Some(1));
    assert_eq!(link.nth_of_type(), None);
    let keys: Vec<&str> = link.pairs().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "data-attr",
            "href",
            "nth-child",
            "nth-of-type",
            "number",
            "prop",
            "style",
            "text"
        ]
    );
    let (_, escaped) = link.pairs().next().unwrap();
    assert_eq!(escaped.raw(), r#"something \" that; could mess up"#);
    assert_eq!(escaped.text(), r#"something " that; could mess up"#);
    assert_eq!(button.classes(), ["btn", "btn-primary"]);
    assert_eq!((outer.tag(), outer.id()), (Some("div"), None));
    assert_eq!(texts(nested), [("id", "nested".to_owned())]);
}

#[test]
fn an_empty_text_is_a_chain_without_elements() {
    assert_eq!(ElementsChain::parse("").unwrap().elements(), []);
}

#[test]
fn classes_are_those_of_the_class_attribute_where_dots_would_tear_them() {
    let classes = |chain: &str| -> Vec<String> {
        let chain = ElementsChain::parse(chain).unwrap();
        let classes = chain.elements()[0].classes();
        classes
            .into_iter()
            .map(std::borrow::Cow::into_owned)
            .collect()
    };
    assert_eq!(
        classes(r#"a.md:flex.w-1.5:attr__class="w-1.5 md:flex"nth-child="1""#),
        ["w-1.5", "md:flex"]
    );
    assert_eq!(
        classes(r#"a.md:flex.w-1.5:nth-child="1""#),
        ["md:flex", "w-1", "5"]
    );
    // SDKs before 1.95 split the class attribute at spaces alone (posthog-js #925).
    assert_eq!(classes("a.x\n.y z:nth-child=\"1\""), ["x", "y", "z"]);
    assert_eq!(
        classes(r#".another.something:nth-child="0""#),
        ["another", "something"]
    );
}

#[test]
fn a_semicolon_belongs_to_a_class_only_if_the_class_attribute_has_it() {
    let typo = r#"a.btn;.primary:attr__class="primary btn;"nth-child="1";b:nth-child="1""#;
    let chain = ElementsChain::parse(typo).unwrap();
    assert_eq!(chain.elements().len(), 2);
    assert_eq!(chain.elements()[0].classes(), ["primary", "btn;"]);
    // Sorted with the backslash that the sender had before its quote.
    let quoted = r#".;.\:attr__class="; \""nth-child="0""#;
    assert_eq!(ElementsChain::parse(quoted).unwrap().elements().len(), 1);
    let torn = r#"a.btn;b.primary:attr__class="primary"nth-child="1""#;
    assert_eq!(ElementsChain::parse(torn), Err(Fault::NoAttributes.at(5)));
}

#[test]
fn attributes_of_alpine_vue_and_broken_html_keep_their_names() {
    let chain = r#"a.x:attr__:class="{\"a\": b}"attr__@click.prevent="open = true; go()"attr__\"="x"attr__xlink:href="/y"attr__;="";o:p:attr__x-on:click="z""#;
    let chain = ElementsChain::parse(chain).unwrap();
    let [link, other] = chain.elements() else {
        panic!("{chain:?}");
    };
    let value = |name| link.attribute(name).map(|value| value.text().into_owned());
    assert_eq!(value(":class").as_deref(), Some(r#"{"a": b}"#));
    assert_eq!(
        value("@click.prevent").as_deref(),
        Some("open = true; go()")
    );
    assert_eq!(value(r#"\""#).as_deref(), Some("x"));
    assert_eq!(value("xlink:href").as_deref(), Some("/y"));
    assert_eq!(value(";").as_deref(), Some(""));
    assert_eq!(value("class"), None);
    assert_eq!(link.dotted_classes(), ".x");
    assert_eq!(other.tag(), Some("o:p"));
}
