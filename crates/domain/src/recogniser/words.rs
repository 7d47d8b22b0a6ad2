//! Takes a name apart into its words, whatever the house style it was written in.

/// The words of a name in lower case: runs of letters and digits, parted also where a capital
/// follows a small letter (`addToCart`).
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_small = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (after_small && letter.is_uppercase()) {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        after_small = letter.is_lowercase();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}
