//! Any pattern and path, matched naively.

use proptest::prelude::*;

use super::*;

/// The rules again, word by word and slowly.
pub(super) fn oracle(pattern: &[&str], path: &[String]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            (0..=path.len()).any(|taken| !takes_data(path, taken) && oracle(rest, &path[taken..]))
        }
        (["*", rest @ ..], [_, left @ ..]) => !takes_data(path, 1) && oracle(rest, left),
        ([literal, rest @ ..], [segment, left @ ..]) => {
            literal.to_lowercase() == segment.to_lowercase() && oracle(rest, left)
        }
        _ => false,
    }
}

fn takes_data(path: &[String], taken: usize) -> bool {
    taken > 0 && taken == path.len() && path[taken - 1].ends_with(".json")
}

proptest! {
    #[test]
    fn matching_agrees_with_a_naive_oracle(
        wanted in prop::collection::vec(prop::sample::select(&["a", "B", "products", "x.json", "*", "**"][..]), 0..6),
        path in prop::collection::vec(prop::sample::select(&["a", "b", "Products", "x.json", "y.json"][..]), 0..7),
        slashes in 1_usize..3,
        trailing in "/{0,2}(\\?q=/z)?",
    ) {
        let text = format!("/{}", wanted.join("/"));
        let url = path.iter().map(|segment| "/".repeat(slashes) + segment).collect::<String>() + &trailing;
        let path: Vec<String> = path.iter().map(|segment| (*segment).to_owned()).collect();
        prop_assert_eq!(pattern(&text).matches(&url), oracle(&wanted, &path), "{} {}", text, url);
    }

    #[test]
    fn a_found_path_is_absolute_and_without_query(url in "(https?://)?[a-z@:/?#. %]{0,20}") {
        let (host, path) = page_of(Some(&url), None, None);
        prop_assert!(path.is_none_or(|path| path.starts_with('/') && !path.contains(['?', '#'])));
        prop_assert!(host.is_none_or(|host| !host.is_empty() && !host.contains(['/', '@', ' '])));
    }

    #[test]
    fn a_normal_path_without_prefixes_is_its_own_normal_form(path in "(/[a-z]{3,5}){0,5}/?") {
        let normal = normalise(&path).to_string();
        prop_assert_eq!(normalise(&normal).to_string(), normal.clone());
        prop_assert_eq!(normal.trim_end_matches('/'), path.trim_end_matches('/'));
    }
}
