//! What somebody probably meant by a misspelt word.

/// The one of `known` that `given` is a slip of, if one is near enough.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(given);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&folded, &fold(word)), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).clamp(1, 3))
        .min()
        .map(|(_, word)| word)
}

/// Case and separators are no difference: `project_id`, `projectID` and `project-id` are alike.
fn fold(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word_and_other_words_do_not() {
        let known = ["projectId", "host", "refresh", "mapping"];
        assert_eq!(nearest("project_id", known), Some("projectId"));
        assert_eq!(nearest("ProjectID", known), Some("projectId"));
        assert_eq!(nearest("hots", known), Some("host"));
        assert_eq!(nearest("refreshes", known), Some("refresh"));
        assert_eq!(nearest("schedule", known), None);
        assert_eq!(nearest("x", known), None);
    }
}
