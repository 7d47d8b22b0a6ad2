mod fuzz;
mod oracle;
mod templates;

use super::*;

fn pattern(text: &str) -> PathPattern {
    PathPattern::parse(text).unwrap()
}

#[test]
fn every_example_of_the_decision_holds() {
    let products = pattern("/products/*");
    for page in [
        "/products/red-shirt",
        "/fr/products/red-shirt/?variant=1",
        "/en-ca/products/red-shirt",
        "/collections/sale/products/red-shirt",
        "/pt-br/collections/sale/products/red-shirt",
        "/PRODUCTS/Red%20Shirt",
        "//products///red-shirt//",
        "/products/red-shirt#reviews",
        "/products/%E7%BA%A2",
        "/products/100%",
        "/products/v1.2",
    ] {
        assert!(products.matches(page), "{page}");
    }
    for page in [
        "",
        "/",
        "/products",
        "/products/",
        "/products/red-shirt/reviews",
        "/products/red-shirt.json",
        "/products/red-shirt.js",
        "/products/red-shirt.XML",
        "/products/red-shirt.oembed?x=1",
        "/products/red-shirt%2Ejson",
        "/pages/products/x",
        "/collections/sale/products",
        "/fr/fr/products/red-shirt",
        "/products/fr/red-shirt",
        "/men/products/red-shirt",
        "/fra/products/red-shirt",
        "/collections/products/red-shirt",
        "/collections/a/b/products/red-shirt",
        "/products/red%2Fshirt",
    ] {
        assert!(!products.matches(page), "{page}");
    }
}

#[test]
fn paths_are_decoded_exactly_once() {
    assert_eq!(normalise("/a%2525/%41").to_string(), "/a%25/A");
    assert_eq!(normalise("/%ff").to_string(), "/\u{fffd}");
}

#[test]
fn a_double_star_takes_any_number_of_segments_even_none() {
    let deep = pattern("/a/**/z");
    assert!(deep.matches("/a/z") && deep.matches("/a/b/z") && deep.matches("/a/z/z"));
    assert!(!deep.matches("/a") && !deep.matches("/a/b") && !deep.matches("/b/z"));
    assert!(pattern("/**").matches("/") && pattern("/**").matches("/x/y"));
    assert!(
        pattern("/").matches("/") && pattern("/").matches("/fr/") && !pattern("/").matches("/x")
    );
}

#[test]
fn a_data_view_is_taken_only_when_written_out() {
    assert!(!pattern("/**").matches("/products/x.json"));
    assert!(pattern("/products/x.json").matches("/products/X.JSON"));
    assert!(pattern("/**/x.json/**").matches("/products/x.json"));
    assert!(pattern("/a.json/*").matches("/a.json/x"));
}

#[test]
fn literals_compare_decoded_and_without_regard_to_case() {
    assert!(pattern("/pages/%C3%9Cber-uns").matches("/Pages/über-UNS"));
    assert!(pattern("/pages/über-uns").matches("/pages/%C3%9CBER-UNS"));
    assert!(!pattern("/pages/über").matches("/pages/uber"));
}

#[test]
fn bad_patterns_are_refused_with_what_to_write_instead() {
    for (given, says) in [
        (
            "",
            "urlPath is empty: write a path such as /products/*, or leave urlPath out for any page",
        ),
        (
            " /a",
            "urlPath \" /a\" has white space around it or a control character in it: remove it",
        ),
        (
            "/a\n/b",
            "urlPath \"/a\\n/b\" has white space around it or a control character in it: remove it",
        ),
        (
            "products/*",
            "urlPath \"products/*\" must begin with a slash: write \"/products/*\"",
        ),
        (
            "https://shop.example/products/*",
            "urlPath \"https://shop.example/products/*\" is a whole address: write its path alone, \"/products/*\"",
        ),
        (
            "/a?b=1",
            "urlPath \"/a?b=1\" must not have a query or fragment: write \"/a\"",
        ),
        (
            "/a#b",
            "urlPath \"/a#b\" must not have a query or fragment: write \"/a\"",
        ),
        (
            "/a//b/",
            "urlPath \"/a//b/\" has a repeated or trailing slash: write \"/a/b\"",
        ),
        (
            "/products/red-*",
            "urlPath \"/products/red-*\" has \"red-*\": a * must be a whole segment between slashes, ** any number of segments",
        ),
        (
            "/fr/products/*",
            "urlPath \"/fr/products/*\" can match no page, for language prefixes such as /fr and /collections/… before /products are left out of the comparison: write \"/products/*\"",
        ),
    ] {
        assert_eq!(PathPattern::parse(given).unwrap_err().to_string(), says);
    }
    assert!(PathPattern::parse("/***").is_err());
    assert!(PathPattern::parse("/collections/*/products/*").is_err());
    assert!(PathPattern::parse("/collections/*").is_ok());
}

#[test]
fn a_pattern_survives_being_written_and_read() {
    let given = pattern("/Products/*");
    let text = serde_json::to_string(&given).unwrap();
    assert_eq!(text, "\"/Products/*\"");
    assert_eq!(serde_json::from_str::<PathPattern>(&text).unwrap(), given);
    assert!(serde_json::from_str::<PathPattern>("\"x\"").is_err());
}

#[test]
fn a_page_is_found_in_what_the_sender_said() {
    let page = |url, host, path| {
        let (host, path) = page_of(url, host, path);
        format!(
            "{} {}",
            host.as_deref().unwrap_or("-"),
            path.as_deref().unwrap_or("-")
        )
    };
    let all = |url| page(Some(url), Some("h.example"), Some("/p?q"));
    assert_eq!(
        all("https://shop.example/products/x?variant=1#top"),
        "shop.example /products/x"
    );
    assert_eq!(
        all("HTTPS://u:p@shop.example:8443//a%20b/"),
        "shop.example:8443 //a%20b/"
    );
    assert_eq!(all("https://shop.example"), "shop.example /");
    assert_eq!(all("https://shop.example?x=/y"), "shop.example /");
    assert_eq!(all("//shop.example/x"), "shop.example /x");
    assert_eq!(
        all("/only/path?next=https://x.example/"),
        "h.example /only/path"
    );
    assert_eq!(all("file:///C:/x"), "h.example /C:/x");
    for junk in [
        "",
        " ",
        "undefined",
        "about:blank",
        "shop.example/x",
        "https://",
        "://",
        "#",
        "?a",
        "\u{0}",
        "mailto:a@b.example",
    ] {
        assert_eq!(all(junk), "h.example /p", "{junk:?}");
    }
    assert_eq!(page(None, Some(" "), Some("Home")), "- -");
    assert_eq!(page(None, None, Some("https://shop.example/x?y")), "- /x");
}
