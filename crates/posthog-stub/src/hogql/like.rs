//! `like` and `ilike` patterns: `%` any text, `_` one character, `\` escapes.

/// A pattern, split once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Like {
    parts: Vec<Part>,
    fold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Any,
    One,
    Literal(char),
}

impl Like {
    /// Compiles a pattern; `fold` ignores case.
    pub(crate) fn new(pattern: &str, fold: bool) -> Self {
        let pattern = if fold {
            pattern.to_lowercase()
        } else {
            pattern.to_owned()
        };
        let mut parts = Vec::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => Part::Literal(characters.next().unwrap_or('\\')),
                other => Part::Literal(other),
            });
        }
        Self { parts, fold }
    }

    /// Whether the whole text fits the pattern.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = if self.fold {
            text.to_lowercase().chars().collect()
        } else {
            text.chars().collect()
        };
        let (mut at, mut part) = (0, 0);
        // Where to go back to: the last `%` and how much text it has swallowed so far.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let fits = match (self.parts.get(part), text.get(at)) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    retry = Some((part, at));
                    part += 1;
                    continue;
                }
                (Some(Part::One), Some(_)) => true,
                (Some(Part::Literal(wanted)), Some(character)) => wanted == character,
                _ => false,
            };
            if fits {
                at += 1;
                part += 1;
            } else if let Some((star, from)) = retry.filter(|(_, from)| *from < text.len()) {
                retry = Some((star, from + 1));
                at = from + 1;
                part = star + 1;
            } else {
                return false;
            }
        }
    }
}
