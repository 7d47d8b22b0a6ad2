//! Pages are counted by the first template that matches, else by themselves.

use proptest::prelude::*;

use super::*;

fn of(patterns: &[&str], path: &str) -> String {
    PageTemplates::parse(patterns.iter().copied())
        .unwrap()
        .of(path)
        .to_string()
}

#[test]
fn pages_of_one_template_are_one() {
    let default = |path: &str| PageTemplates::default().of(path).to_string();
    for product in [
        "/products/red-shirt",
        "/fr/collections/sale/products/red-shirt/?variant=1",
        "/PRODUCTS/X",
    ] {
        assert_eq!(default(product), "/products/*");
    }
    assert_eq!(default("/collections/sale"), "/collections/*");
    assert_eq!(default("/collections/sale/red"), "/collections/*/*");
    assert_eq!(default("/blogs/news/a"), "/blogs/*/*");
    assert_eq!(default("/en-ca/Pages//About%20us/"), "/pages/about us");
    assert_eq!(default(""), "/");
    assert_eq!(default("/account/Ada@x.de"), "/account/[email]");
    assert_eq!(default("/a%00b"), "/a\u{fffd}b");
    assert_eq!(
        of(&["/products/sale", "/products/*"], "/products/Sale"),
        "/products/sale"
    );
    assert_eq!(of(&[], "/products/x"), "/products/x");
    assert_eq!(of(&[], &"/é".repeat(500)).len(), 511);
}

#[test]
fn a_bad_list_of_templates_is_told_with_the_fix() {
    let says = |patterns: &[&str]| {
        PageTemplates::parse(patterns.iter().copied())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        says(&["/products/*", "pages/*"]),
        "pageTemplates[1]: urlPath \"pages/*\" must begin with a slash: write \"/pages/*\""
    );
    assert_eq!(
        says(&["/cart", "/blogs/**", "/Blogs/*/*"]),
        "pageTemplates[2] \"/Blogs/*/*\" can match no page, for pageTemplates[1] \"/blogs/**\" takes all of them first: write it before that one, or leave it out"
    );
    assert!(says(&["/a", "/A"]).contains("can match no page"));
    let many: Vec<String> = (0..65).map(|place| format!("/p{place}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        says(&many),
        "pageTemplates has 65 patterns: write at most 64"
    );
}

proptest! {
    #[test]
    fn what_a_pattern_covers_it_matches(
        wide in prop::collection::vec(prop::sample::select(&["a", "x.json", "*", "**"][..]), 0..5),
        narrow in prop::collection::vec(prop::sample::select(&["a", "A", "b", "x.json", "*", "**"][..]), 0..5),
        path in prop::collection::vec(prop::sample::select(&["a", "b", "x.json"][..]), 0..5),
    ) {
        let text = |segments: &[&str]| format!("/{}", segments.join("/"));
        let (wide, narrow, path) = (pattern(&text(&wide)), pattern(&text(&narrow)), text(&path));
        prop_assert!(!wide.covers(&narrow) || !narrow.matches(&path) || wide.matches(&path), "{}", path);
        prop_assert!(narrow.covers(&narrow));
    }

    #[test]
    fn any_path_has_one_template(path in "\\PC{0,80}") {
        let templates = PageTemplates::default();
        let template = templates.of(&path);
        prop_assert!(template.as_str().len() <= 512 && template.as_str().starts_with('/'));
    }
}
